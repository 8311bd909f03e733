"""The person beside a physical key."""

import builtins

import pytest

from tokenkit.scenario.outcomes import SkippedError
from tokenkit.scenario.person import Person


def test_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Person().tell("")
    Person().tell("touch it")
    assert tuple(capsys.readouterr()) == ("", "touch it\n")


def test_is_waited_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [""]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(builtins, "input", answers.pop)
    Person().ask("Pull it out, then press Enter")
    assert answers == []
    assert tuple(capsys.readouterr()) == ("", "Pull it out, then press Enter ")


def test_is_not_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(SkippedError, match="a person"):
        Person().ask("Pull it out, then press Enter")
