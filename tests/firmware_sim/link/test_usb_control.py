"""Control transfers of hosts, right ones and arbitrary ones."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link import usb
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.link.usb_control import ControlEndpoint, StallError
from firmware_sim.profiles import load_profile

IDENTITY = UsbIdentity.of(load_profile("reference"), "0123")
OUTPUT_REPORT = 0x0200


@pytest.fixture
def reports():
    return []


@pytest.fixture
def endpoint(reports):
    return ControlEndpoint(IDENTITY, reports.append)


def setup(kind, request, value=0, index=0, length=0):
    return struct.pack("<BBHHH", kind, request, value, index, length)


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (setup(0x80, 6, 0x0100, 0, 18), IDENTITY.device_descriptor),
        (setup(0x80, 6, 0x0100, 0, 8), IDENTITY.device_descriptor[:8]),
        (setup(0x80, 6, 0x0200, 0, 0xFFFF), usb.CONFIGURATION_DESCRIPTOR),
        (setup(0x80, 6, 0x0302, 0x0409, 255), IDENTITY.string_descriptor(2)),
        (setup(0x81, 6, 0x2100, 0, 9), usb.HID_DESCRIPTOR),
        (setup(0x81, 6, 0x2200, 0, 34), REPORT_DESCRIPTOR),
        (setup(0x80, 0, 0, 0, 2), bytes(2)),
        (setup(0x81, 0, 0, 0, 2), bytes(2)),
        (setup(0x82, 0, 0, 0x81, 2), bytes(2)),
        (setup(0x81, 10, 0, 0, 1), b"\0"),
        (setup(0xA1, 1, 0x0100, 0, 64), bytes(64)),
        (setup(0xA1, 3, 0, 0, 1), b"\x01"),
        (setup(0x00, 5, 9), b""),
        (setup(0x01, 11, 0, 0), b""),
        (setup(0x02, 1, 0, 0x81), b""),
        (setup(0x21, 11, 1), b""),
    ],
)
def test_what_a_host_asks_of_a_key(endpoint, packet, answer):
    assert endpoint.transfer(packet) == answer


@pytest.mark.parametrize(
    "packet",
    [
        setup(0x80, 6, 0x0F00, 0, 5),  # BOS
        setup(0x80, 6, 0x0600, 0, 10),  # device qualifier
        setup(0x80, 6, 0x0201, 0, 9),  # a second configuration
        setup(0x80, 6, 0x03EE, 0, 18),  # Microsoft's string
        setup(0x81, 6, 0x2200, 1, 34),  # a second interface
        setup(0x82, 0, 0, 0x82, 2),  # a third endpoint
        setup(0x00, 9, 2),  # a second configuration
        setup(0x01, 11, 1, 0),  # an alternate setting
        setup(0x00, 3, 1),  # remote wake-up
        setup(0xA1, 1, 0x0300, 0, 64),  # a feature report
        setup(0x21, 11, 0),  # the boot protocol
        setup(0xC0, 0x20, 0, 4, 16),  # a vendor's request
    ],
)
def test_what_a_key_has_not_stalls(endpoint, packet):
    with pytest.raises(StallError):
        endpoint.transfer(packet)


def test_configuration_and_idle_rate_are_remembered(endpoint):
    assert endpoint.transfer(setup(0x80, 8, 0, 0, 1)) == b"\0"
    endpoint.transfer(setup(0x00, 9, 1))
    assert endpoint.transfer(setup(0x80, 8, 0, 0, 1)) == b"\x01"
    endpoint.transfer(setup(0x21, 10, 0x7D00))
    assert endpoint.transfer(setup(0xA1, 2, 0, 0, 1)) == b"\x7d"


def test_a_report_may_come_by_endpoint_0(endpoint, reports):
    report = bytes(range(64))
    endpoint.transfer(setup(0x21, 9, OUTPUT_REPORT, 0, 64), report)
    assert reports == [report]
    with pytest.raises(StallError):
        endpoint.transfer(setup(0x21, 9, OUTPUT_REPORT, 0, 64), report[:63])
    assert reports == [report]


fields = st.one_of(
    st.binary(min_size=8, max_size=8),
    st.builds(
        setup,
        st.sampled_from([0x00, 0x01, 0x02, 0x21, 0x80, 0x81, 0x82, 0xA1]),
        st.integers(0, 12),
        st.sampled_from([0, 1, 0x0100, 0x0200, 0x0300, 0x0302, 0x2100, 0x2200]),
        st.sampled_from([0, 0, 1, 0x81]),
        st.integers(0, 80),
    ),
)


@given(st.lists(st.tuples(fields, st.binary(max_size=80))))
def test_any_transfers_are_answered_within_what_was_asked_for_or_stall(transfers):
    reports = []
    endpoint = ControlEndpoint(IDENTITY, reports.append)
    for packet, data in transfers:
        with suppress(StallError):
            answer = endpoint.transfer(packet, data)
            assert len(answer) <= (int.from_bytes(packet[6:], "little") if packet[0] & 0x80 else 0)
    assert all(report in [data for _, data in transfers] for report in reports)
    assert endpoint.transfer(setup(0x80, 6, 0x0100, 0, 18)) == IDENTITY.device_descriptor
