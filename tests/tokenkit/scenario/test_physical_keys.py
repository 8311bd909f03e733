"""Physical keys in scenarios: the driver layer meets them on a fake USB bus."""

from collections.abc import Callable

import fido2.hid
import pytest
from fido2.hid.base import CtapHidConnection, HidDescriptor

from tokenkit.keys import hid, pcsc
from tokenkit.scenario import ScenarioRecord, parse, run
from tokenkit.scenario.person import Person
from tokenkit.virtual import SecurityKey, World, connect

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


class Connection(CtapHidConnection):
    """An open hidraw file that is known to its bus while it is open."""

    def __init__(self, key: SecurityKey, opened: list[CtapHidConnection]) -> None:
        self._inner: CtapHidConnection = connect(key)._connection
        self._opened = opened
        opened.append(self)

    def write_packet(self, data: bytes) -> None:
        self._inner.write_packet(data)

    def read_packet(self) -> bytes:
        return self._inner.read_packet()

    def close(self) -> None:
        self._opened.remove(self)
        self._inner.close()


class Bus:
    """USB: ``open`` holds the connections that nobody has closed yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: dict[str, SecurityKey] = {}
        self.open: list[CtapHidConnection] = []
        self._world = World(seed=7)
        monkeypatch.setattr(fido2.hid, "list_descriptors", self._list)
        monkeypatch.setattr(
            fido2.hid, "open_connection", lambda d: Connection(self.keys[d.path], self.open)
        )
        monkeypatch.setattr(hid, "locked_keys", list)
        monkeypatch.setattr(pcsc, "find", lambda: ([], None))

    def add(self, path: str = "/dev/hidraw3") -> SecurityKey:
        self.keys[path] = self._world.security_key(name=path)
        return self.keys[path]

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
