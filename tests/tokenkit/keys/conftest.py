"""Keys that stand in for physical ones: virtual ones behind python-fido2's own functions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fido2.hid
import pytest
from fido2 import cbor
from fido2.ctap import CtapDevice
from fido2.hid import CTAPHID, CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

from firmware_sim.profiles import parse_profile
from tokenkit import virtual
from tokenkit.keys import OpenKey, hid
from tokenkit.keys.pin import set_pin

PLAIN = """
summary = "A key that has nothing"
source = "made up"
manufacturer = "tokenkit"
product_name = "plain key"
vendor_id = 0x1209
product_id = 0x0001
device_version = [0, 1, 0]
touch_timeout_s = 30.0
"""
Rig = Callable[..., None]


@pytest.fixture(autouse=True)
def no_real_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is plugged into the machine that runs the tests must not matter."""
    monkeypatch.setattr(fido2.hid, "list_descriptors", list)
    monkeypatch.setattr(hid, "locked_keys", list)


class Physical:
    """A fake USB bus: the driver layer cannot tell its keys from real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.world = virtual.World(seed=1)
        self.descriptors: list[HidDescriptor] = []
        self.connections: dict[str, Callable[[], CtapHidConnection]] = {}
        monkeypatch.setattr(fido2.hid, "list_descriptors", lambda: list(self.descriptors))
        monkeypatch.setattr(fido2.hid, "open_connection", lambda d: self.connections[str(d.path)]())

    def add(self, path: str, **changes: Any) -> virtual.SecurityKey:
        """A working key at ``path``; ``changes`` are to its HID descriptor."""
        key = self.world.security_key(name=path)
        device = virtual.connect(key)
        self.descriptors.append(replace(device.descriptor, path=path, **changes))
        connection = type(device._connection)
        self.connections[path] = lambda: connection(key)
        return key

    def add_broken(self, path: str, error: Exception) -> None:
        """A key that raises ``error`` when opened."""
        self.add(path)

        def fail() -> CtapHidConnection:
            raise error

        self.connections[path] = fail

    def add_connection(self, path: str, connection: CtapHidConnection, **changes: Any) -> None:
        """A key that speaks through ``connection``."""
        self.add(path, **changes)
        self.connections[path] = lambda: connection


@pytest.fixture
def physical(monkeypatch: pytest.MonkeyPatch) -> Physical:
    return Physical(monkeypatch)


class Altered(CtapDevice):
    """A key between the host and a virtual one: ``answers`` are by the request's first bytes.

    Each is the whole response, or makes it of the request; all else goes to the virtual key.
    """

    def __init__(self, device: CtapHidDevice) -> None:
        self._device = device
        self.answers: dict[bytes, bytes | Callable[[bytes], bytes]] = {}

    @property
    def capabilities(self) -> int:
        return self._device.capabilities

    def call(self, cmd: int, data: bytes = b"", *args: Any, **options: Any) -> bytes:
        for start, answer in self.answers.items():
            if cmd == CTAPHID.CBOR and data.startswith(start):
                return answer(data) if callable(answer) else answer
        return self._device.call(cmd, data, *args, **options)

    def change_info(self, members: dict[int, Any] | None = None, **options: bool | None) -> None:
        """Change getInfo's ``members`` and ``options``; None takes one away."""

        def given(values: dict[Any, Any]) -> dict[Any, Any]:
            return {name: value for name, value in values.items() if value is not None}

        def answer(request: bytes) -> bytes:
            info: dict[int, Any] = dict(cbor.decode(self._device.call(0x10, request)[1:]))
            info |= {4: given(info[4] | options)} | (members or {})
            return b"\0" + cbor.encode(given(info))

        self.answers[b"\x04"] = answer

    @classmethod
    def list_devices(cls) -> Any:
        return iter(())


@pytest.fixture
def world() -> virtual.World:
    return virtual.World(seed=1)


@pytest.fixture
def make_key(world: virtual.World) -> Callable[..., OpenKey]:
    """An open virtual key on the simulated clock of ``world``."""

    def make(
        changes: str = "",
        base: str | None = "reference",
        pin: str | None = None,
        finger: virtual.Finger | None = None,
    ) -> OpenKey:
        """``changes`` are TOML over the profile ``base``, or over a key that has nothing."""
        start = PLAIN if base is None else f'base = "{base}"'
        profile = parse_profile("mine", f"{start}\n{changes}")
        key = world.security_key(profile, finger=finger)
        opened = OpenKey.of(virtual.connect(key), "hid:/dev/hidraw3", profile.product_name, key)
        if pin is not None:
            set_pin(opened, pin)
        return opened

    return make


@pytest.fixture
def alter() -> Callable[[OpenKey], Altered]:
    """Put an :class:`Altered` between the key and its device."""

    def alter(key: OpenKey) -> Altered:
        altered = Altered(key.device)
        key.device = altered
        return altered

    return alter
