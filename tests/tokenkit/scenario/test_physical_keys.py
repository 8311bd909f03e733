"""Physical keys in scenarios: the driver layer meets them on a fake USB bus."""

import sys
from collections.abc import Callable
from types import ModuleType

import fido2.hid
import pytest
from fido2.ctap import CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin
from fido2.hid.base import CtapHidConnection, HidDescriptor

from tokenkit.errors import TokenkitError
from tokenkit.keys import hid, pcsc
from tokenkit.scenario import ScenarioRecord, parse, run
from tokenkit.scenario.person import Person
from tokenkit.scenario.physical import confirm_keys
from tokenkit.virtual import SecurityKey, TouchAfter, World, connect

MAKE = """
[[step]]
do = "make-key"
device = "key"
"""


def step(do: str, **values: object) -> str:
    keys = "".join(
        f"{key} = {value if isinstance(value, int) else repr(value)}\n"
        for key, value in {"device": "key", **values}.items()
    )
    return f'[[step]]\ndo = "{do}"\n{keys}'


START = MAKE + step("register")
OTHER = step("make-key", device="other")


class Connection(CtapHidConnection):
    """An open hidraw file that is known to its bus while it is open."""

    def __init__(self, bus: "Bus", key: SecurityKey) -> None:
        self._inner: CtapHidConnection = connect(key)._connection
        self._opened, self._sent = bus.open, bus.sent
        bus.open.append(self)

    def write_packet(self, data: bytes) -> None:
        self._sent.append(data)
        self._inner.write_packet(data)

    def read_packet(self) -> bytes:
        return self._inner.read_packet()

    def close(self) -> None:
        self._opened.remove(self)
        self._inner.close()


class Bus:
    """USB: ``open`` holds the connections that nobody has closed yet, ``sent`` the reports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: dict[str, SecurityKey] = {}
        self.open: list[CtapHidConnection] = []
        self.sent: list[bytes] = []
        self._world = World(seed=7)
        monkeypatch.setattr(fido2.hid, "list_descriptors", self._list)
        monkeypatch.setattr(
            fido2.hid, "open_connection", lambda d: Connection(self, self.keys[d.path])
        )
        monkeypatch.setattr(hid, "locked_keys", list)
        monkeypatch.setattr(pcsc, "find", lambda: ([], None))

    def add(self, path: str = "/dev/hidraw3", profile: str = "reference") -> SecurityKey:
        finger = TouchAfter(1)  # time enough to blink
        self.keys[path] = self._world.security_key(profile, name=path, finger=finger)
        return self.keys[path]

    def infos(self) -> int:
        """How often a key was asked for getInfo."""
        return sum(report[4] == 0x90 and report[7] == 0x04 for report in self.sent)

    def _list(self) -> list[HidDescriptor]:
        return [
            HidDescriptor(path, 1, 2, 64, 64, "A Key", key.serial_number)
            for path, key in self.keys.items()
            if key.powered
        ]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    return Bus(monkeypatch)


class Helper(Person):
    """A person who does what ``act`` does with each thing said."""

    def __init__(self, act: Callable[[str], object] = lambda text: None) -> None:
        self.said: list[str] = []
        self._act = act

    def tell(self, text: str) -> None:
        if text:
            self.ask(text)

    def ask(self, text: str) -> None:
        self.said.append(text)
        self._act(text)


def play(steps: str, *keys: str, person: Person | None = None) -> ScenarioRecord:
    return run(parse(f'title = "test"\n{steps}', "test.toml"), keys=keys, person=person or Helper())


@pytest.mark.parametrize("rest", ["", step("assert", expect="cloned"), step("plug-in")])
def test_a_key_is_closed_when_the_scenario_ends(bus: Bus, rest: str) -> None:
    bus.add()
    play(START + rest, "auto")
    assert bus.open == []
    assert bus.keys["/dev/hidraw3"].powered


def test_a_key_is_closed_when_the_scenario_breaks_off(bus: Bus) -> None:
    key = bus.add()

    def stop(text: str) -> None:
        key.power_off()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(START + step("power-cycle"), "auto", person=Helper(stop))
    assert bus.open == []


def confirm(bus: Bus, *keys: str, steps: str = START) -> None:
    """Ask the guard, as ``tokenkit run`` does with --yes and the --serial of all keys."""
    serials = [key.serial_number for key in bus.keys.values()]
    confirm_keys(keys, [parse(f'title = "test"\n{steps}', "test.toml")], True, serials)


def pin_tries(key: SecurityKey) -> int:
    return ClientPin(Ctap2(connect(key))).get_pin_retries()[0]


ENTERS_PIN = [
    MAKE + step("register", pin="0000", expect="wrong-pin"),
    START + step("assert", pin="0000", expect="wrong-pin"),
    MAKE + step("set-pin", pin="0000", expect="pin-already-set"),
    OTHER + MAKE + step("register", pin="0000"),
]


@pytest.mark.parametrize("steps", ENTERS_PIN)
def test_no_pin_is_tried_on_a_key_that_has_its_own(bus: Bus, steps: str) -> None:
    key = bus.add()
    keys = ("virtual:reference", "auto") if OTHER in steps else ("auto",)
    confirm(bus, *keys, steps=steps)
    ClientPin(Ctap2(connect(key))).set_pin("4321")
    with pytest.raises(TokenkitError, match="has a PIN") as caught:
        confirm(bus, *keys, steps=steps)
    assert key.serial_number in str(caught.value)
    assert "use a key without one" in str(caught.value)
    assert pin_tries(key) == 8


def test_a_key_with_a_pin_may_play_where_no_pin_is_entered_on_it(bus: Bus) -> None:
    key = bus.add()
    ClientPin(Ctap2(connect(key))).set_pin("4321")
    confirm(bus, "auto", steps=START + step("assert"))
    confirm(bus, "auto", steps=MAKE + OTHER + step("register", device="other", pin="0000"))


def test_a_key_pulled_out_while_it_blinks_is_asked_for_only_to_come_back(bus: Bus) -> None:
    key = bus.add()

    def act(text: str) -> None:
        if "pull it out" in text:
            key.power_off()
        if "Plug" in text:
            key.power_on()

    person = Helper(act)
    record = play(
        START
        + step("assert", touch="unplug", expect="unplugged")
        + step("unplug")
        + step("assert", expect="unplugged")
        + step("plug-in")
        + step("assert"),
        "auto",
        person=person,
    )
    assert [made.skipped for made in record.steps] == [None] * len(record.steps)
    assert record.held
    assert [text for text in person.said if "touch it" not in text] == [
        "key blinks: pull it out",
        "Plug key in again, then press Enter",
    ]
    assert bus.open == []


class CardError(Exception):
    """As pyscard's errors, this is no OSError."""


