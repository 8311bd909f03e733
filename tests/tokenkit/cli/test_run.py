"""``tokenkit run`` as it is typed."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenkit.cli import main

Run = Callable[..., tuple[int, str, str]]

GOOD = """
title = "A key"

[[step]]
do = "make-key"
device = "key"

[[step]]
do = "register"
device = "key"
"""
BAD = GOOD.replace('do = "register"', 'do = "regster"')


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``tokenkit run …`` in an empty folder: exit status, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["run", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def write(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


def test_list_names_what_is_shipped(run: Run) -> None:
    status, out, _ = run("--list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "authenticator-app",
        "eight-devices",
        "hardware-token",
        "leap-second",
        "security-key",
        "server-an-hour-ahead",
        "server-snapshot",
    ]


def test_a_shipped_scenario_by_name(run: Run) -> None:
    status, out, err = run("security-key")
    assert (status, err) == (0, "")
    assert "22 of 22 expectations held" in out
    assert "cloned" in out


def test_a_failed_expectation_is_status_1_and_says_where(run: Run) -> None:
    status, out, _ = run(write("mine.toml", GOOD + 'expect = "cloned"\n'))
    assert status == 1
    assert "0 of 1 expectations held" in out
    assert "mine.toml:8" in out


def test_a_wrong_file_is_one_line_and_nothing_is_run(run: Run) -> None:
    files = write("good.toml", GOOD), write("bad.toml", BAD)
    status, out, err = run(*files, "--report", "out")
    assert (status, out) == (2, "")
    assert err.startswith("tokenkit: bad.toml:9: ")
    assert err.count("\n") == 1
    assert "register" in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--list"),
        (("nowhere.toml",), "no such file"),
        (("security-keys",), "did you mean the shipped scenario security-key?"),
        ((".",), "folder"),
        (("security-key", "--report", "file"), "file"),
        (("security-key", "--report", ""), "name a directory"),
        (("security-key", "--report", "taken"), "taken/index.html"),
        (("security-key", "--yes"), "--key"),
        (("security-key", "--serial", "1"), "--key"),
        (("security-key", "--report", "new", "--key", "virtual:refrence"), "reference?"),
        (("security-key", "--seed", "x"), "--seed"),
        (("security-key", "--key", "virtual:refrence"), "did you mean reference?"),
        (("hardware-token", "--key", "virtual:reference"), "no security key appears"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    write("file", "")
    Path("taken/index.html").mkdir(parents=True)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert {str(path) for path in Path().rglob("*")} == {"file", "taken", "taken/index.html"}
    assert says in err
    assert "Traceback" not in err


def test_json_is_all_there_is_on_standard_output(run: Run) -> None:
    status, out, err = run("security-key", "--json")
    assert status == 0
    assert json.loads(out)["held"] is True
    assert err == "security-key: held, 22 of 22 expectations held\n"


def test_the_report_ends_with_its_path(run: Run) -> None:
    status, out, _ = run(write("mine.toml", GOOD), "--report", "out")
    assert status == 0
    assert out.splitlines()[-1] == "report: out/index.html"
    assert {path.name for path in Path("out").iterdir()} == {
        "index.html",
        "junit.xml",
        "report.json",
    }
    status, out, err = run("mine.toml", "--report", "out", "--json")
    assert out == Path("out/report.json").read_text("utf-8")
    assert err.splitlines()[-1] == "report: out/index.html"


def test_a_file_whose_name_is_no_unicode(run: Run) -> None:
    name = write(os.fsdecode(b"mine\xff.toml"), GOOD)
    status, out, err = run(name, "--report", os.fsdecode(b"out\xff"), "--json")
    assert (status, json.loads(out)["scenarios"][0]["file"]) == (0, "mine?.toml")
    assert err.splitlines()[-1] == "report: out\N{REPLACEMENT CHARACTER}/index.html"


def test_another_seed_is_another_run(run: Run) -> None:
    first = run("hardware-token", "--json", "--seed", "5")[1]
    assert run("hardware-token", "--json", "--seed", "5")[1] == first
    other = run("hardware-token", "--json", "--seed", "6")[1]
    curves = [json.loads(text)["scenarios"][0]["devices"][0]["curve"] for text in (first, other)]
    assert curves[0] != curves[1]


def test_a_key_by_selector(run: Run) -> None:
    status, out, _ = run("security-key", "--key", "virtual:self-attested", "--json")
    assert status == 0
    assert json.loads(out)["held"] is True


def test_reports_are_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Also where Python orders its sets another way."""
    digests = set()
    for number in ("1", "2"):
        folder = tmp_path / number
        command = [sys.executable, "-m", "tokenkit", "run", "--report", str(folder)]
        subprocess.run(
            [*command, "security-key", "hardware-token"],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": number},
        )
        contents = [path.read_bytes() for path in sorted(folder.iterdir())]
        digests.add(hashlib.sha256(b"".join(contents)).hexdigest())
    assert len(digests) == 1


class Terminal:
    """Standard error that is a terminal, and remembers."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_progress_is_shown_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(SystemExit) as caught:
        main(["run", "hardware-token"])
    assert caught.value.code == 0
    assert "/730" in terminal.text
