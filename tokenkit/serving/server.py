"""Serve keys at a port until told to stop."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from tokenkit import virtual
from tokenkit.errors import TokenkitError
from tokenkit.keys.discovery import virtual_key
from tokenkit.keys.selector import Selector
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.serving.served_key import ServedKey

if TYPE_CHECKING:
    from tokenkit.virtual import Port, Tap


class ServeError(TokenkitError):
    """Keys that cannot be served as asked."""


class Server:
    """The keys that ``selectors`` mean, at one port, or its name; an async context manager.

    On entering all are plugged in, or none; on leaving they are pulled out and their files are
    free. ServeError if the port cannot be had, the errors of ``open_key`` for a wrong selector.
    What passes on the wire goes into ``trace``, which is closed at the end.
    """

    def __init__(
        self, selectors: Sequence[Selector], port: "str | Port", trace: TraceWriter | None = None
    ) -> None:
        self._selectors = selectors
        self._trace = trace
        try:
            self._port = virtual.make_port(port) if isinstance(port, str) else port
        except virtual.PortError as error:
            raise ServeError(str(error)) from None
        self.keys: list[ServedKey] = []

    async def __aenter__(self) -> "Server":
        try:
            await self._port.open()
            self._make()
            for key in self.keys:
                await key.plug()
        except OSError as error:
            await self._close()
            raise ServeError(str(error)) from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    def find(self, serial_number: str | None) -> ServedKey:
        """The key with this serial number; the only one where it is None. TokenkitError else."""
        fitting = [key for key in self.keys if serial_number in (None, key.serial_number)]
        if len(fitting) == 1:
            return fitting[0]
        there = ", ".join(key.serial_number for key in self.keys)
        if serial_number is None:
            raise TokenkitError(f"several keys are served; say which by its serial number: {there}")
        raise TokenkitError(f"no key with serial number {serial_number} is served; there: {there}")

    def _make(self) -> None:
        # keys of one seed are different keys: the first of a world, the second, …
        worlds: dict[str | None, virtual.World] = {}
        clock = virtual.SystemClock()
        for selector in self._selectors:
            seed = selector.seed
            world = worlds.setdefault(seed, virtual.World(seed, clock=clock))
            key, state = virtual_key(selector, world)
            self.keys.append(ServedKey(key, self._port, self._tap, state))

    def _tap(self, key: virtual.SecurityKey) -> "Tap | None":
        """What is told of all that passes once ``key`` is plugged in."""
        if self._trace is None:
            return None
        record = self._trace.card if self._port.apdus else self._trace.hid
        return record(UsbIdentity.of(key))

    async def _close(self) -> None:
        for key in self.keys:
            await key.close()
        await self._port.close()
        if self._trace is not None:
            self._trace.close()
