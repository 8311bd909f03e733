"""Events of /dev/uhid, taken apart by a second reading of linux/uhid.h."""

import errno
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_sim.link import uhid

WHO = uhid.HidIdentity("Maker Key", "tokenkit/1/1", "SERIAL-1", 0x1209, 0x0001, 0x0102)
# the offsets of linux/uhid.h: struct uhid_create2_req is packed
NAME, PHYS, UNIQ, NUMBERS, DATA = 4, 132, 196, 260, 280


def text(field: bytes) -> str:
    return field.rstrip(b"\0").decode()


def test_create() -> None:
    event = uhid.create(WHO, b"descriptor")
    assert len(event) == uhid.EVENT_SIZE
    assert uhid.event_type(event) == 11
    assert text(event[NAME:PHYS]) == "Maker Key"
    assert text(event[PHYS:UNIQ]) == "tokenkit/1/1"
    assert text(event[UNIQ:NUMBERS]) == "SERIAL-1"
    numbers = struct.unpack_from("=HHIIII", event, NUMBERS)
    assert numbers == (10, 3, 0x1209, 0x0001, 0x0102, 0)
    assert event[DATA : DATA + 11] == b"descriptor\0"


@given(st.text())
@example("x" * 127)
@example("é" * 64)
def test_names_are_cut_to_their_field_and_end_with_zero(name: str) -> None:
    if "\0" in name:
        return
    event = uhid.create(uhid.HidIdentity(name, "", name, 0, 0, 0), b"")
    for field, size in ((event[NAME:PHYS], 128), (event[UNIQ:NUMBERS], 64)):
        assert len(field) == size
        assert field[-1] == 0
        assert name.startswith(text(field))


def output(data: bytes, size: int, kind: int = 1) -> bytes:
    return struct.pack("=I4096sHB", 6, data, size, kind).ljust(uhid.EVENT_SIZE, b"\0")


def test_an_out_report_loses_its_report_number() -> None:
    assert uhid.out_report(output(b"\0" + b"r" * 64, 65)) == b"r" * 64


@pytest.mark.parametrize(
    "event",
    [output(b"", 0), output(b"\0" * 65, 65, kind=0), output(b"", 4097), b"\6\0\0\0", b""],
    ids=["empty", "a feature report", "too long", "cut off", "nothing"],
)
def test_what_is_no_out_report(event: bytes) -> None:
    assert uhid.out_report(event) is None


@given(st.binary(max_size=uhid.EVENT_SIZE))
def test_any_bytes_are_read_without_harm(event: bytes) -> None:
    report, answer = uhid.out_report(event), uhid.refusal(event)
    assert report is None or len(report) < uhid.MAX_DATA
    assert answer is None or len(answer) == 12


@pytest.mark.parametrize(("request_type", "reply_type"), [(9, 10), (13, 14)])
def test_feature_reports_are_refused_with_their_number(request_type: int, reply_type: int) -> None:
    request = struct.pack("=II", request_type, 77).ljust(uhid.EVENT_SIZE, b"\0")
    reply, number, error, _ = struct.unpack("=IIHH", uhid.refusal(request) or b"")
    assert (reply, number, error) == (reply_type, 77, errno.EIO)


def test_an_in_report() -> None:
    assert uhid.in_report(b"r" * 64) == struct.pack("=IH", 12, 64) + b"r" * 64
    assert uhid.destroy() == struct.pack("=I", 1)
