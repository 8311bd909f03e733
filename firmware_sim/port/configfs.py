"""A key's USB gadget in the kernel's configfs (Linux, Documentation/usb/gadget_configfs.rst)."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from firmware_sim.link import usb
from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity

PREFIX = "tokenkit-"
_FUNCTION = "functions/hid.usb0"
_CONFIGURATION = "configs/c.1"
_LINK = f"{_CONFIGURATION}/hid.usb0"
_STRINGS = f"strings/{usb.ENGLISH:#x}"


class Gadget:
    """A device with one FIDO interface at a USB device controller; hosts see it when made.

    ``root`` is configfs' ``usb_gadget``, ``controller`` the name of one in /sys/class/udc that
    has no other gadget. OSError, with nothing left behind, where the kernel will not have it.
    """

    def __init__(self, root: Path, controller: str, identity: UsbIdentity) -> None:
        self._folder = root / f"{PREFIX}{controller}"
        self._folder.mkdir()
        self._lock: int | None = None
        try:
            self._lock = _lock(self._folder)
            self._describe(identity)
            self._bind(controller)
        except BaseException:
            self.remove()
            raise

    @property
    def minor(self) -> int:
        """The number of its node, /dev/hidg``minor``."""
        return int((self._folder / _FUNCTION / "dev").read_text().split(":")[1])

    def remove(self) -> None:
        """Take it away from hosts and from configfs; twice does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._folder.exists():
            _remove(self._folder)

    def _describe(self, identity: UsbIdentity) -> None:
        strings = {"manufacturer": identity.manufacturer, "product": identity.product_name}
        if identity.serial_number:
            strings["serialnumber"] = identity.serial_number
        attributes = {
            "idVendor": f"{identity.vendor_id:#06x}",
            "idProduct": f"{identity.product_id:#06x}",
            "bcdDevice": f"{identity.version:#06x}",
            "bcdUSB": f"{usb.USB_VERSION:#06x}",
            f"{_CONFIGURATION}/bmAttributes": f"{usb.BUS_POWERED:#04x}",
            f"{_CONFIGURATION}/MaxPower": str(usb.MAX_POWER_MA),
            f"{_FUNCTION}/subclass": "0",
            f"{_FUNCTION}/protocol": "0",
            f"{_FUNCTION}/report_length": str(PACKET_SIZE),
        } | {f"{_STRINGS}/{name}": text for name, text in strings.items()}
        (self._folder / _STRINGS).mkdir()
        (self._folder / _CONFIGURATION).mkdir()
        try:
            (self._folder / _FUNCTION).mkdir()
        except FileNotFoundError as error:
            raise OSError(
                "the kernel has no HID gadget function: run `modprobe usb_f_hid` as root"
            ) from error
        for name, value in attributes.items():
            (self._folder / name).write_text(value, "utf-8")
        (self._folder / _FUNCTION / "report_desc").write_bytes(REPORT_DESCRIPTOR)

    def _bind(self, controller: str) -> None:
        (self._folder / _LINK).symlink_to(self._folder / _FUNCTION)
        try:
            (self._folder / "UDC").write_text(controller)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise OSError(
                f"{controller} serves another USB gadget: unload its module (`lsmod | grep ^g_`)"
            ) from error


def remove_leftovers(root: Path) -> list[str]:
    """Remove the gadgets that a killed program left, and no others; their names."""
    removed = []
    for folder in sorted(root.glob(f"{PREFIX}*")):
        try:
            lock = _lock(folder)
        except BlockingIOError:
            continue  # it is another program's, which lives
        os.close(lock)
        _remove(folder)
        removed.append(folder.name)
    return removed


def bound_controllers(root: Path) -> set[str]:
    """Names of the controllers that have a gadget, whoever's."""
    return {each.read_text().strip() for each in root.glob("*/UDC")} - {""}


def _lock(folder: Path) -> int:
    """Hold ``folder`` as long as the descriptor is open, so no longer than this program lives."""
    import fcntl  # not there on every system; nor is configfs

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove(folder: Path) -> None:
    """In the order that the kernel wants; as far as it was made."""
    with suppress(OSError):  # it was not bound
        (folder / "UDC").write_text("\n")
    with suppress(FileNotFoundError):
        (folder / _LINK).unlink()
    for name in (_CONFIGURATION, _FUNCTION, _STRINGS):
        with suppress(FileNotFoundError):
            (folder / name).rmdir()
    folder.rmdir()