@pytest.fixture
def pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pyscard's exceptions."""
    for name, members in {
        "smartcard": {},
        "smartcard.Exceptions": {"SmartcardException": CardError},
        "smartcard.pcsc": {},
        "smartcard.pcsc.PCSCExceptions": {"BaseSCardException": CardError},
    }.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("error", [OSError("no such device"), CardError("no such device")])
@pytest.mark.usefixtures("pyscard")
def test_a_key_that_went_between_steps_is_unplugged(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bus.add()

    def fail(connection: Connection, data: bytes) -> None:
        raise error

    # registering has been sent when the key blinks; the next thing sent fails
    person = Helper(lambda text: monkeypatch.setattr(Connection, "write_packet", fail))
    record = play(START + step("assert", expect="unplugged"), "auto", person=person)
    assert record.held
    assert record.steps[-1].notes == ["no such device"]
    assert person.said == ["key blinks: touch it"]


SEED = "virtual:reference?seed=4"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("auto", "auto"),
        ("auto", "hid:/dev/hidraw3"),
        ("hid:/dev/hidraw3", "serial:VIRTUAL-0613821578"),
        (SEED, SEED),
        (SEED, "virtual:self-attested?seed=4"),  # same seed, same secrets
        ("virtual:reference", "virtual:reference"),
    ],
)
def test_one_key_does_not_play_two_parts(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    bus.add()
    asked: list[object] = []
    monkeypatch.setattr("tokenkit.scenario.physical.confirm_destructive", asked.append)
    with pytest.raises(TokenkitError) as caught:
        confirm(bus, first, second, steps=START + OTHER)
    assert f"--key {first}" in str(caught.value)
    assert f"--key {second}" in str(caught.value)
    assert asked == []
    assert bus.open == []


def test_different_keys_play_different_parts(bus: Bus) -> None:
    bus.add("/dev/hidraw3")
    bus.add("/dev/hidraw4")
    parts = START + OTHER + OTHER.replace("other", "third") + OTHER.replace("other", "fourth")
    keys = ("hid:/dev/hidraw3", "hid:/dev/hidraw4", SEED, "virtual:reference")
    confirm(bus, *keys, steps=parts)


def infos(bus: Bus, steps: str) -> int:
    """How many getInfos ``steps`` cost beyond those of registering."""
    counts = []
    for each in (START, START + steps):
        bus.sent.clear()
        assert play(each, "auto").held
        counts.append(bus.infos())
    return counts[1] - counts[0]


def test_one_client_makes_all_the_attempts_of_a_step(bus: Bus) -> None:
    bus.add()
    later = {"touch": "5 s"}  # not the client of registering
    once = infos(bus, step("assert", **later))
    assert infos(bus, step("assert", times=10, **later)) == 10 * (once - 1) + 1


def test_a_new_client_where_something_changed(bus: Bus) -> None:
    bus.add()
    once = infos(bus, step("assert", touch="5 s"))
    both = step("assert", touch="5 s") + step("assert", touch="6 s")
    assert infos(bus, both) == 2 * once
    virtual = play(
        START
        + step("assert", touch="unplug", times=2, expect="unplugged")
        + step("plug-in")
        + step("assert", touch="unplug", expect="unplugged")
        + step("plug-in")
        + step("assert", times=2)
        + step("power-cycle")
        + step("assert", times=2)
    )
    assert virtual.held


def test_a_client_that_took_the_key_for_an_old_one_is_not_kept(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-fido2 falls back to U2F where getInfo fails: for one attempt, not for all."""
    bus.add(profile="self-attested")  # which has none
    real, failures = Ctap2.get_info, [CtapError(CtapError.ERR.OTHER)]

    def get_info(ctap: Ctap2) -> object:
        if failures:
            raise failures.pop()
        return real(ctap)

    person = Helper(lambda text: monkeypatch.setattr(Ctap2, "get_info", get_info))
    record = play(START + step("assert", touch="5 s", times=3), "auto", person=person)
    assert dict(record.steps[-1].outcomes) == {"not-registered": 1, "accepted": 2}
