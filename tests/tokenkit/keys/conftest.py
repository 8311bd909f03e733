"""Keys that stand in for physical ones: virtual ones behind python-fido2's own functions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fido2.hid
import pytest
from fido2.hid.base import CtapHidConnection, HidDescriptor

from tokenkit import virtual
from tokenkit.keys import hid

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
