"""The USB descriptors of a key (USB 2.0 §9.6, HID 1.11 §6.2): one interface, two endpoints."""

import struct
from dataclasses import dataclass
from typing import Self

from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.profile import Profile

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, HID, HID_REPORT = 1, 2, 3, 4, 5, 0x21, 0x22
IN_ENDPOINT, OUT_ENDPOINT = 0x81, 0x01
HID_CLASS = 3
USB_VERSION = 0x0200
BUS_POWERED = 0x80
MAX_POWER_MA = 30
ENGLISH = 0x0409
_INTERVAL_MS = 2
_INTERRUPT = 3
# a descriptor's length is one byte, its head two, a UTF-16 code unit two
_MAX_STRING = (0xFF - 2) // 2 * 2

HID_DESCRIPTOR = struct.pack("<BBHBBBH", 9, HID, 0x0110, 0, 1, HID_REPORT, len(REPORT_DESCRIPTOR))
_OF_INTERFACE = (
    struct.pack("9B", 9, INTERFACE, 0, 0, 2, HID_CLASS, 0, 0, 0)
    + HID_DESCRIPTOR
    + struct.pack("<4BHB", 7, ENDPOINT, IN_ENDPOINT, _INTERRUPT, PACKET_SIZE, _INTERVAL_MS)
    + struct.pack("<4BHB", 7, ENDPOINT, OUT_ENDPOINT, _INTERRUPT, PACKET_SIZE, _INTERVAL_MS)
)
CONFIGURATION_DESCRIPTOR = (
    struct.pack(
        "<BBH5B",
        9,
        CONFIGURATION,
        9 + len(_OF_INTERFACE),
        1,
        1,
        0,
        BUS_POWERED,
        MAX_POWER_MA // 2,
    )
    + _OF_INTERFACE
)


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """What tells one USB device from another; ``serial_number`` is empty where there is none."""

    vendor_id: int
    product_id: int
    version: int
    manufacturer: str
    product_name: str
    serial_number: str

    @classmethod
    def of(cls, profile: Profile, serial_number: str) -> Self:
        """The identity of a key of ``profile``, which may keep its serial number to itself."""
        return cls(
            profile.vendor_id,
            profile.product_id,
            bcd_device(profile.device_version),
            profile.manufacturer,
            profile.product_name,
            serial_number if profile.usb_serial_number else "",
        )

    @property
    def device_descriptor(self) -> bytes:
        return struct.pack(
            "<BBH4BHHH4B",
            18,
            DEVICE,
            USB_VERSION,
            0,  # class, subclass and protocol are the interface's
            0,
            0,
            PACKET_SIZE,
            self.vendor_id,
            self.product_id,
            self.version,
            1,
            2,
            3 if self.serial_number else 0,
            1,
        )

    def string_descriptor(self, index: int) -> bytes | None:
        """String ``index`` in US English, cut at 126 UTF-16 code units; 0 lists languages."""
        if index == 0:
            return struct.pack("<BBH", 4, STRING, ENGLISH)
        texts = {1: self.manufacturer, 2: self.product_name, 3: self.serial_number}
        if not (text := texts.get(index)):
            return None
        encoded = text.encode("utf-16-le")[:_MAX_STRING]
        return bytes((len(encoded) + 2, STRING)) + encoded


def bcd_device(version: tuple[int, int, int]) -> int:
    """A version as YubiKeys say it: 5.4.3 is 0x0543; what does not fit its digits is the most."""
    major, minor, build = version
    tens, ones = divmod(min(major, 99), 10)
    return tens << 12 | ones << 8 | min(minor, 9) << 4 | min(build, 9)
