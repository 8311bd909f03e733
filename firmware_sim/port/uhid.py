"""Plug keys into the Linux kernel through /dev/uhid: they become /dev/hidrawN for every program."""

import asyncio
import itertools
import logging
import os
import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firmware_sim.link import uhid
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.port.error import PortError
from firmware_sim.port.wire import HidWire, Tap
from firmware_sim.security_key import SecurityKey

log = logging.getLogger(__name__)

_NODE = Path("/dev/uhid")
_SYSFS = Path("/sys/class/hidraw")
_APPEARS_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.002
# reports that a hidraw file takes at once, with some to spare, and then every so many seconds
_ROOM, _PACE, _PACE_S = 48, 8, 0.001
_MAX_REPORTS = 4096
# other keys wait meanwhile: for some milliseconds at most
_BURST, _LINGER_MS = 16, 1
_numbers = itertools.count(1)


class UhidPort:
    """Any number of keys, each a HID device of its own.

    ``node`` is the kernel's /dev/uhid and ``sysfs`` where it tells which hidraw node came of it.
    """

    apdus = False

    def __init__(self, node: Path = _NODE, sysfs: Path = _SYSFS) -> None:
        self._node = node
        self._sysfs = sysfs
        self._plugs: list[UhidPlug] = []

    async def open(self) -> None:
        os.close(self._open())
        _hurry()

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> "UhidPlug":
        plug = UhidPlug(key, self._open(), tap, self._plugs.remove)
        self._plugs.append(plug)
        try:
            plug.where = await self._find(plug.phys)
        except BaseException:
            await plug.pull()
            raise
        return plug

    async def close(self) -> None:
        for plug in list(self._plugs):
            await plug.pull()

    def _open(self) -> int:
        try:
            return os.open(self._node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            mend = "load its module: modprobe uhid (on the host, for a container)"
        except PermissionError:
            mend = "you may not open it: tokenkit doctor uhid says how"
        except OSError as error:  # no module for the node: ENODEV, ENXIO
            mend = f"{error.strerror}: load its module: modprobe uhid"
        raise PortError(
            f"{self._node}: {mend}; without a kernel that has it: tokenkit vm run, tokenkit preload"
        ) from None

    async def _find(self, phys: str) -> str:
        """The node of the device with this HID_PHYS, once the kernel has made it."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _APPEARS_WITHIN_S
        while loop.time() < until_s:
            for entry in self._sysfs.glob("hidraw*"):
                try:
                    facts = (entry / "device/uevent").read_text("utf-8", "replace")
                except OSError:
                    continue  # another one, on its way out
                if f"HID_PHYS={phys}\n" in facts:
                    return self._named(entry.name)
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise PortError(
            f"{self._node}: the kernel made no hidraw node of the key: load its module: "
            "modprobe hid-generic"
        )

    def _named(self, name: str) -> str:
        node = self._node.parent / name
        if not node.exists():
            log.warning("%s is not in this /dev: hand it in, as with docker's --device", node)
        return str(node)


class UhidPlug:
    """One key that the kernel shows, see :class:`~firmware_sim.port.wire.Plug`."""

    def __init__(
        self, key: SecurityKey, uhid_file: int, tap: Tap | None, gone: Callable[["UhidPlug"], None]
    ) -> None:
        self.where = ""
        self.phys = f"tokenkit/{os.getpid()}/{next(_numbers)}"
        self._file: int | None = uhid_file
        self._gone = gone
        self._out: deque[bytes] = deque(maxlen=_MAX_REPORTS)
        self._room = _ROOM
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._wire = HidWire(key, self._send, self._vanish, tap)
        self.counts = self._wire.counts
        self._write(uhid.create(_identity(key, self.phys), REPORT_DESCRIPTOR))
        self._ready = select.poll()
        self._ready.register(uhid_file, select.POLLIN)
        self._loop.add_reader(uhid_file, self._read)

    @property
    def plugged(self) -> bool:
        return self._file is not None

    def poke(self) -> None:
        self._wire.poke()

    async def pull(self) -> None:
        self._vanish()

    def _vanish(self) -> None:
        if self._file is None:
            return
        self._loop.remove_reader(self._file)
        if self._timer is not None:
            self._timer.cancel()
        self._write(uhid.destroy())
        os.close(self._file)  # which destroys the device, too, should it still be there
        self._file = None
        self._wire.close()
        self._gone(self)

    def _read(self) -> None:
        """Take what is there, and wait a little for more.

        The kernel holds 32 events and then loses some: all are fetched before the first is looked
        at. And a host sends the next report as soon as it has the answer: a round of the loop for
        each would cost as much as the key itself.
        """
        for _ in range(_BURST):
            events = []
            with suppress(BlockingIOError):  # woken for nothing
                while self._file is not None:  # it may have vanished meanwhile
                    events.append(os.read(self._file, uhid.EVENT_SIZE))
                    if not self._ready.poll(0):
                        break
            for event in events:
                self._take(event)
            if self._file is None or not self._ready.poll(_LINGER_MS):
                return

    def _take(self, event: bytes) -> None:
        report = uhid.out_report(event)
        if report is not None:
            if not self._out:  # it asks, so it has read what was answered
                self._room = _ROOM
            self._wire.receive(report)
        elif answer := uhid.refusal(event):
            self._write(answer)

    def _send(self, report: bytes) -> None:
        self._out.append(report)
        if self._timer is None:
            self._pump()

    def _pump(self) -> None:
        """Send what there is room for; the rest as fast as any host reads.

        A hidraw file holds 64 reports and then loses some, and says to nobody how many are read.
        """
        self._timer = None
        while self._out and self._room:
            self._room -= 1
            self._write(uhid.in_report(self._out.popleft()))
        if self._out:
            self._room = _PACE
            self._timer = self._loop.call_later(_PACE_S, self._pump)

    def _write(self, event: bytes) -> None:
        if self._file is None:  # vanished before it could answer
            return
        try:
            os.write(self._file, event)
        except OSError as error:  # the kernel has no device to give the report to
            log.warning("%s: /dev/uhid: %s", self.where or self.phys, error.strerror)


def _hurry() -> None:
    """Run before the hosts that write, where this process may: the kernel holds 32 reports of each
    key, and on one processor a host can write more before we have our turn.

    Not so the programs that this one starts.
    """
    with suppress(OSError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))


def _identity(key: SecurityKey, phys: str) -> uhid.HidIdentity:
    """As the kernel would name the key, were it on USB."""
    usb = UsbIdentity.of(key.profile, key.serial_number)
    return uhid.HidIdentity(
        name=f"{usb.manufacturer} {usb.product_name}",
        phys=phys,
        uniq=usb.serial_number,
        vendor_id=usb.vendor_id,
        product_id=usb.product_id,
        version=usb.version,
    )
