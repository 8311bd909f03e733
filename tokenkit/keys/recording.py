"""Record what this program and the keys it opens say to each other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fido2.hid.base import CtapHidConnection, HidDescriptor

if TYPE_CHECKING:
    from tokenkit.keys.trace.writer import Tap, TraceWriter

_writer: "ContextVar[TraceWriter | None]" = ContextVar("trace writer", default=None)


@contextmanager
def record(
    path: Path | str, *, overwrite: bool = False, now: Callable[[], float] = time.time
) -> Iterator[None]:
    """Record the sessions of all keys that are opened in this context, in the new file ``path``.

    Keys that are merely looked at to find the right one are left out. What the file holds, and
    what happens if it cannot be written, is said at
    :class:`tokenkit.keys.trace.writer.TraceWriter`.
    """
    from tokenkit.keys.trace.writer import TraceWriter

    with TraceWriter(path, overwrite=overwrite, now=now) as writer:
        token = _writer.set(writer)
        try:
            yield
        finally:
            _writer.reset(token)


def tapped(descriptor: HidDescriptor, connection: CtapHidConnection) -> CtapHidConnection:
    """``connection``, recorded if there is a recording."""
    writer = _writer.get()
    if writer is None:
        return connection
    from tokenkit.keys.trace.descriptors import UsbIdentity

    who = UsbIdentity(
        descriptor.product_name or "unknown key",
        descriptor.serial_number,
        descriptor.vid,
        descriptor.pid,
    )
    return _Tapped(connection, writer.hid(who))


def tapped_card(reader: str, connection: Any) -> Any:
    """pyscard's ``connection`` to a card on ``reader``, recorded if there is a recording."""
    writer = _writer.get()
    if writer is None:
        return connection
    from tokenkit.keys.trace.descriptors import UsbIdentity

    return _TappedCard(connection, writer.card(UsbIdentity(reader)))


class _Tapped(CtapHidConnection):
    def __init__(self, connection: CtapHidConnection, tap: "Tap") -> None:
        self._connection = connection
        self._tap = tap

    def write_packet(self, data: bytes) -> None:
        self._tap(True, data)
        self._connection.write_packet(data)

    def read_packet(self) -> bytes:
        data = self._connection.read_packet()
        self._tap(False, data)
        return data

    def close(self) -> None:
        self._connection.close()


class _TappedCard:
    """pyscard's CardConnection, of which python-fido2 uses ``transmit`` for APDUs."""

    def __init__(self, connection: Any, tap: "Tap") -> None:
        self._connection = connection
        self._tap = tap

    def transmit(self, apdu: list[int], protocol: int | None = None) -> tuple[list[int], int, int]:
        self._tap(True, bytes(apdu))
        data, sw1, sw2 = self._connection.transmit(apdu, protocol)
        self._tap(False, bytes((*data, sw1, sw2)))
        return data, sw1, sw2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
