"""``tokenkit keys pin``, and where PINs come from."""

import fcntl
import getpass
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Desk = Any


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A person at a terminal who types these answers to prompts, unseen; returns the prompts."""

    def typed(*answers: str | type[BaseException]) -> list[str]:
        left, prompts = iter(answers), []

        def answer(prompt: str) -> str:
            prompts.append(prompt)
            given = next(left)
            if not isinstance(given, str):
                raise given
            return given

        monkeypatch.setattr("tokenkit.cli.pin_entry._is_terminal", lambda: True)
        monkeypatch.setattr(getpass, "getpass", answer)
        return prompts

    return typed


def test_set_verify_change_retries(desk: Desk) -> None:
    assert "none is set" in desk.run("pin", "retries", "KEY")[1]
    status, out, _ = desk.run("pin", "set", "KEY", TOKENKIT_NEW_PIN="1234")
    assert (status, out[:8]) == (0, "PIN set:")
    assert desk.run("pin", "verify", "KEY", TOKENKIT_PIN="1234")[0] == 0
    status, out, _ = desk.run(
        "pin", "change", "KEY", "--json", TOKENKIT_PIN="1234", TOKENKIT_NEW_PIN="пароль"
    )
    assert status == 0
    assert json.loads(out) == {
        "selector": desk.selector,
        "name": "tokenkit reference key",
        "serial_number": desk.device.serial_number,
        "changed": True,
    }
    status, out, err = desk.run("pin", "verify", "KEY", TOKENKIT_PIN="1234")
    assert (status, out) == (1, "")
    assert "wrong PIN; 7 tries are left" in err
    status, out, _ = desk.run("pin", "verify", "KEY", "--json", TOKENKIT_PIN="1234")
    assert (status, json.loads(out)["right"]) == (1, False)
    assert "6" in desk.run("pin", "retries", "KEY")[1]
    assert json.loads(desk.run("pin", "verify", "KEY", "--json", TOKENKIT_PIN="пароль")[1])["right"]
    left = json.loads(desk.run("pin", "retries", "KEY", "--json")[1])
    assert (left["is_set"], left["pin"], left["needs_power_cycle"]) == (True, 8, False)


def test_blocked_until_replugged(desk: Desk) -> None:
    desk.set_pin()
    for _ in range(3):
        status, _, err = desk.run("pin", "verify", "KEY", TOKENKIT_PIN="0000")
    assert status == 1
    assert "unplug it and plug it in again, then 5 tries are left" in err
    assert "5 after it was unplugged" in desk.run("pin", "retries", "KEY")[1]
    # the right one is no better now, and a command that is no check fails as usual
    status, _, err = desk.run("creds", "list", "KEY")
    assert status == 2
    assert "unplug it" in err


@pytest.mark.parametrize("line", [b"1234", b"1234\n", b"1234\r\n", b"\xef\xbb\xbf1234\nmore\n"])
def test_a_pin_from_a_file_or_a_pipe(desk: Desk, tmp_path: Path, line: bytes) -> None:
    desk.set_pin()
    desk.monkeypatch.delenv("TOKENKIT_PIN")
    (tmp_path / "pin").write_bytes(line)
    assert desk.run("pin", "verify", "KEY", "--pin-file", str(tmp_path / "pin"))[0] == 0
    assert desk.run("pin", "verify", "KEY", "--pin-file", "-", stdin=line)[0] == 0
    status, _, _ = desk.run(
        "pin", "verify", "KEY", "--pin-file", "-", stdin=line, TOKENKIT_PIN="0000"
    )
    assert status == 0  # the option comes first


def test_both_pins_from_one_pipe(desk: Desk) -> None:
    desk.set_pin()
    args = ("pin", "change", "KEY", "--pin-file", "-", "--new-pin-file", "-")
    assert desk.run(*args, stdin=b"1234\n5678\n")[0] == 0
    assert desk.run("pin", "verify", "KEY", TOKENKIT_PIN="5678")[0] == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the first line, where the PIN should be, is empty"),
        (b"\n1234", "the first line, where the PIN should be, is empty"),
        (b"\xff1234", "the PIN is not UTF-8"),
        (b"123\n", "the PIN has 3 characters: at least 4 are needed"),
    ],
)
def test_a_bad_pin_file_costs_no_try(
    desk: Desk, tmp_path: Path, content: bytes, reason: str
) -> None:
    desk.set_pin()
    (tmp_path / "pin").write_bytes(content)
    status, out, err = desk.run("pin", "verify", "KEY", "--pin-file", str(tmp_path / "pin"))
    assert (status, out) == (2, "")
    assert reason in err
    assert json.loads(desk.run("pin", "retries", "KEY", "--json")[1])["pin"] == 8


def test_without_anybody_to_ask_it_says_where_a_pin_may_come_from(desk: Desk) -> None:
    status, _, err = desk.run("pin", "set", "KEY")
    assert status == 2
    assert "add --new-pin-file FILE, or set TOKENKIT_NEW_PIN" in err
    desk.set_pin()
    desk.monkeypatch.delenv("TOKENKIT_PIN")
    status, _, err = desk.run("pin", "verify", "KEY")
    assert status == 2
    assert "run this on a terminal, add --pin-file FILE, or set TOKENKIT_PIN" in err
    assert desk.run("pin", "verify", "KEY", "--pin-file", "/no/such/file")[0] == 2


def test_a_person_types_a_new_pin_twice(desk: Desk, typed: Any) -> None:
    prompts = typed("1234", "1235")
    status, _, err = desk.run("pin", "set", "KEY")
    assert (status, err) == (2, "tokenkit: the two PINs differ: nothing was changed\n")
    assert prompts == ["New PIN: ", "New PIN again: "]
    typed("1234", "1234")
    assert desk.run("pin", "set", "KEY")[0] == 0
    prompts = typed("1234", "5678", "5678")
    assert desk.run("pin", "change", "KEY")[0] == 0
    assert prompts == ["PIN: ", "New PIN: ", "New PIN again: "]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, EOFError])
def test_a_cancelled_prompt_changes_nothing(
    desk: Desk, typed: Any, ending: type[BaseException]
) -> None:
    typed("1234", ending)
    assert desk.run("pin", "set", "KEY") == (130, "", "tokenkit: interrupted\n")
    assert "none is set" in desk.run("pin", "retries", "KEY")[1]


def test_nobody_types_a_pin_in_vain(desk: Desk, typed: Any) -> None:
    prompts = typed()
    for args in (
        ("pin", "verify", "KEY"),
        ("pin", "change", "KEY"),
        ("creds", "list", "KEY"),
        ("bio", "list", "KEY"),
        ("blobs", "get", "KEY", "--id", "abcd"),
    ):
        status, _, err = desk.run(*args)
        assert status == 2
        assert f"has no PIN; give it one: tokenkit keys pin set {desk.selector}" in err
    desk.set_pin()
    status, _, err = desk.run("pin", "set", "KEY")
    assert "has a PIN already; to change it: tokenkit keys pin change" in err
    assert prompts == []


def test_a_key_that_lives_in_a_file(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what a command advises can be pasted into a shell."""
    monkeypatch.chdir(tmp_path)
    key = "virtual:reference?state=my key"
    _, _, err = desk.run("pin", "verify", key)
    [advice] = re.findall(r"tokenkit keys (.*)", err)
    assert shlex.split(advice) == ["pin", "set", key]
    assert desk.run(*shlex.split(advice), TOKENKIT_NEW_PIN="1234")[0] == 0
    assert desk.run("pin", "verify", key, TOKENKIT_PIN="1234")[0] == 0
    assert desk.run("pin", "verify", key, TOKENKIT_PIN="4321")[0] == 1


@pytest.fixture
def on_a_terminal() -> Callable[..., tuple[int, str]]:
    """Run ``tokenkit`` on a terminal of its own where ``keys`` are typed at each prompt."""

    def run(keys: bytes, *args: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tokenkit", *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            seen += part
            if part.rstrip().endswith(b":"):
                os.write(ours, keys)
        os.close(ours)
        return process.wait(), seen.decode()

    return run


def test_a_real_terminal_does_not_show_the_pin(on_a_terminal: Any) -> None:
    status, seen = on_a_terminal(b"735192\n", "keys", "pin", "set", "virtual:reference")
    assert status == 0
    assert "735192" not in seen
    assert seen.startswith("New PIN: ")
    assert "PIN set: tokenkit reference key" in seen


def test_ctrl_c_at_a_real_prompt(on_a_terminal: Any) -> None:
    status, seen = on_a_terminal(b"\x03", "keys", "pin", "set", "virtual:reference")
    assert status == 130
    assert seen.endswith("tokenkit: interrupted\r\n")
