"""Serve keys at a port until told to stop."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
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
    What passes on the wire goes into the new file ``trace``.
    """

    def __init__(
        self, selectors: Sequence[Selector], port: "str | Port", trace: Path | None = None
    ) -> None:
        self._selectors = selectors
        self._trace_file = trace
        self._trace: TraceWriter | None = None
        try:
            self._port = virtual.make_port(port) if isinstance(port, str) else port
        except virtual.PortError as error:
            raise ServeError(str(error)) from None
        self._leaving = AsyncExitStack()
        self.keys: list[ServedKey] = []

    async def __aenter__(self) -> "Server":
        async with AsyncExitStack() as stack:
            try:
                await self._enter(stack)
            except OSError as error:
                raise ServeError(str(error)) from error
            self._leaving = stack.pop_all()
        return self

    async def _enter(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._port.close)
        await self._port.open()
        self._make(stack)
        if self._trace_file is not None:
            self._trace = stack.enter_context(TraceWriter(self._trace_file))
            # what records nothing is in the way of the next try
            forget = stack.enter_context(ExitStack())
            forget.callback(self._trace_file.unlink, missing_ok=True)
        for key in self.keys:
            await key.plug()
        if self._trace is not None:
            forget.pop_all()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leaving.__aexit__(kind, error, trace)

    def find(self, serial_number: str | None) -> ServedKey:
        """The key with this serial number; the only one where it is None. TokenkitError else."""
        fitting = [
            key for key in self.keys if serial_number is None or key.is_called(serial_number)
        ]
        if len(fitting) == 1:
            return fitting[0]
        there = ", ".join(key.serial_number for key in self.keys)
        if serial_number is None:
            raise TokenkitError(f"several keys are served; say which by its serial number: {there}")
        raise TokenkitError(f"no key with serial number {serial_number} is served; there: {there}")

    def _make(self, stack: AsyncExitStack) -> None:
        # keys of one seed are different keys: the first of a world, the second, …
        worlds: dict[str | None, virtual.World] = {}
        clock = virtual.SystemClock()
        for selector in self._selectors:
            seed = selector.seed
            world = worlds.setdefault(seed, virtual.World(seed, clock=clock))
            key, state = virtual_key(selector, world)
            served = ServedKey(key, self._port, self._tap, state)
            stack.push_async_callback(served.close)
            if any(served.is_called(each.serial_number) for each in self.keys):
                raise ServeError(
                    f"{selector}: its serial number {key.serial_number} is another key's here:"
                    " tokenkit keys virtual clone makes a copy with one of its own"
                )
            self.keys.append(served)

    def _tap(self, key: virtual.SecurityKey) -> "Tap | None":
        """What is told of all that passes once ``key`` is plugged in."""
        if self._trace is None:
            return None
        record = self._trace.card if self._port.apdus else self._trace.hid
        return record(UsbIdentity.of(key))
