"""Events of the kernel's /dev/uhid (linux/uhid.h): packed structures in native byte order."""

import errno
import struct
from dataclasses import dataclass
from enum import IntEnum

EVENT_SIZE = 4376  # the largest, which is CREATE2
MAX_DATA = 4096
_BUS_USB = 3
_CREATE2 = struct.Struct("=I128s64s64sHHIIII4096s")
_INPUT2 = struct.Struct("=IH")
# the size and kind of an OUTPUT's report come after its data: what is not read is not copied
_OUTPUT_TAIL_AT, _OUTPUT_TAIL = 4 + MAX_DATA, struct.Struct("=HB")
_OUTPUT_END = _OUTPUT_TAIL_AT + _OUTPUT_TAIL.size
_REQUEST = struct.Struct("=I")
_REPLY = struct.Struct("=IIHH")  # the size is GET_REPORT_REPLY's alone
_REPORT_OUTPUT = 1  # enum uhid_report_type


class Event(IntEnum):
    """Event types, of which the kernel sends those from START to SET_REPORT."""

    DESTROY = 1
    START = 2
    STOP = 3
    OPEN = 4
    CLOSE = 5
    OUTPUT = 6
    GET_REPORT = 9
    GET_REPORT_REPLY = 10
    CREATE2 = 11
    INPUT2 = 12
    SET_REPORT = 13
    SET_REPORT_REPLY = 14


_OUTPUT = int(Event.OUTPUT)  # looked up for each report
_INPUT = int(Event.INPUT2)
_REPLIES: dict[int, Event] = {
    Event.GET_REPORT: Event.GET_REPORT_REPLY,
    Event.SET_REPORT: Event.SET_REPORT_REPLY,
}


@dataclass(frozen=True)
class HidIdentity:
    """What the kernel shows of a device: HID_NAME, HID_PHYS and HID_UNIQ, and its numbers."""

    name: str
    phys: str
    uniq: str
    vendor_id: int
    product_id: int
    version: int


def create(identity: HidIdentity, report_descriptor: bytes) -> bytes:
    """Make a device on the USB bus; text too long for its field is cut."""
    return _CREATE2.pack(
        Event.CREATE2,
        _text(identity.name, 128),
        _text(identity.phys, 64),
        _text(identity.uniq, 64),
        len(report_descriptor),
        _BUS_USB,
        identity.vendor_id,
        identity.product_id,
        identity.version,
        0,
        report_descriptor,
    )


def destroy() -> bytes:
    return _REQUEST.pack(Event.DESTROY)


def in_report(report: bytes) -> bytes:
    """A report on its way to the host."""
    return _INPUT2.pack(_INPUT, len(report)) + report


def event_type(event: bytes) -> int:
    """Its number, 0 for what is too short to have one."""
    return _REQUEST.unpack_from(event)[0] if len(event) >= _REQUEST.size else 0


def out_report(event: bytes) -> bytes | None:
    """The report of an OUTPUT event without its report number, None for any other event."""
    if len(event) < _OUTPUT_END or event_type(event) != _OUTPUT:
        return None
    size, kind = _OUTPUT_TAIL.unpack_from(event, _OUTPUT_TAIL_AT)
    if kind != _REPORT_OUTPUT or not 0 < size <= MAX_DATA:
        return None
    return event[5 : 4 + size]


def refusal(event: bytes) -> bytes | None:
    """The answer to GET_REPORT and SET_REPORT, which FIDO has no use for; None where none is due.

    Without one the caller would wait for 5 s.
    """
    reply = _REPLIES.get(event_type(event))
    if reply is None or len(event) < 2 * _REQUEST.size:
        return None
    (number,) = _REQUEST.unpack_from(event, _REQUEST.size)
    return _REPLY.pack(reply, number, errno.EIO, 0)


def _text(text: str, size: int) -> bytes:
    """UTF-8, cut between characters, with room for the zero at its end."""
    return text.encode()[: size - 1].decode(errors="ignore").encode()
