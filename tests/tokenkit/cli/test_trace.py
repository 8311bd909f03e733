import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenkit.cli import main

Run = Callable[..., tuple[int, str, str]]
KEY = "virtual:yubikey-5.4?seed=1"
OTHER = "virtual:reference?seed=1"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``tokenkit …`` in an empty directory: exit status, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TOKENKIT_NEW_PIN", "123456")

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(args))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def trace(run: Run) -> str:
    """A key whose PIN is set."""
    status, out, _ = run("keys", "pin", "set", KEY, "--trace", "pin.pcapng")
    assert status == 0
    assert "PIN set" in out
    return "pin.pcapng"


def test_show(run: Run, trace: str) -> None:
    status, out, err = run("trace", "show", trace)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("    0.000000 → broadcast INIT {nonce: h'")
    channel = "dd1f0e8a"
    assert any(f" → {channel}  CBOR authenticatorGetInfo" in line for line in lines)
    assert any("pinUvAuthParam: / 32 bytes not shown /" in line for line in lines)
    assert lines[-1].endswith(f" ← {channel}  CBOR SUCCESS")
    _, out, _ = run("trace", "show", trace, "--secrets")
    assert "newPinEnc: h'" in out


def test_show_for_programs(run: Run, trace: str) -> None:
    _, out, _ = run("trace", "show", trace, "--json")
    shown = json.loads(out)
    [asked] = [each for each in shown if each["name"] == "authenticatorClientPIN.setPIN"]
    assert asked["from_host"] is True
    assert (asked["key"], asked["channel"], asked["command"]) == ("1.1", "dd1f0e8a", "CBOR")
    assert asked["content"]["subCommand"] == 3
    assert asked["content"]["newPinEnc"] is None
    assert asked["problem"] is None
    _, out, _ = run("trace", "show", trace, "--json", "--secrets")
    [asked] = [e for e in json.loads(out) if e["name"] == "authenticatorClientPIN.setPIN"]
    assert len(bytes.fromhex(asked["content"]["newPinEnc"])) == 80


def test_show_what_is_whole_of_a_cut_trace(run: Run, trace: str) -> None:
    content = Path(trace).read_bytes()
    Path(trace).write_bytes(content[:-1])
    status, out, err = run("trace", "show", trace)
    assert status == 2
    assert out.count("authenticatorClientPIN.setPIN") == 1
    assert err.startswith("tokenkit: pin.pcapng: ends in the middle of what follows packet ")
    assert err.count("\n") == 1


def test_several_keys_are_told_apart(run: Run, trace: str) -> None:
    run("keys", "reset", OTHER, "--trace", "reset.pcapng")
    _, out, _ = run("trace", "show", "reset.pcapng")
    assert "1.1    → broadcast INIT" in out
    assert "1.2    → broadcast INIT" in out
    assert "CBOR authenticatorReset" in out.splitlines()[-2]


def test_diff(run: Run, trace: str) -> None:
    run("keys", "pin", "set", KEY, "--trace", "again.pcapng")
    status, out, _ = run("trace", "diff", trace, "again.pcapng")
    assert (status, out) == (0, "pin.pcapng and again.pcapng say the same\n")
    status, out, _ = run("trace", "diff", trace, "again.pcapng", "--exact")
    assert status == 1
    assert out.splitlines()[0] == "message 1 differs: nonce"
    run("keys", "pin", "set", OTHER, "--trace", "other.pcapng")
    status, out, _ = run("trace", "diff", trace, "other.pcapng")
    assert status == 1
    assert out.startswith("message 2 differs: version\n- ← broadcast INIT {")
    assert out.count("differs") == 1
    status, out, _ = run("trace", "diff", trace, "other.pcapng", "--all")
    assert status == 1
    assert "+ nothing" in out
    assert out.count("differs") > 2
    status, out, _ = run("trace", "diff", trace, "other.pcapng", "--json")
    [found] = json.loads(out)
    assert (status, found["message"], found["members"]) == (1, 2, ["version"])
    assert found["first"]["content"]["version"] == "5.4.3"
    assert run("trace", "diff", trace, trace, "--json")[:2] == (0, "[]\n")


def test_replay(run: Run, trace: str) -> None:
    status, out, _ = run("trace", "replay", trace, KEY, "--exact")
    assert (status, out) == (0, "answers as recorded: 7\n")
    status, out, _ = run("trace", "replay", trace, "virtual:yubikey-5.4?seed=2")
    assert status == 1
    assert out.startswith("answers as recorded: 6\nmessage 14 differs\n- ← ")
    assert out.endswith("CBOR PIN_AUTH_INVALID\n")
    status, out, _ = run("trace", "replay", trace, "virtual:yubikey-5.4?seed=2", "--json")
    shown = json.loads(out)
    assert (status, shown["same"]) == (1, 6)
    assert shown["difference"]["second"]["name"] == "PIN_AUTH_INVALID"
    _, out, _ = run("trace", "replay", trace, KEY, "--json")
    assert json.loads(out) == {"same": 7, "difference": None}


def test_replay_spares_a_physical_key(desk: Any, run: Run, trace: str) -> None:
    desk.looks_physical()
    status, _, err = run("trace", "replay", trace, desk.selector)
    assert status == 2
    assert "nothing done: to replay 7 recorded messages and whatever they change on " in err
    assert "add --yes --serial " in err


def test_a_trace_that_is_there_is_not_replaced(run: Run, trace: str) -> None:
    before = Path(trace).read_bytes()
    status, out, err = run("keys", "info", KEY, "--trace", trace)
    assert (status, out) == (2, "")
    assert err == "tokenkit: pin.pcapng is there already: remove it, or choose another name\n"
    assert Path(trace).read_bytes() == before


def test_a_wrong_command_line_leaves_no_trace(run: Run) -> None:
    assert run("keys", "ping", KEY, "--trace", "t", "--count", "0")[0] == 2
    assert not Path("t").exists()


def test_a_command_that_fails_is_recorded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENKIT_NEW_PIN", "123")
    assert run("keys", "pin", "set", KEY, "--trace", "t")[0] == 2
    _, out, _ = run("trace", "show", "t")
    assert "authenticatorGetInfo" in out


def test_a_full_disk_fails_the_command_after_its_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = os.write, 0

    def fill_up(file: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count > 4:
            raise OSError(28, "No space left on device")
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill_up)
        status, out, err = run("keys", "ping", KEY, "--trace", "t")
    assert status == 2
    assert "came back the same" in out
    assert "t: No space left on device: the trace ends after 2 reports" in err
    assert run("trace", "show", "t")[0] == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "t: an empty file, not a pcapng file"),
        (b"GIF89a", "t: not a pcapng file"),
        (bytes.fromhex("d4c3b2a1"), "editcap -F pcapng t NEW"),
        (None, "t: No such file or directory"),
    ],
)
@pytest.mark.parametrize("words", [["show", "t"], ["diff", "t", "t"], ["replay", "t", KEY]])
def test_bad_input_is_one_clear_error(
    run: Run, words: list[str], content: bytes | None, complaint: str
) -> None:
    if content is not None:
        Path("t").write_bytes(content)
    status, out, err = run("trace", *words)
    assert (status, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_replay_to_no_key(run: Run, trace: str) -> None:
    status, _, err = run("trace", "replay", trace, "virtual:refrence")
    assert status == 2
    assert "did you mean reference?" in err
