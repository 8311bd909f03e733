"""The USB gadget port: this computer is the security key of the one it is plugged into.

It needs a USB device controller, such as a Raspberry Pi Zero's; a controller takes one key.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.port.configfs import Gadget, bound_controllers, remove_leftovers
from firmware_sim.port.wire import HidWire, Tap
from firmware_sim.security_key import SecurityKey

log = logging.getLogger(__name__)

_MAX_REPORTS = 4096  # what a host that never reads does not fetch: the oldest is lost
_NO_CONFIGFS = (
    "{} is missing: run `modprobe libcomposite` as root, and `mount -t configfs none "
    "/sys/kernel/config` where nothing is mounted there"
)
_NO_CONTROLLER = (
    "this computer has no USB device controller ({} is empty): on a Raspberry Pi Zero, A, 4 or 5 "
    "add `dtoverlay=dwc2` to /boot/firmware/config.txt, reboot and run `modprobe dwc2`; to try it "
    "without one run `modprobe dummy_hcd`"
)


class GadgetPort:
    """Keys at the USB device controllers of this computer, one at each; root only.

    The folders are those of the system: configfs' gadgets, the controllers, the device nodes.
    """

    apdus = False

    def __init__(
        self,
        configfs: Path = Path("/sys/kernel/config/usb_gadget"),
        controllers: Path = Path("/sys/class/udc"),
        nodes: Path = Path("/dev"),
    ) -> None:
        self._configfs = configfs
        self._controllers = controllers
        self._nodes = nodes
        self._plugs: list[_Plug] = []

    async def open(self) -> None:
        """See that all is there, and remove what a killed run left."""
        if not self._configfs.is_dir():
            raise OSError(_NO_CONFIGFS.format(self._configfs))
        if not os.access(self._configfs, os.W_OK):
            raise PermissionError("a USB gadget can be made by root only: run it with sudo")
        for name in remove_leftovers(self._configfs):
            log.warning("removed USB gadget %s, which a killed run had left", name)
        if not self._names():
            raise OSError(_NO_CONTROLLER.format(self._controllers))

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> "_Plug":
        """Plug ``key`` in at the first controller that is free."""
        bound = bound_controllers(self._configfs)
        free = [name for name in self._names() if name not in bound]
        if not free:
            raise OSError(
                f"no USB device controller is free ({', '.join(self._names())}), and one takes one "
                f"key: unplug a key, or remove the other gadget in {self._configfs}"
            )
        plug = _Plug(self._configfs, free[0], self._nodes, key, tap, self._plugs.remove)
        self._plugs.append(plug)
        return plug

    async def close(self) -> None:
        for plug in list(self._plugs):
            await plug.pull()

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._controllers))
        except FileNotFoundError:
            return []


class _Plug:
    """A key at a controller: its gadget, the gadget's node, and the wire between it and the key."""

    def __init__(
        self,
        configfs: Path,
        controller: str,
        nodes: Path,
        key: SecurityKey,
        tap: Tap | None,
        forget: Callable[["_Plug"], None],
    ) -> None:
        self._gadget = Gadget(configfs, controller, UsbIdentity.of(key.profile, key.serial_number))
        path = nodes / f"hidg{self._gadget.minor}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            self._gadget.remove()
            raise
        self.where = f"{path} at {controller}"
        self._forget = forget
        self._wire = HidWire(key, self._send, self._vanish, tap)
        self.counts = self._wire.counts
        self._node = HidNode(descriptor, self._wire.receive)
        self._pulled = self._gone = False

    @property
    def plugged(self) -> bool:
        return not self._gone

    def poke(self) -> None:
        self._wire.poke()

    async def pull(self) -> None:
        if self._pulled:
            return
        self._pulled = True
        self._forget(self)
        self._vanish()
        self._wire.close()

    def _send(self, report: bytes) -> None:
        self._node.send(report)

    def _vanish(self) -> None:
        self._gone = True
        self._node.close()
        self._gadget.remove()


class HidNode:
    """Reports through a gadget's node, an open non-blocking ``descriptor``, on the running loop."""

    def __init__(self, descriptor: int, receive: Callable[[bytes], None]) -> None:
        self._descriptor: int | None = descriptor
        self._receive = receive
        self._reports: deque[bytes] = deque(maxlen=_MAX_REPORTS)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def send(self, report: bytes) -> None:
        """Send as soon as the host has fetched what came before."""
        self._reports.append(report)
        if len(self._reports) == 1:
            self._write()

    def close(self) -> None:
        """Twice does nothing."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> None:
        assert self._descriptor is not None
        try:
            report = os.read(self._descriptor, PACKET_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("the USB host went away: %s", error.strerror)
            self._loop.remove_reader(self._descriptor)  # or it would be told again and again
            return
        self._receive(report)

    def _write(self) -> None:
        while self._descriptor is not None and self._reports:
            try:
                os.write(self._descriptor, self._reports[0])
            except BlockingIOError:
                self._loop.add_writer(self._descriptor, self._write)
                return
            except OSError as error:
                log.info("no USB host takes reports: %s", error.strerror)
                self._reports.clear()
            else:
                self._reports.popleft()
        if self._descriptor is not None:
            self._loop.remove_writer(self._descriptor)
