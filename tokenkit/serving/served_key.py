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
        self._touches = 0
        self._before: Counter[str] = Counter()  # counts of earlier plugs

    @property
    def serial_number(self) -> str:
        return self.key.serial_number

    @property
    def where(self) -> str | None:
        """What a host opens, None while it is unplugged."""
        return None if self._plug is None else self._plug.where

    async def plug(self) -> None:
        """Plug in; a plugged key stays as it is, unless it has lost its power."""
        if not self.key.powered:
            await self.unplug()
        if self._plug is None:
            self._plug = await self._port.plug(self.key, self._tap(self.key))

    async def unplug(self) -> None:
        """Pull out; twice does nothing."""
        if self._plug is not None:
            plug, self._plug = self._plug, None
            await plug.pull()
            self._before += plug.counts

    def power(self, on: bool) -> None:
        """Let the key itself die or wake, while the host goes on seeing a device."""
        if self._plug is None:
            raise TokenkitError(f"{self.serial_number} is unplugged: plug it in first")
        if on:
            self.key.power_again()
        else:
            self.key.power_off()

    async def touch(self, press: virtual.Press | None, wait_s: float = 0.0) -> str:
        """Touch, or refuse where ``press`` is None; returns what it was asked for.

        Waits ``wait_s`` seconds for the key to ask; TokenkitError if it does not.
        """
        finger = self.finger
        if finger.awaited is None:
            self._asked.clear()
            try:
                await asyncio.wait_for(self._asked.wait(), wait_s)
            except TimeoutError:
                raise TokenkitError(f"{self.serial_number} waits for no touch") from None
        reason = finger.awaited
        now_s = self.key.clock.now()
        done = finger.refuse(now_s) if press is None else finger.press(press, now_s)
        if reason is None or not done:
            raise TokenkitError(f"{self.serial_number} has stopped waiting")
        self.poke()
        return reason

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
        await self.unplug()
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
