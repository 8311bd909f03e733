"""Endpoint 0 of a key: standard requests (USB 2.0 §9.4) and HID's (HID 1.11 §7), no I/O."""

import struct
from collections.abc import Callable

from firmware_sim.link import usb
from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR

_SETUP = struct.Struct("<BBHHH")
_TO_HOST = 0x80
_INPUT, _OUTPUT = 1, 2
_REPORT_PROTOCOL = 1
_REMOTE_WAKEUP_AND_SELF_POWERED = bytes(2)  # neither; nor is an endpoint halted
_ENDPOINTS = (0, usb.IN_ENDPOINT, usb.OUT_ENDPOINT)


class StallError(Exception):
    """The device does not do what a control transfer asks for."""


class ControlEndpoint:
    """Answers control transfers; ``receive`` takes OUT reports that come by SET_REPORT."""

    def __init__(self, identity: usb.UsbIdentity, receive: Callable[[bytes], None]) -> None:
        self._identity = identity
        self._receive = receive
        self._configuration = 0
        self._idle = 0

    def transfer(self, setup: bytes, data: bytes = b"") -> bytes:
        """What the device sends, cut to what the host asked for; ``data`` is what it was sent.

        ``setup`` has eight bytes. :class:`StallError` where there is no such request.
        """
        kind, request, value, index, length = _SETUP.unpack(setup)
        if kind & _TO_HOST:
            return self._read(kind, request, value, index)[:length]
        if len(data) != length:
            raise StallError(f"{len(data)} bytes of data where {length} were announced")
        self._write(kind, request, value, index, data)
        return b""

    def _read(self, kind: int, request: int, value: int, index: int) -> bytes:
        match kind, request:
            case 0x80, 0x06:  # GET_DESCRIPTOR
                return self._descriptor(value >> 8, value & 0xFF)
            case 0x80, 0x08:  # GET_CONFIGURATION
                return bytes((self._configuration,))
            case 0x80, 0x00:  # GET_STATUS of the device
                return _REMOTE_WAKEUP_AND_SELF_POWERED
            case 0x82, 0x00 if index in _ENDPOINTS:  # GET_STATUS
                return _REMOTE_WAKEUP_AND_SELF_POWERED
        if kind in (0x81, 0xA1) and index == 0:  # the interface
            match kind, request, value:
                case 0x81, 0x00, _:  # GET_STATUS
                    return bytes(2)
                case 0x81, 0x0A, _:  # GET_INTERFACE: the alternate setting
                    return bytes(1)
                case 0x81, 0x06, 0x2100:  # GET_DESCRIPTOR
                    return usb.HID_DESCRIPTOR
                case 0x81, 0x06, 0x2200:
                    return REPORT_DESCRIPTOR
                case 0xA1, 0x01, 0x0100:  # GET_REPORT: reports go by the interrupt endpoint
                    return bytes(PACKET_SIZE)
                case 0xA1, 0x02, _:  # GET_IDLE
                    return bytes((self._idle,))
                case 0xA1, 0x03, _:  # GET_PROTOCOL
                    return bytes((_REPORT_PROTOCOL,))
        raise StallError(f"no request {kind:#04x} {request:#04x} {value:#06x} {index:#06x}")

    def _write(self, kind: int, request: int, value: int, index: int, data: bytes) -> None:
        match kind, request, value, index:
            case 0x00, 0x05, _, _:  # SET_ADDRESS: the host controller's matter
                return
            case 0x00, 0x09, 0 | 1, _:  # SET_CONFIGURATION
                self._configuration = value
            case 0x01, 0x0B, 0, 0:  # SET_INTERFACE
                return
            case 0x02, 0x01, 0, 0 | usb.IN_ENDPOINT | usb.OUT_ENDPOINT:
                return  # CLEAR_FEATURE: no endpoint is ever halted
            case 0x21, 0x09, 0x0200, 0:  # SET_REPORT: an output report
                self._receive(data)
            case 0x21, 0x0A, _, 0:  # SET_IDLE
                self._idle = value >> 8
            case 0x21, 0x0B, 1, 0:  # SET_PROTOCOL
                return
            case _:
                raise StallError(f"no request {kind:#04x} {request:#04x} {value:#06x} {index:#06x}")

    def _descriptor(self, kind: int, index: int) -> bytes:
        """A BOS and a device qualifier are not there: USB 2.0 at full speed has neither."""
        found: bytes | None = None
        if kind == usb.DEVICE:
            found = self._identity.device_descriptor
        elif kind == usb.CONFIGURATION and index == 0:
            found = usb.CONFIGURATION_DESCRIPTOR
        elif kind == usb.STRING:
            found = self._identity.string_descriptor(index)
        if found is None:
            raise StallError(f"no descriptor {kind} {index}")
        return found
