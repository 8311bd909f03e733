"""Code that may count otherwise has another fingerprint, and no other code has."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tokenkit.fleet.fingerprint import digest, fingerprint


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A package with code, data, a report and a study."""
    for name in ("kernel.py", "peers.toml", "report/page.py", "shipped/mine.toml", "notes.txt"):
        path = tmp_path / "fleet" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"one = 1\ntwo = 2\n")
    return tmp_path / "fleet"


@pytest.mark.parametrize("name", ["kernel.py", "peers.toml"])
def test_code_and_rules_count(part: Path, name: str) -> None:
    before = digest([part])
    (part / name).write_bytes(b"one = 1\ntwo = 3\n")
    assert digest([part]) != before


def test_a_name_counts(part: Path) -> None:
    before = digest([part])
    (part / "kernel.py").rename(part / "colonel.py")
    assert digest([part]) != before


@pytest.mark.parametrize("name", ["report/page.py", "shipped/mine.toml", "notes.txt"])
def test_the_rest_does_not(part: Path, name: str) -> None:
    before = digest([part])
    (part / name).write_bytes(b"")
    assert digest([part]) == before


def test_line_ends_do_not(part: Path) -> None:
    before = digest([part])
    (part / "kernel.py").write_bytes(b"one = 1\r\ntwo = 2\r\n")
    assert digest([part]) == before


def test_it_is_the_same_in_every_process() -> None:
    assert re.fullmatch(r"tokenkit \d+\.\d+\.\d+, source [0-9a-f]{12}", fingerprint())
    program = "from tokenkit.fleet.fingerprint import fingerprint; print(fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert done.stdout == f"{fingerprint()}\n"
