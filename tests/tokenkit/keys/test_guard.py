import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys import OpenKey, RefusedError, confirm_destructive, open_key
from tokenkit.keys.guard import StandardTerminal


class FakeTerminal:
    """A person who gives ``answer``, None for end of input; nobody if not interactive."""

    def __init__(self, answer: str | None = None, interactive: bool = True) -> None:
        self.answer = answer
        self.interactive = interactive
        self.questions: list[str] = []

    def is_interactive(self) -> bool:
        return self.interactive

    def ask(self, question: str) -> str:
        self.questions.append(question)
        if self.answer is None:
            raise EOFError
        return self.answer


NOBODY = FakeTerminal(interactive=False)


def physical_key(serial_number: str | None = "42") -> OpenKey:
    with open_key("virtual:reference?seed=1") as key:
        return OpenKey(key.device, "hid:/dev/hidraw3", "Some Key", serial_number)


@pytest.fixture
def key() -> OpenKey:
    return physical_key()


def test_a_virtual_key_needs_no_care() -> None:
    with open_key("virtual:reference") as key:
        confirm_destructive(key, "erase everything", terminal=NOBODY)
        assert NOBODY.questions == []


@pytest.mark.parametrize("answer", ["yes", " YES \n"])
def test_a_person_is_asked_and_told_which_key(key: OpenKey, answer: str) -> None:
    terminal = FakeTerminal(answer)
    confirm_destructive(key, "erase everything", terminal=terminal)
    [question] = terminal.questions
    for fact in ("erase everything", "Some Key", "42", "hid:/dev/hidraw3"):
        assert fact in question


@pytest.mark.parametrize("answer", ["", "y", "no", "yes please", None])
def test_anything_but_yes_refuses(key: OpenKey, answer: str | None) -> None:
    with pytest.raises(RefusedError, match="not confirmed"):
        confirm_destructive(key, "erase everything", terminal=FakeTerminal(answer))


def test_without_a_terminal_the_way_out_is_named(key: OpenKey) -> None:
    with pytest.raises(RefusedError, match="--yes --serial 42"):
        confirm_destructive(key, "erase everything", terminal=NOBODY)


def test_yes_and_the_serial_number_pass_without_asking(key: OpenKey) -> None:
    terminal = FakeTerminal("no")
    confirm_destructive(key, "erase everything", yes=True, serial="42", terminal=terminal)
    assert terminal.questions == []


def test_yes_alone_names_no_key(key: OpenKey) -> None:
    with pytest.raises(RefusedError, match="--yes --serial 42"):
        confirm_destructive(key, "erase", yes=True, terminal=FakeTerminal("yes"))


def test_a_key_without_a_serial_number_needs_a_person() -> None:
    key = physical_key(None)
    with pytest.raises(RefusedError, match="no serial number"):
        confirm_destructive(key, "erase", terminal=NOBODY)
    with pytest.raises(RefusedError, match="not this key"):
        confirm_destructive(key, "erase", yes=True, serial="None", terminal=NOBODY)
    terminal = FakeTerminal("yes")
    confirm_destructive(key, "erase", terminal=terminal)
    assert len(terminal.questions) == 1


@given(serial=st.text().filter(lambda text: text != "42"), yes=st.booleans())
def test_another_serial_number_never_passes(serial: str, yes: bool) -> None:
    terminal = FakeTerminal("yes")
    with pytest.raises(RefusedError, match="not this key"):
        confirm_destructive(physical_key(), "erase", yes, serial, terminal)
    assert terminal.questions == []


def test_the_standard_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda: "yes")
    terminal = StandardTerminal()
    assert not terminal.is_interactive()
    assert terminal.ask("sure? ") == "yes"
    assert capsys.readouterr().err == "sure? "
