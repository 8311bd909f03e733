"""Vendor commands as the vendors' own tools use them."""

import dataclasses

import pytest
from fido2.ctap import CtapError
from fido2.hid import CtapHidDevice

from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.vendor_commands import VENDOR_COMMANDS
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy


def plug_in(*names, serial_number="VIRTUAL-0012345678", **changes):
    changes = {"device_version": (5, 4, 3), "vendor_commands": names} | changes
    key = SecurityKey(
        dataclasses.replace(load_profile("reference"), **changes),
        clock=SimulatedClock(),
        entropy=SeededEntropy(1),
        serial_number=serial_number,
    )
    return CtapHidDevice(hid_descriptor(key, "test"), InProcessConnection(key))


def tlv(page):
    members, rest = {}, page[1:]
    assert page[0] == len(rest)
    while rest:
        members[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return members


def refused(device, number, data=b""):
    with pytest.raises(CtapError) as raised:
        device.call(number, data)
    return raised.value.code.name


@pytest.mark.parametrize("number", sorted({number for number, _ in VENDOR_COMMANDS.values()}))
def test_none_without_a_word_in_the_profile(number):
    assert refused(plug_in(), number) == "INVALID_COMMAND"


@pytest.mark.parametrize(
    ("versions", "applications", "capabilities"),
    [
        (("U2F_V2", "FIDO_2_0"), (), "0202"),
        (("FIDO_2_0",), ("fido",), "0200"),
        (("U2F_V2",), ("oath", "fido"), "0022"),
    ],
)
def test_yubico_read_config(versions, applications, capabilities):
    device = plug_in("yubico-read-config", versions=versions, card_applications=applications)
    page = device.call(0x42, b"\0")
    assert device.call(0x42) == page
    assert {tag: value.hex() for tag, value in tlv(page).items()} == {
        0x01: capabilities,
        0x02: "00bc614e",
        0x03: capabilities,
        0x04: "01",
        0x05: "050403",
        0x06: "0000",
        0x07: "0f",
        0x08: "00",
        0x0A: "00",
        **({0x0D: capabilities, 0x0E: capabilities} if applications else {}),
    }
    assert refused(device, 0x42, b"\1") == "INVALID_PARAMETER"
    assert refused(device, 0x42, b"\0\0") == "INVALID_LENGTH"


@pytest.mark.parametrize("serial_number", ["", "A1B", "X-4294967296", "²"])
def test_yubico_read_config_without_a_serial_number_that_fits(serial_number):
    device = plug_in("yubico-read-config", serial_number=serial_number)
    assert 0x02 not in tlv(device.call(0x42, b"\0"))


def test_solo():
    device = plug_in("solo-version", "solo-rng")
    assert device.call(0x61) == bytes((5, 4, 3, 1))
    for request, count in ((b"", 57), (b"\0", 57), (b"\x08", 8), (b"\xff", 255)):
        drawn = device.call(0x60, request)
        assert len(drawn) == count
        assert drawn != device.call(0x60, request)


def test_nitrokey_3():
    device = plug_in("nitrokey-version", "nitrokey-uuid", "nitrokey-rng", device_version=(1, 8, 2))
    assert device.call(0x61) == (1 << 22 | 8 << 6 | 2).to_bytes(4, "big")
    assert device.call(0x61, b"\1") == b"1.8.2"
    uuid = device.call(0x62)
    assert len(uuid) == 16
    assert plug_in("nitrokey-uuid").call(0x62) == uuid
    assert plug_in("nitrokey-uuid", serial_number="other").call(0x62) != uuid
    drawn = device.call(0x60)
    assert len(drawn) == 57
    assert drawn != device.call(0x60)
