"""``tokenkit doctor``."""

import json

import pytest
from click.testing import CliRunner

from tokenkit.cli import root
from tokenkit.doctor import CHECKS, Finding

GOOD, BAD = Finding("this", True, "there"), Finding("that", False, "missing", "make it")


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, "keys", ("keys", lambda system: iter([GOOD])))
    monkeypatch.setitem(CHECKS, "vm", ("a kernel", lambda system: iter([GOOD, BAD])))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(root, ["doctor", *arguments])
    return done.exit_code, done.output


@pytest.mark.usefixtures("checks")
def test_a_way_that_lacks_something_ends_with_1() -> None:
    assert run("keys")[0] == 0
    status, output = run("keys", "vm")
    assert status == 1
    assert "make it" in output


@pytest.mark.usefixtures("checks")
def test_all_ways_are_shown_and_none_is_demanded() -> None:
    status, output = run()
    assert status == 0
    assert all(way in output for way in CHECKS)


@pytest.mark.usefixtures("checks")
def test_json() -> None:
    status, output = run("vm", "--json")
    assert status == 1
    expected = {"subject": "that", "good": False, "found": "missing", "mend": "make it"}
    assert json.loads(output)["vm"][1] == expected


def test_help_names_each_way() -> None:
    status, output = run("--help")
    assert status == 0
    assert all(f"  {way} " in output for way in CHECKS)


def test_an_unknown_way() -> None:
    status, output = run("usb")
    assert status == 2
    assert "there are: keys, uhid" in output
