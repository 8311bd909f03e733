"""One key that is served: plugged in and pulled out, touched, looked into."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenkit import virtual
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.virtual import Plug, Port, Tap


class ServedKey:
    """A key at a port; all calls from the loop that serves it.

    ``finger`` waits for orders unless it is ``automatic``. ``on_request`` is told of each touch
    that needs an order. ``tap`` makes, at each plugging in, what is told of all that passes.
    """

    def __init__(
        self,
        key: virtual.SecurityKey,
        port: "Port",
        tap: "Callable[[virtual.SecurityKey], Tap | None]" = lambda key: None,
        state: virtual.SqliteFlash | None = None,
    ) -> None:
        self.key = key
        self.finger = virtual.RemoteFinger(self._requested)
        self.on_request: Callable[[ServedKey, str], None] | None = None
        key.finger = self.finger
        self._port = port
        self._tap = tap
        self._state = state
        self._plug: Plug | None = None
        self._asked = asyncio.Event()
        self._moving = asyncio.Lock()  # one hand at a time
        self._touches = 0
        self._before: Counter[str] = Counter()  # counts of earlier plugs

    @property
    def serial_number(self) -> str:
        return self.key.serial_number

    def is_called(self, serial_number: str) -> bool:
        """Whether this is its serial number, or the number in it, which is what YubiKeys tell."""
        mine = self.serial_number
        return serial_number in (mine, mine.rpartition("-")[2].lstrip("0"))

    @property
    def where(self) -> str | None:
        """What a host opens, None while it is unplugged, or has vanished at a power cut."""
        return self._plug.where if self._plug is not None and self._plug.plugged else None

    async def plug(self) -> None:
        """Plug in; a plugged key stays as it is. Where the power was cut, it is there again."""
        async with self._moving:
            if self.where is None:
                await self._pull()
                self._plug = await self._port.plug(self.key, self._tap(self.key))
            elif not self.key.powered:
                self.key.power_again()

    async def unplug(self) -> None:
        """Pull out; twice does nothing."""
        async with self._moving:
            await self._pull()

    async def _pull(self) -> None:
        if self._plug is not None:
            plug, self._plug = self._plug, None
            self._before += plug.counts
            await plug.pull()

    def power(self, on: bool) -> None:
        """Let the key itself die or wake, while the host goes on seeing a device."""
        if self.where is None:
            raise TokenkitError(f"{self.serial_number} is unplugged: plug it in first")
        if on:
            self.key.power_again()
        else:
            self.key.power_off()

    async def touch(self, press: virtual.Press | None, wait_s: float = 0.0) -> str:
        """Touch, or refuse where ``press`` is None; returns what it was asked for.

        Waits ``wait_s`` seconds for the key to ask; TokenkitError if it does not.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while (reason := self.finger.awaited) is None:
            self._asked.clear()
            try:
                await asyncio.wait_for(self._asked.wait(), max(0.0, until_s - loop.time()))
            except TimeoutError:
                raise TokenkitError(f"{self.serial_number} {self._why_not()}") from None
        now_s = self.key.clock.now()
        if press is None:
            self.finger.refuse(now_s)
        else:
            self.finger.press(press, now_s)
        self.poke()
        return reason

    def _why_not(self) -> str:
        if self.where is None:
            return "is unplugged"
        return "waits for no touch" if self.key.powered else "has no power, and waits for no touch"

    def touch_by_itself(self, automatic: bool) -> None:
        """From now on touch at once, also what is awaited already; or wait for orders."""
        self.finger.automatic = automatic
        if automatic and self.finger.press(virtual.Press(), self.key.clock.now()):
            self.poke()

    def poke(self) -> None:
        if self._plug is not None:
            self._plug.poke()

    def snapshot(self, file: Path, overwrite: bool) -> None:
        """Copy the key's state to ``file``; FileExistsError or FlashError as ``snapshot_flash``."""
        virtual.snapshot_flash(self.key.flash, file, overwrite=overwrite)

    def set_faults(self, plan: virtual.FaultPlan | None) -> None:
        """What goes wrong from now on; what an earlier plan held back goes on its way."""
        self.key.faults = plan
        self.poke()

    def facts(self) -> dict[str, Any]:
        """How it is now, ready for JSON."""
        return {
            "serial_number": self.serial_number,
            "profile": self.key.profile.name,
            "name": self.key.profile.product_name,
            "where": self.where,
            "powered": self.key.powered,
            "awaits_touch": self.finger.awaited,
            "touches_by_itself": self.finger.automatic,
        }

    def metrics(self) -> dict[str, Any]:
        """Counts since serving began; ``faults`` by kind, since their plan was set."""
        now = self._before + (Counter() if self._plug is None else self._plug.counts)
        return {
            "from_host": now["in"],
            "to_host": now["out"],
            "touches_asked": self._touches,
            "winks": self.key.winks,
            "faults": dict(self.key.faults.counts) if self.key.faults is not None else {},
        }

    async def close(self) -> None:
        """Unplug, and set its file free, come what may."""
        try:
            await self.unplug()
        finally:
            if self._state is not None:
                self._state.close()
                self._state = None

    def _requested(self, reason: str) -> None:
        self._touches += 1
        if self.finger.automatic:
            return
        self._asked.set()
        if self.on_request is not None:
            self.on_request(self, reason)
