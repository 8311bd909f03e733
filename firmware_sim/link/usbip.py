"""USB/IP messages (Linux, Documentation/usb/usbip_protocol.rst): parse and format, no I/O.

All integers are big-endian; only the eight bytes of a setup packet are as USB has them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from firmware_sim.link.usb import HID_CLASS, UsbIdentity

PORT = 3240
REQUEST_SIZE = 8
BUSID_SIZE = 32
HEADER_SIZE = 48
# more than a control transfer can have, and than anybody sends to a key
MAX_TRANSFER = 0x10000

_VERSION = 0x0111
_FULL_SPEED = 2
_REQUEST = struct.Struct(">HHI")
_DEVICE = struct.Struct(">256s32s3I3H6B")
_INTERFACE = bytes((HID_CLASS, 0, 0, 0))
_SUBMIT = struct.Struct(">5I5I8s")
_UNLINK = struct.Struct(">5II24x")
_SUBMITTED = struct.Struct(">II12xiIIII8x")
_UNLINKED = struct.Struct(">II12xi24x")
_NOT_ISOCHRONOUS = (0, 0xFFFFFFFF)
_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_OUT, _IN = 0, 1


class UsbIpError(Exception):
    """A message that is none; what came after it cannot be understood either."""


class Request(IntEnum):
    """What a client may ask for first; the answer's code is without the highest bit."""

    IMPORT = 0x8003
    DEVICE_LIST = 0x8005


class Status(IntEnum):
    """Why there is no device for a client, as usbip's tools name it."""

    OK = 0
    BUSY = 2
    NO_DEVICE = 4


@dataclass(frozen=True, slots=True)
class Exported:
    """A device that clients may import: its number on bus 1, and what it is."""

    number: int
    identity: UsbIdentity

    @property
    def busid(self) -> str:
        return f"1-{self.number}"

    @property
    def devid(self) -> int:
        """What a client's commands name it by."""
        return 1 << 16 | self.number

    def _described(self) -> bytes:
        identity = self.identity
        path = f"/sys/devices/platform/tokenkit/usb1/{self.busid}"
        return _DEVICE.pack(
            path.encode(),
            self.busid.encode(),
            1,
            self.number,
            _FULL_SPEED,
            identity.vendor_id,
            identity.product_id,
            identity.version,
            0,  # class, subclass and protocol are the interface's
            0,
            0,
            1,  # the configuration, of one, with one interface
            1,
            1,
        )


@dataclass(frozen=True, slots=True)
class Submit:
    """USBIP_CMD_SUBMIT: a transfer of ``length`` bytes at ``endpoint``, to the host if ``to_host``.

    ``packets`` says that it is not isochronous, in the client's own way.
    """

    seqnum: int
    devid: int
    to_host: bool
    endpoint: int
    length: int
    packets: int
    setup: bytes

    @property
    def data_length(self) -> int:
        """Bytes of data that come after the header."""
        return 0 if self.to_host else self.length


@dataclass(frozen=True, slots=True)
class Unlink:
    """USBIP_CMD_UNLINK: transfer ``target`` is not wanted any more."""

    seqnum: int
    devid: int
    target: int


def parse_request(data: bytes) -> Request:
    """The first eight bytes from a client; an import's bus id comes after them."""
    version, code, _status = _REQUEST.unpack(data)
    if version != _VERSION:
        raise UsbIpError(f"USB/IP version {version:#06x} where {_VERSION:#06x} is spoken")
    try:
        return Request(code)
    except ValueError:
        raise UsbIpError(f"unknown request {code:#06x}") from None


def parse_busid(data: bytes) -> str:
    """Text closed by a zero; what is no text is no device's."""
    return data.split(b"\0")[0].decode("ascii", "replace")


def parse_command(header: bytes) -> Submit | Unlink:
    """The 48 bytes at the start of each message after an import."""
    command = int.from_bytes(header[:4], "big")
    if command == _CMD_UNLINK:
        _, seqnum, devid, _, _, target = _UNLINK.unpack(header)
        return Unlink(seqnum, devid, target)
    if command != _CMD_SUBMIT:
        raise UsbIpError(f"unknown command {command:#010x}")
    _, seqnum, devid, direction, endpoint, _flags, length, _frame, packets, _interval, setup = (
        _SUBMIT.unpack(header)
    )
    if length > MAX_TRANSFER:
        raise UsbIpError(f"a transfer of {length} bytes")
    if direction not in (_OUT, _IN):
        raise UsbIpError(f"a transfer in direction {direction}")
    if packets not in _NOT_ISOCHRONOUS:
        raise UsbIpError("an isochronous transfer")
    return Submit(seqnum, devid, direction == _IN, endpoint, length, packets, setup)


def device_list(devices: Sequence[Exported]) -> bytes:
    """OP_REP_DEVLIST."""
    described = b"".join(each._described() + _INTERFACE for each in devices)
    return _reply(Request.DEVICE_LIST, Status.OK) + struct.pack(">I", len(devices)) + described


def imported(device: Exported) -> bytes:
    """OP_REP_IMPORT: from now on the connection is the device's."""
    return _reply(Request.IMPORT, Status.OK) + device._described()


def not_imported(status: Status) -> bytes:
    """OP_REP_IMPORT of a device that is not to be had."""
    return _reply(Request.IMPORT, status)


def submitted(submit: Submit, status: int, data: bytes = b"", length: int | None = None) -> bytes:
    """USBIP_RET_SUBMIT: ``status`` is 0 or a negative errno of Linux.

    ``data`` is what the host gets; ``length`` is how much the device took, for a transfer to it.
    """
    length = len(data) if length is None else length
    head = _SUBMITTED.pack(_RET_SUBMIT, submit.seqnum, status, length, 0, submit.packets, 0)
    return head + data


def unlinked(unlink: Unlink, status: int) -> bytes:
    """USBIP_RET_UNLINK."""
    return _UNLINKED.pack(_RET_UNLINK, unlink.seqnum, status)


def _reply(request: Request, status: Status) -> bytes:
    return _REQUEST.pack(_VERSION, request & 0x7FFF, status)
