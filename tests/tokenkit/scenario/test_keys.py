"""Security keys in scenarios: fingers, PINs, plugs, clones; virtual ones and physical ones."""

from collections.abc import Callable
from typing import Any

import pytest
from fido2.hid import CTAPHID, ConnectionFailure, CtapHidDevice

from tokenkit.errors import TokenkitError
from tokenkit.keys import OpenKey, RefusedError
from tokenkit.scenario import ScenarioRecord, load, parse, run
from tokenkit.scenario.person import Person
from tokenkit.scenario.physical import confirm_keys
from tokenkit.virtual import SecurityKey, World, connect

START = """
[[step]]
do = "make-key"
device = "key"
[[step]]
do = "register"
device = "key"
"""


def play(steps: str, keys: tuple[str, ...] = (), person: Person | None = None) -> ScenarioRecord:
    return run(parse(f'title = "test"\n{steps}', "test.toml"), keys=keys, person=person)


def step(do: str, **values: object) -> str:
    keys = "".join(
        f"{key} = {value if isinstance(value, int) else repr(value)}\n"
        for key, value in {"device": "key", **values}.items()
    )
    return f'[[step]]\ndo = "{do}"\n{keys}'


@pytest.mark.parametrize(
    ("touch", "outcome", "takes_s"),
    [
        ("at once", "accepted", 0),
        ("5 s", "accepted", 5),
        ("never", "timeout", 30),
        ("refuse", "touch-refused", 0),
        ("unplug", "unplugged", 1),
    ],
)
def test_the_finger(touch: str, outcome: str, takes_s: float) -> None:
    record = play(START + step("assert", touch=touch, expect="rejected"))
    made = record.steps[-1]
    assert dict(made.outcomes) == {outcome: 1}
    assert made.end_s - made.start_s == pytest.approx(takes_s, abs=0.1)


def test_a_key_that_is_pulled_out_does_nothing_until_it_is_plugged_in() -> None:
    record = play(
        START
        + step("unplug")
        + step("unplug")
        + step("assert", expect="unplugged")
        + step("set-pin", pin="1234", expect="unplugged")
        + step("plug-in")
        + step("plug-in")
        + step("assert")
    )
    assert record.held


def test_a_refused_registration_leaves_no_device() -> None:
    refused = START + 'touch = "refuse"\nexpect = "touch-refused"\n'
    assert play(refused + '[[step]]\ndo = "expect-devices"\ndevices = []\n').held


def test_pins() -> None:
    record = play(
        START
        + step("assert", pin="1234", expect="unsupported")
        + step("set-pin", pin="12", expect="pin-policy")
        + step("set-pin", pin="1234")
        + step("set-pin", pin="9999", expect="pin-already-set")
        + step("assert", pin="1234")
        + step("assert")
    )
    assert record.held, [(made.text, made.outcomes, made.notes) for made in record.steps]


def test_eight_wrong_pins_block_the_key_for_good() -> None:
    cycle = step("power-cycle")
    record = play(
        START
        + step("set-pin", pin="1234")
        + step("assert", pin="0000", times=2, expect="wrong-pin")
        + step("assert", pin="0000", expect="pin-auth-blocked")
        + cycle
        + step("assert", pin="0000", times=2, expect="wrong-pin")
        + step("assert", pin="0000", expect="pin-auth-blocked")
        + cycle
        + step("assert", pin="0000", expect="wrong-pin")
        + step("assert", pin="0000", expect="pin-blocked")
        + cycle
        + step("assert", pin="1234", expect="pin-blocked")
        + step("assert")
    )
    assert record.held, [(made.text, made.outcomes) for made in record.steps]


def test_a_selected_virtual_key_plays_the_first_key() -> None:
    record = run(load("security-key"), keys=["virtual:self-attested"])
    assert record.held
    assert record.steps[0].notes[0].startswith("played by tokenkit self-attested key")
    assert not any(made.skipped for made in record.steps)


class Helper(Person):
    """A person who does what is asked."""

    def __init__(self, act: Callable[[str], None]) -> None:
        self.said: list[str] = []
        self._act = act

    def tell(self, text: str) -> None:
        self.said += [text] if text else []

    def ask(self, text: str) -> None:
        self.said.append(text)
        self._act(text)


