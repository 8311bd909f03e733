"""What every port for HID has in common: reports to and from one key, on an asyncio loop."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.security_key import SecurityKey, UnpluggedError

log = logging.getLogger(__name__)

Tap = Callable[[bool, bytes], None]
"""Told of each report as it is on the wire: whether it came from the host, and its bytes."""


class Plug(Protocol):
    """A key plugged in at a port."""

    where: str
    """What a host opens, such as ``/dev/hidraw3``."""

    @property
    def plugged(self) -> bool:
        """Whether it is there for hosts: until it is pulled, or its power is cut."""

    @property
    def counts(self) -> Counter[str]:
        """Reports or APDUs by direction, ``in`` from the host and ``out`` to it."""

    def poke(self) -> None:
        """Look at the key at once: somebody touched it, or pressed it."""

    async def pull(self) -> None:
        """Pull the key out: it vanishes for hosts and loses power; twice does nothing."""


class Port(Protocol):
    """A way for keys into the world; ``open`` first, ``close`` last, which pulls all keys out.

    OSError, whose message names the mend, where this computer does not let it.
    """

    apdus: bool
    """Whether APDUs of a card pass here, and not reports of HID."""

    async def open(self) -> None:
        """Get ready to have keys plugged in."""

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> Plug:
        """Plug ``key`` in and give it power; it is there for hosts when this returns."""

    async def close(self) -> None:
        """Let go of everything; twice does nothing."""


class HidWire:
    """The key's end of a HID port: ``send`` takes IN reports, ``lost`` is called at a power cut.

    A port calls :meth:`receive` with each OUT report, and :meth:`poke` when somebody touched the
    key. What the key does later, as time passes, happens by itself.
    """

    def __init__(
        self,
        key: SecurityKey,
        send: Callable[[bytes], None],
        lost: Callable[[], None],
        tap: Tap | None = None,
    ) -> None:
        self._key = key
        self._send = send
        self._lost = lost
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.counts: Counter[str] = Counter()
        key.power_on()

    def receive(self, report: bytes) -> None:
        """Take one OUT report; one that has not 64 bytes is logged and dropped."""
        if len(report) != PACKET_SIZE:
            log.warning("%s: dropped a report of %d bytes", self._name, len(report))
            return
        self.counts["in"] += 1
        if self._tap is not None:
            self._tap(True, report)
        self._step(SecurityKey.write, report)

    def poke(self) -> None:
        """Let the key look whether something is due."""
        self._step(SecurityKey.poll)

    def close(self) -> None:
        """Take the power away."""
        self._stop_timer()
        self._key.power_off()

    @property
    def _name(self) -> str:
        return f"{self._key.profile.product_name} {self._key.serial_number}"

    def _step(self, what: Callable[..., None], *report: bytes) -> None:
        key = self._key
        if not key.powered:
            return
        try:
            what(key, *report)
            self._flush()
        except UnpluggedError:
            log.warning("%s: its power was cut", self._name)
            self._stop_timer()
            self._lost()
            return
        self._schedule()

    def _flush(self) -> None:
        reports = self._key.link.reports
        while reports:
            report = reports.popleft()
            self.counts["out"] += 1
            if self._tap is not None:
                self._tap(False, report)
            self._send(report)

    def _schedule(self) -> None:
        self._stop_timer()
        key = self._key
        if key.powered and (wake_s := key.link.wake_s()) < math.inf:
            delay_s = max(0.0, wake_s - key.clock.now())
            self._timer = self._loop.call_later(delay_s, self.poke)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
