"""USB transfers as captures hold them: Linux usbmon (189, 220), and USBPcap on Windows (249).

Layouts: https://www.tcpdump.org/linktypes/LINKTYPE_USB_LINUX_MMAPPED.html and
https://desowin.org/usbpcap/captureformat.html.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from tokenkit.keys.trace.capture import USB_LINUX, USB_LINUX_MMAPPED, USBPCAP, Packet

IN = 0x80
_EINPROGRESS = -115
# id, event, type, endpoint, device, bus, no setup, no data, seconds, microseconds, status, length,
# captured, setup packet
_LINUX = "Q c 3B H 2B q i i I I 8s"
_HEAD = struct.Struct("=" + _LINUX)
_WRITE = struct.Struct("<" + _LINUX + "4I")
# length of this header, IRP, status, function, direction, bus, device, endpoint, type, data length
_USBPCAP = struct.Struct("<H Q I H B H H B B I")
_SETUP_FOLLOWS, _NO_SETUP, _DATA_FOLLOWS = 0, ord("-"), 0


class TransferType(IntEnum):
    INTERRUPT = 1
    CONTROL = 2
    BULK = 3


@dataclass(frozen=True)
class Transfer:
    """Bytes that went to a device or came from it; ``missing`` were not captured."""

    time_s: float
    bus: int
    device: int
    endpoint: int
    from_host: bool
    type: int
    data: bytes
    missing: int = 0


def parse_transfer(packet: Packet) -> Transfer | None:
    """The data that ``packet`` holds; None if it holds none, or is no USB packet."""
    if packet.link_type in (USB_LINUX, USB_LINUX_MMAPPED):
        return _parse_linux(packet)
    if packet.link_type == USBPCAP:
        return _parse_usbpcap(packet)
    return None


def _parse_linux(packet: Packet) -> Transfer | None:
    size = _HEAD.size if packet.link_type == USB_LINUX else _WRITE.size
    if len(packet.data) < size:
        return None
    head = struct.Struct((">" if packet.big_endian else "<") + _LINUX)
    (
        _, event, kind, endpoint, device, bus, _, flag, _, _, _, length, captured, _,
    ) = head.unpack_from(packet.data)  # fmt: skip
    from_host = not endpoint & IN
    # data goes out with the submission and comes in with the completion
    if event != (b"S" if from_host else b"C") or flag != _DATA_FOLLOWS or not captured:
        return None
    data = packet.data[size : size + captured]
    return Transfer(
        packet.time_s, bus, device, endpoint & ~IN, from_host, kind, data, length - len(data)
    )


def _parse_usbpcap(packet: Packet) -> Transfer | None:
    if len(packet.data) < _USBPCAP.size:
        return None
    size, _, _, _, to_host, bus, device, endpoint, kind, length = _USBPCAP.unpack_from(packet.data)
    from_host = not endpoint & IN
    data = packet.data[size : size + length]
    if from_host == bool(to_host & 1) or not data:
        return None
    return Transfer(
        packet.time_s, bus, device, endpoint & ~IN, from_host, kind, data, length - len(data)
    )


def urb(
    number: int, time_s: float, device: int, endpoint: int, kind: TransferType, data: bytes
) -> list[bytes]:
    """Submission and completion of one transfer on bus 1, as usbmon tells of them.

    ``endpoint`` has the bit :data:`IN` set where ``data`` comes from the device.
    """
    comes_in = bool(endpoint & IN)
    place = (endpoint, device)
    return [
        _event(number, b"S", time_s, kind, place, len(data), b"" if comes_in else data),
        _event(number, b"C", time_s, kind, place, len(data), data if comes_in else b""),
    ]


def control_in(number: int, time_s: float, device: int, setup: bytes, data: bytes) -> list[bytes]:
    """A control transfer that the device answers with ``data``."""
    place = (IN, device)
    kind = TransferType.CONTROL
    return [
        _event(number, b"S", time_s, kind, place, len(data), b"", setup),
        _event(number, b"C", time_s, kind, place, len(data), data),
    ]


def _event(
    number: int,
    event: bytes,
    time_s: float,
    kind: TransferType,
    place: tuple[int, int],
    length: int,
    data: bytes,
    setup: bytes | None = None,
) -> bytes:
    seconds, micros = divmod(round(time_s * 1_000_000), 1_000_000)
    endpoint, device = place
    head = _WRITE.pack(
        number,
        event,
        kind,
        endpoint,
        device,
        1,  # the bus
        _NO_SETUP if setup is None else _SETUP_FOLLOWS,
        _DATA_FOLLOWS if data else ord("<" if endpoint & IN else ">"),
        seconds,
        micros,
        _EINPROGRESS if event == b"S" else 0,
        length,
        len(data),
        setup or bytes(8),
        *(0, 0, 0, 0),  # interval, start frame, flags, isochronous descriptors
    )
    return head + data
