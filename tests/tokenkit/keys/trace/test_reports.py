"""Captures of real keys, by usbmon and USBPcap, and what else is on the bus."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys.trace.capture import TraceError
from tokenkit.keys.trace.reports import pick_reports, read_trace
from tokenkit.keys.trace.usb import Transfer

NONCE = b"12345678"
CHANNEL = 0x01020304
INTERRUPT, CONTROL, BULK = 1, 2, 3
Packet = Callable[..., bytes]


def usbmon(
    order: str,
    padded: bool,
    data: bytes,
    device: int,
    endpoint: int,
    kind: int = INTERRUPT,
    event: bytes | None = None,
    length: int | None = None,
) -> bytes:
    """struct usbmon_packet of the Linux kernel (Documentation/usb/usbmon.rst)."""
    head = struct.pack(
        f"{order}QcBBBHBBqiiII8s",
        *(0xFFFF888000000000, event or (b"C" if endpoint & 0x80 else b"S"), kind, endpoint),
        *(device, 3, ord("-"), 0 if data else ord("<"), 0, 0, 0),
        *(len(data) if length is None else length, len(data), bytes(8)),
    )
    return head + struct.pack(f"{order}iiII", 4, 0, 0x200, 0) * padded + data


def usbpcap(
    data: bytes,
    device: int,
    endpoint: int,
    kind: int = INTERRUPT,
    event: bytes | None = None,
    length: int | None = None,
) -> bytes:
    """USBPCAP_BUFFER_PACKET_HEADER; the direction is that of the request, not of the data."""
    up = bool(endpoint & 0x80) if event is None else event == b"C"
    size = len(data) if length is None else length
    head = struct.pack("<HQIHBHHBBI", 27, 1, 0, 9, up, 3, device, endpoint, kind, size)
    return head + data


FORMATS: dict[str, tuple[int, str, Packet]] = {
    "usbmon": (189, "<", lambda *args, **options: usbmon("<", False, *args, **options)),
    "usbmon, padded": (220, "<", lambda *args, **options: usbmon("<", True, *args, **options)),
    "usbmon, big-endian": (220, ">", lambda *args, **options: usbmon(">", True, *args, **options)),
    "USBPcap": (249, "<", usbpcap),
}


@pytest.fixture(params=FORMATS)
def bus(request: pytest.FixtureRequest, tmp_path: Path, wire: Any) -> Callable[..., Any]:
    """Capture transfers, and read the reports and APDUs among them."""
    link_type, order, packet = FORMATS[request.param]

    def capture(*transfers: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
        packets = [packet(*args, **options) for args, options in transfers]
        return read_trace(wire.capture(tmp_path / "capture", link_type, packets, order))

    return capture


def transfer(*args: Any, **options: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, options


def test_a_real_key_among_other_devices(bus: Any, wire: Any) -> None:
    ask = wire.packet(0xFFFFFFFF, 0x06, NONCE)
    answer = wire.packet(0xFFFFFFFF, 0x06, NONCE + CHANNEL.to_bytes(4, "big") + bytes(5))
    get_info = wire.packet(CHANNEL, 0x10, b"\x04")
    trace = bus(
        transfer(bytes(18), 5, 0x80, CONTROL),  # descriptors
        transfer(b"", 7, 0x84, event=b"S"),  # the host waits for the key
        transfer(bytes(8), 5, 0x81),  # a keyboard
        transfer(bytes(64), 6, 0x01),  # some gadget with reports of the same size
        transfer(bytes(64), 6, 0x81),
        transfer(ask, 7, 0x04),
        transfer(b"", 7, 0x04, event=b"C"),
        transfer(bytes(8), 7, 0x81),  # the key's own keyboard
        transfer(b"USBC" + bytes(27), 8, 0x02, BULK),  # a disk
        transfer(answer, 7, 0x84),
        transfer(get_info, 7, 0x04),
    )
    assert [(each.key, each.from_host, each.data) for each in trace.reports] == [
        ("3.7", True, ask),
        ("3.7", False, answer),
        ("3.7", True, get_info),
    ]
    assert not any(each.card for each in trace.reports)
    assert trace.reports[0].time_s == pytest.approx(0.005)


def test_a_capture_that_began_later(bus: Any, wire: Any) -> None:
    get_info = wire.packet(CHANNEL, 0x10, b"\x04")
    trace = bus(transfer(bytes(8), 5, 0x81), transfer(get_info, 7, 4), transfer(get_info, 7, 0x84))
    assert [each.data for each in trace.reports] == [get_info, get_info]


def test_what_was_not_captured_is_counted(bus: Any, wire: Any) -> None:
    ask = wire.packet(0xFFFFFFFF, 0x06, NONCE)
    trace = bus(transfer(ask, 7, 0x04), transfer(ask[:20], 7, 0x04, length=64))
    assert [(len(each.data), each.missing) for each in trace.reports] == [(64, 0), (20, 44)]


def test_a_card_reader(bus: Any) -> None:
    def block(kind: int, data: bytes, sequence: int, status: int = 0) -> bytes:
        return struct.pack("<BIBBBBB", kind, len(data), 0, sequence, status, 0, 0) + data

    select = bytes.fromhex("00a4040008a0000006472f000100")
    trace = bus(
        transfer(block(0x62, b"", 1), 9, 0x02, BULK),  # power on
        transfer(block(0x80, b"\x3b\x80", 1), 9, 0x82, BULK),  # the ATR is no APDU
        transfer(block(0x6F, select, 2), 9, 0x02, BULK),
        transfer(block(0x80, b"", 2, status=0x80), 9, 0x82, BULK),  # wait a moment
        transfer(block(0x80, b"U2F_V2\x90\x00", 2), 9, 0x82, BULK),
        transfer(block(0x65, b"", 3), 9, 0x02, BULK),  # slot status
        transfer(block(0x81, b"", 3), 9, 0x82, BULK),
        transfer(b"\x6f" + bytes(30), 8, 0x02, BULK),  # a disk whose data begins alike
    )
    assert [(each.key, each.card, each.from_host, each.data) for each in trace.reports] == [
        ("3.9", True, True, select),
        ("3.9", True, False, b"U2F_V2\x90\x00"),
    ]


def test_a_bus_without_a_key(bus: Any) -> None:
    with pytest.raises(TraceError, match="no report or APDU of a security key is in it"):
        bus(transfer(bytes(8), 5, 0x81), transfer(bytes(40), 5, 0x02, BULK))


def test_a_capture_of_the_network_too(tmp_path: Path, wire: Any) -> None:
    ask = wire.packet(0xFFFFFFFF, 0x06, NONCE)
    ethernet = wire.capture(tmp_path / "ethernet", 1, [bytes(60)])
    usb = wire.capture(tmp_path / "usb", 220, [usbmon("<", True, ask, 7, 4)])
    both = tmp_path / "both"  # a section each
    both.write_bytes(ethernet.read_bytes() + usb.read_bytes())
    assert [each.data for each in read_trace(both).reports] == [ask]


@pytest.mark.parametrize("link_type", [189, 220, 249])
@given(packets=st.lists(st.binary(min_size=1, max_size=100), max_size=5))
def test_packets_of_any_content_are_never_a_traceback(
    tmp_path: Path, wire: Any, link_type: int, packets: list[bytes]
) -> None:
    path = wire.capture(tmp_path / "odd", link_type, packets)
    try:
        assert read_trace(path).reports
    except TraceError as error:
        complaint = str(error)
        assert complaint.endswith("no report or APDU of a security key is in it")


@given(
    st.lists(
        st.builds(
            Transfer,
            time_s=st.just(0.0),
            bus=st.just(1),
            device=st.integers(1, 2),
            endpoint=st.integers(1, 2),
            from_host=st.booleans(),
            type=st.integers(0, 3),
            data=st.one_of(
                st.binary(max_size=64),
                st.just(bytes.fromhex("ffffffff860008").ljust(64, b"\1")),
                st.builds(
                    lambda kind, data: struct.pack("<BI5x", kind, len(data)) + data,
                    st.sampled_from([0x6F, 0x80]),
                    st.binary(max_size=9),
                ),
            ),
            missing=st.integers(0, 3),
        ),
        max_size=8,
    )
)
def test_every_report_is_somebodys_transfer(transfers: list[Transfer]) -> None:
    reports = pick_reports(transfers)
    assert len(reports) <= len(transfers)
    whole = b"".join(each.data for each in transfers)
    assert all(report.data in whole for report in reports)
