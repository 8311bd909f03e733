"""USB/IP messages: those in the kernel's documentation, and arbitrary ones."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link import usbip
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.link.usbip import Exported, Request, Status, Submit, Unlink, UsbIpError

# Documentation/usb/usbip_protocol.rst, "EXAMPLE"
INTERRUPT_IN = bytes.fromhex(
    "00000001 00000d05 0001000f 00000001 00000001 00000200"
    "00000040 ffffffff 00000000 00000004 00000000 00000000"
)
INTERRUPT_OUT = bytes.fromhex(
    "00000001 00000d06 0001000f 00000000 00000001 00000000"
    "00000040 ffffffff 00000000 00000004 00000000 00000000"
)
IN_DONE = bytes.fromhex(
    "00000003 00000d05 00000000 00000000 00000000 00000000"
    "00000040 00000000 00000000 00000000 00000000 00000000"  # start frame as the table has it
)
OUT_DONE = bytes.fromhex(
    "00000003 00000d06 00000000 00000000 00000000 00000000"
    "00000040 00000000 00000000 00000000 00000000 00000000"  # start frame as the table has it
)
KEY = Exported(3, UsbIdentity(0x1050, 0x0407, 0x0543, "Yubico", "YubiKey", ""))


def test_transfers_of_the_documentation():
    submit = usbip.parse_command(INTERRUPT_IN)
    assert submit == Submit(0xD05, 0x1000F, True, 1, 64, 0, bytes(8))
    assert submit.data_length == 0
    assert usbip.submitted(submit, 0, bytes(64)) == IN_DONE + bytes(64)
    submit = usbip.parse_command(INTERRUPT_OUT)
    assert submit == Submit(0xD06, 0x1000F, False, 1, 64, 0, bytes(8))
    assert submit.data_length == 64
    assert usbip.submitted(submit, 0, length=64) == OUT_DONE


def test_unlink_and_its_answer():
    header = struct.pack(">6I24x", 2, 7, 0x10003, 0, 0, 5)
    unlink = usbip.parse_command(header)
    assert unlink == Unlink(7, 0x10003, 5)
    assert usbip.unlinked(unlink, -104) == struct.pack(">II12xi24x", 4, 7, -104)


def test_requests_and_their_answers():
    assert usbip.parse_request(bytes.fromhex("0111800500000000")) is Request.DEVICE_LIST
    assert usbip.parse_request(bytes.fromhex("0111800300000000")) is Request.IMPORT
    assert usbip.not_imported(Status.BUSY) == bytes.fromhex("0111000300000002")
    assert usbip.device_list([]) == bytes.fromhex("011100050000000000000000")


def test_a_device_as_the_table_lays_it_out():
    listed = usbip.device_list([KEY])
    assert listed[8:12] == b"\0\0\0\1"
    device = listed[12:]
    assert len(device) == 0x138 + 4
    assert device[256:288].rstrip(b"\0") == b"1-3"
    assert struct.unpack(">3I3H6B", device[288:312]) == (
        *(1, 3, 2),
        *(0x1050, 0x0407, 0x0543),
        *(0, 0, 0, 1, 1, 1),
    )
    assert device[312:] == b"\x03\0\0\0"
    assert usbip.imported(KEY) == bytes.fromhex("0111000300000000") + device[:312]


def test_a_bus_id_ends_at_its_zero():
    assert usbip.parse_busid(b"1-1".ljust(32, b"\0")) == "1-1"
    assert usbip.parse_busid(b"1-1\0" + b"x" * 28) == "1-1"
    assert not usbip.parse_busid(b"\xff" * 32).isascii()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes.fromhex("0106800500000000"), "version 0x0106"),
        (bytes.fromhex("0111000500000000"), "unknown request 0x0005"),
        (b"GET / HT", "version 0x4745"),
    ],
)
def test_a_request_that_is_none(data, why):
    with pytest.raises(UsbIpError, match=why):
        usbip.parse_request(data)


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (0, 9, "unknown command 0x00000009"),
        (3, 2, "direction 2"),
        (6, 0x10001, "65537 bytes"),
        (6, 0xFFFFFFFF, "4294967295 bytes"),
        (8, 1, "isochronous"),
    ],
)
def test_a_command_that_is_none(at, value, why):
    words = list(struct.unpack(">12I", INTERRUPT_OUT))
    words[at] = value
    with pytest.raises(UsbIpError, match=why):
        usbip.parse_command(struct.pack(">12I", *words))


words = st.sampled_from([0, 1, 2, 3, 64, 0x10000, 0x10001, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)


@given(st.lists(words, min_size=12, max_size=12).map(lambda each: struct.pack(">12I", *each)))
def test_any_48_bytes_are_a_command_or_none(header):
    try:
        command = usbip.parse_command(header)
    except UsbIpError:
        return
    assert header[4:8] == command.seqnum.to_bytes(4, "big")
    if isinstance(command, Submit):
        assert 0 <= command.data_length <= usbip.MAX_TRANSFER
        assert len(command.setup) == 8


@given(st.binary(min_size=8, max_size=8))
def test_any_8_bytes_are_a_request_or_none(data):
    try:
        request = usbip.parse_request(data)
    except UsbIpError:
        return
    assert data[:4] == b"\x01\x11" + request.to_bytes(2, "big")
