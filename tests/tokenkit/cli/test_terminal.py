"""What a person sees: on terminals of any width, and of a bar and tables on the same one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tokenkit.cli import main
from tokenkit.cli.output import console
from tokenkit.scenario.record import ScenarioRecord, StepRecord
from tokenkit.scenario.watch import Watch

SCENARIO = """
title = "A token"
[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["token"]
[[step]]
do = "ship-seeds"
prefix = "GAHT"
[[step]]
do = "enrol"
device = "token"
[[step]]
do = "wait"
for = "1 min"
[[step]]
do = "sign-in"
device = "token"
every = "1 min"
for = "10 h"
[[step]]
do = "resync"
device = "token"
expect = "locked"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.toml").write_text(SCENARIO, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def on_a_terminal(columns: int, *args: str) -> str:
    """All that ``tokenkit`` writes on a terminal that is its output and its errors."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", *args],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    process.wait()
    return b"".join(parts).decode()


def screen(output: str) -> list[str]:
    """The lines that can be seen after ``output``."""
    lines, row, column = [""], 0, 0
    for match in re.finditer(r"\x1b\[([0-9?;]*)([A-Za-z])|(.)", output, re.DOTALL):
        number, command, character = match.groups()
        if command == "A":
            row = max(0, row - int(number or 1))
        elif command == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
        elif character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif character:
            lines[row] = lines[row].ljust(column)[:column] + character + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def piped(columns: str | None, *args: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    if columns is not None:
        env["COLUMNS"] = columns
    done = subprocess.run(
        [sys.executable, "-m", "tokenkit", *args], stdout=subprocess.PIPE, env=env, check=False
    )
    return done.stdout.decode()


def test_the_bar_and_the_tables_leave_each_other_alone() -> None:
    output = on_a_terminal(100, "run", "mine.toml", "hardware-token", "mine.toml")
    assert "/730" in output  # there was a bar
    seen = [line for line in screen(output) if line]
    wanted = piped("100", "run", "mine.toml", "hardware-token", "mine.toml")
    assert seen == [line.rstrip() for line in wanted.splitlines() if line.strip()]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_mark_step_and_outcome_are_there_on_a_narrow_terminal(columns: int) -> None:
    output = on_a_terminal(columns, "run", "mine.toml")
    lines = screen(output)
    assert max(map(len, lines)) <= columns
    assert any("✓" in line and "600 accepted" in line for line in lines)
    assert any("✗" in line for line in lines)
    words = " ".join(" ".join(lines).split())
    for word in ("resynchronise", "locked", "accepted", "mine.toml:21"):
        assert word in words
    assert ("2026-01-01" in words) == (columns == 80)


def test_columns_is_respected_in_a_pipe() -> None:
    widths = {
        columns: max(map(len, piped(columns, "run", "mine.toml").splitlines()))
        for columns in ("1", "50", "80", None, "0", "wide")
    }
    assert widths["50"] <= 50 < widths["80"] <= 80 < widths[None] <= 110
    assert widths["0"] == widths["wide"] == widths[None]


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "red \x1b[31m, bell \x07, clear \x9b2J"
    record = ScenarioRecord(bad, bad, bad, "", 1, 0.0)
    record.steps.append(StepRecord(1, 2, "assert", bad, 0.0, expected="accepted", notes=[bad]))
    record.steps.append(StepRecord(2, 3, "assert", bad, 0.0, skipped=bad))
    record.steps[0].saw(bad)
    for quiet in (False, True):
        with Watch(console(), quiet) as watch:
            watch.end(record)
    with pytest.raises(SystemExit):
        main(["run", f"{bad}.toml"])
    out, err = capsys.readouterr()
    assert "bell" in out
    assert err.count("bell") == 2
    assert not set("\x1b\x07\x9b") & set(out + err)
