"""What a key says of itself when it is plugged in: it makes Wireshark see HID, or a card reader."""

import struct
from dataclasses import dataclass

from tokenkit.virtual import REPORT_DESCRIPTOR, SecurityKey

HID_ENDPOINT = 1
CARD_ENDPOINT = 2
_MAX_TEXT = 126  # UTF-16 units in a string descriptor, whose length is one byte
_DEVICE, _CONFIGURATION, _STRING, _INTERFACE, _ENDPOINT = range(1, 6)
_HID, _REPORT = 0x21, 0x22
_CARD = 0x21  # the card reader's class descriptor has the same number
_TO_DEVICE, _TO_INTERFACE = 0x80, 0x81
_ENGLISH = 0x0409


@dataclass(frozen=True)
class UsbIdentity:
    """Who a key is on USB; zeros where that is unknown."""

    name: str = "unknown key"
    serial_number: str | None = None
    vendor_id: int = 0
    product_id: int = 0

    @classmethod
    def of(cls, key: SecurityKey) -> "UsbIdentity":
        """What a virtual key says of itself."""
        profile = key.profile
        serial = key.serial_number if profile.usb_serial_number else None
        return cls(profile.product_name, serial, profile.vendor_id, profile.product_id)


def hid_enumeration(who: UsbIdentity) -> list[tuple[bytes, bytes]]:
    """GET_DESCRIPTOR requests (8-byte setup packets) to a FIDO HID key, and their answers."""
    hid = struct.pack("<BBHBBBH", 9, _HID, 0x0111, 0, 1, _REPORT, len(REPORT_DESCRIPTOR))
    return [
        *_enumeration(who, _interface(0x03) + hid + _endpoints(HID_ENDPOINT, 3, 5)),
        _get(_TO_INTERFACE, _REPORT << 8, 0, REPORT_DESCRIPTOR),
    ]


def card_enumeration(who: UsbIdentity) -> list[tuple[bytes, bytes]]:
    """The same for a card on a reader of the CCID class (USB CCID 1.1 §5.1)."""
    reader = struct.pack(
        "<BBHBBIIIBIIBIIIIIBBHBB",
        *(54, _CARD, 0x0110, 0, 7),
        *(3, 4000, 4000, 0),  # protocols T=0 and T=1, clocks in kHz
        *(10752, 10752, 0),  # rates in bit/s
        *(65534, 0, 0),
        0x0004_0040,  # short and extended APDUs, parameters negotiated by the reader
        *(65544, 0xFF, 0xFF, 0, 0, 1),
    )
    return _enumeration(who, _interface(0x0B) + reader + _endpoints(CARD_ENDPOINT, 2, 0))


def _enumeration(who: UsbIdentity, interface: bytes) -> list[tuple[bytes, bytes]]:
    texts = [who.name, who.serial_number] if who.serial_number else [who.name]
    device = struct.pack(
        "<BBHBBBBHHHBBBB",
        *(18, _DEVICE, 0x0200, 0, 0, 0, 64),
        *(who.vendor_id, who.product_id, 0),
        *(0, 1, 2 if who.serial_number else 0, 1),  # texts: no maker, name, serial number
    )
    whole = 9 + len(interface)
    configuration = struct.pack("<BBHBBBBB", 9, _CONFIGURATION, whole, 1, 1, 0, 0x80, 50)
    return [
        _get(_TO_DEVICE, _DEVICE << 8, 0, device),
        _get(_TO_DEVICE, _CONFIGURATION << 8, 0, configuration + interface),
        *(
            _get(_TO_DEVICE, _STRING << 8 | number, _ENGLISH, _text(text))
            for number, text in enumerate(texts, 1)
        ),
    ]


def _get(target: int, value: int, index: int, answer: bytes) -> tuple[bytes, bytes]:
    return struct.pack("<BBHHH", target, 6, value, index, len(answer)), answer


def _interface(usb_class: int) -> bytes:
    return struct.pack("<9B", 9, _INTERFACE, 0, 0, 2, usb_class, 0, 0, 0)


def _endpoints(number: int, kind: int, interval: int) -> bytes:
    ends = (number | 0x80, number)
    return b"".join(struct.pack("<4BHB", 7, _ENDPOINT, end, kind, 64, interval) for end in ends)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-le", "replace")[: _MAX_TEXT * 2]
    return bytes((2 + len(encoded), _STRING)) + encoded