class Physical:
    """A key of which the host knows no more than of one in a drawer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pin: str | None = None) -> None:
        self.key: SecurityKey = World(seed=7).security_key(name="physical")
        for module in ("steps.plug", "key_device", "physical"):
            monkeypatch.setattr(f"tokenkit.scenario.{module}.open_key", self.open)
        if pin is not None:
            from fido2.ctap2.base import Ctap2
            from fido2.ctap2.pin import ClientPin

            ClientPin(Ctap2(connect(self.key))).set_pin(pin)

    def open(self, selector: str, world: World | None = None) -> OpenKey:
        if selector.startswith("virtual"):
            return OpenKey(connect(self.key), selector, "virtual", "1", self.key)
        return OpenKey(connect(self.key), selector, "a physical key", "4711")


def test_a_person_moves_a_physical_key(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = Physical(monkeypatch)

    def act(text: str) -> None:
        (physical.key.power_off if "out" in text else physical.key.power_on)()

    person = Helper(act)
    record = play(
        START
        + step("power-cycle")
        + step("assert")
        + step("assert", touch="refuse")
        + step("assert", touch="5 s")
        + step("clone-key", clone="copy"),
        keys=("hid:somewhere",),
        person=person,
    )
    assert record.held
    assert [made.skipped for made in record.steps] == [
        None,
        None,
        None,
        None,
        "a physical key cannot be told no, only be left untouched",
        None,
        "a physical key's storage cannot be copied",
    ]
    assert person.said == [
        "Pull key out, then press Enter",
        "Plug key in again, then press Enter",
    ]


def test_what_needs_a_person_is_skipped_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Physical(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    record = play(START + step("power-cycle") + step("assert"), keys=("hid:somewhere",))
    assert record.steps[-2].skipped == "this needs a person at a terminal"
    assert record.held


def test_steps_with_a_clone_that_could_not_be_made_are_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Physical(monkeypatch)
    record = play(
        START + step("clone-key", clone="copy") + '[[step]]\ndo = "assert"\ndevice = "copy"\n',
        keys=("hid:somewhere",),
    )
    assert record.steps[-1].skipped == "there is no 'copy': its step was skipped"


def test_a_physical_key_is_asked_about_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Physical(monkeypatch)
    scenarios = [load("security-key"), load("hardware-token")]
    confirm_keys([], scenarios, False, [])
    confirm_keys(["virtual:reference"], scenarios, False, [])
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(RefusedError, match="--yes --serial 4711"):
        confirm_keys(["hid:somewhere"], scenarios, False, [])
    with pytest.raises(RefusedError, match="is not this key"):
        confirm_keys(["hid:somewhere"], scenarios, True, ["4712"])
    confirm_keys(["hid:somewhere"], scenarios, True, ["4712", "4711"])


def test_keys_nobody_plays_with_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Physical(monkeypatch)
    with pytest.raises(TokenkitError, match="no security key appears"):
        confirm_keys(["virtual:reference"], [load("hardware-token")], False, [])
    with pytest.raises(TokenkitError, match="have only 2 keys"):
        confirm_keys(["virtual:reference"] * 3, [load("security-key")], False, [])


def test_a_key_with_a_pin_is_not_given_another(monkeypatch: pytest.MonkeyPatch) -> None:
    Physical(monkeypatch, pin="4321")
    with pytest.raises(TokenkitError, match="use a key without one"):
        confirm_keys(["hid:a", "hid:b"], [load("security-key")], True, ["4711"])


def test_a_wire_that_makes_no_sense_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    real = CtapHidDevice.call

    def garbled(self: CtapHidDevice, command: int, *args: Any, **options: Any) -> bytes:
        if command == CTAPHID.CBOR:
            raise ConnectionFailure("Wrong channel")
        return real(self, command, *args, **options)

    monkeypatch.setattr(CtapHidDevice, "call", garbled)
    text = '[[step]]\ndo = "make-key"\ndevice = "key"\n' + step("register", expect="key-error")
    record = play(text)
    assert record.held
    assert record.steps[-1].notes == ["Wrong channel"]
