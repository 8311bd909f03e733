"""python-fido2's CtapHidDevice over the in-process port, unmodified."""

import dataclasses
from threading import Event

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CAPABILITY, CTAPHID, CtapHidDevice

from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter


@pytest.fixture
def key():
    return SecurityKey(
        load_profile("reference"),
        clock=SimulatedClock(),
        entropy=SeededEntropy(1),
        serial_number="A1",
    )


def connect(key):
    return CtapHidDevice(hid_descriptor(key, "virtual:test"), InProcessConnection(key))


def test_python_fido2_sees_the_device(key):
    device = connect(key)
    assert device.version == 2
    assert device.device_version == (0, 1, 0)
    assert device.capabilities == CAPABILITY.WINK | CAPABILITY.CBOR
    assert (device.product_name, device.serial_number) == ("tokenkit reference key", "A1")
    assert device.ping(bytes(7609)) == bytes(7609)
    device.wink()
    assert key.winks == 1
    device.lock(1)
    device.lock(0)


def test_a_profile_may_keep_the_serial_number_from_usb(key):
    key.profile = dataclasses.replace(key.profile, usb_serial_number=False)
    assert connect(key).serial_number is None


def test_reading_moves_the_simulated_clock_to_the_touch(key):
    key.finger = TouchAfter(7)
    start_s = key.clock.now()
    Ctap2(connect(key)).selection()
    assert key.clock.now() == start_s + 7


def test_two_connections_have_channels_of_their_own(key):
    one, two = connect(key), connect(key)
    key.finger = TouchAfter(1)

    def meanwhile(status):
        # the other client is told that the key is busy; python-fido2 would retry for ever
        with pytest.raises(CtapError) as raised:
            two._do_call(CTAPHID.PING, b"x", Event(), None)
        assert raised.value.code == CtapError.ERR.CHANNEL_BUSY

    assert one.call(CTAPHID.CBOR, b"\x0b", on_keepalive=meanwhile) == b"\0"
    assert two.ping(b"free again") == b"free again"


def test_reports_nobody_read_do_not_disturb_the_next_client(key):
    first = InProcessConnection(key)
    device = CtapHidDevice(hid_descriptor(key, "x"), first)
    packet = device._channel_id.to_bytes(4, "big") + b"\x81\x00\x01x"
    first.write_packet(packet.ljust(64, b"\0"))
    assert connect(key).ping(b"y") == b"y"
    device.close()
    assert not key.link.reports
    with pytest.raises(OSError, match="closed"):
        device.ping()


def test_waiting_for_nothing_is_an_error_not_a_hang(key):
    device = connect(key)
    with pytest.raises(OSError, match="waits for nothing"):
        device._connection.read_packet()


def test_pulling_the_plug(key):
    device = connect(key)
    key.power_off()
    with pytest.raises(UnpluggedError):
        device.ping()
    device.close()
    key.power_on()
    device = connect(key)
    key.power_cycle()
    with pytest.raises(CtapError) as raised:  # the channel went with the power
        device.ping()
    assert raised.value.code == CtapError.ERR.INVALID_CHANNEL
