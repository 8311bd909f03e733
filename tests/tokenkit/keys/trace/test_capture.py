"""pcapng files of any kind: cut off, damaged, foreign."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys.trace.capture import TraceError, read_packets
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.reports import read_trace
from tokenkit.keys.trace.writer import TraceWriter


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("trace") / "whole"
    with TraceWriter(path, now=lambda: 1.0) as writer:
        tap = writer.hid(UsbIdentity("key"))
        for number in range(3):
            tap(True, bytes((number,)) * 64)
    return path.read_bytes()


def count_packets(path: Path) -> tuple[int, str | None]:
    """How many are read, and the complaint at the end."""
    count, complaint = 0, None
    try:
        for _ in read_packets(path):
            count += 1
    except TraceError as error:
        complaint = str(error)
    assert complaint is None or (complaint.startswith(f"{path}: ") and "\n" not in complaint)
    return count, complaint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "an empty file"),
        (b"\n", "not a pcapng file"),
        (b"PK\3\4 some archive", "not a pcapng file"),
        (bytes.fromhex("d4c3b2a1") + bytes(20), "editcap -F pcapng"),
        (bytes.fromhex("a1b23c4d") + bytes(20), "editcap -F pcapng"),
        (b"\n\r\r\n" + bytes(40), "damaged after packet 0"),
        (b"\n\r\r\n\x1c", "ends in the middle"),
        (b"\n\r\r\n", "ends in the middle"),
    ],
)
def test_what_is_no_trace_is_said_in_one_line(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=complaint):
        read_trace(path)
    assert count_packets(path)[0] == 0


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="nothing: No such file or directory"):
        read_trace(tmp_path / "nothing")
    with pytest.raises(TraceError, match="Is a directory"):
        read_trace(tmp_path)


def test_cut_off_anywhere_it_says_so_and_keeps_what_is_whole(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "cut"
    path.write_bytes(whole)
    total, complaint = count_packets(path)
    assert complaint is None
    counts = []
    for size in range(4, len(whole)):
        path.write_bytes(whole[:size])
        count, complaint = count_packets(path)
        counts.append(count)
        # what is cut between two packets is not to be told from a trace that ended there
        assert complaint is None or "ends in the middle" in complaint
        if complaint is None:
            path.write_bytes(whole[: size - 1])
            assert count_packets(path)[1] is not None
    assert counts == sorted(counts)
    assert counts[-1] == total - 1


def test_a_cut_trace_has_a_problem(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "cut"
    path.write_bytes(whole[:-1])
    trace = read_trace(path)
    assert len(trace.reports) == 3  # what is lost is that the last transfer was completed
    with pytest.raises(TraceError, match="ends in the middle of what follows packet 13"):
        trace.require_whole()


def test_a_block_that_claims_gigabytes(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "huge"
    path.write_bytes(whole + b"\6\0\0\0\xfc\xff\xff\xff" + bytes(100))
    with pytest.raises(TraceError, match="damaged after packet 14: a block of 4294967280 bytes"):
        read_trace(path).require_whole()


def test_a_capture_of_something_else(tmp_path: Path, wire: Any) -> None:
    path = wire.capture(tmp_path / "ethernet", 1, [bytes(60)])
    with pytest.raises(TraceError, match=r"its link type is 1, not USB \(189, 220 or 249\)"):
        read_trace(path)


@given(data=st.data())
def test_damage_is_never_a_traceback(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    count_packets(path)
    try:
        reports = read_trace(path).reports
    except TraceError:
        return
    assert reports


@given(content=st.binary(max_size=300))
def test_anything_after_a_header_is_never_a_traceback(
    tmp_path: Path, whole: bytes, content: bytes
) -> None:
    path = tmp_path / "odd"
    path.write_bytes(whole[:104] + content)
    count_packets(path)
