"""Files that hold whatever was said, when their program is killed, and when the disk is full."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tokenkit.keys.trace.capture import TraceError
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.reports import read_trace
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.virtual import World

REPORT = bytes(range(64))
KEY = UsbIdentity("a key", "123", 0x1209, 1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    times = iter([1000.0, 1000.25, 1000.5, 2000.000001])
    with TraceWriter(tmp_path / "trace", now=lambda: next(times)) as writer:
        tap = writer.hid(KEY)
        tap(True, REPORT)
        tap(False, REPORT[::-1])
        tap(False, REPORT)
    reports = read_trace(tmp_path / "trace").reports
    assert [(each.from_host, each.data) for each in reports] == [
        (True, REPORT),
        (False, REPORT[::-1]),
        (False, REPORT),
    ]
    assert [each.time_s for each in reports] == pytest.approx([1000.25, 1000.5, 2000.000001])
    assert {(each.key, each.card, each.missing) for each in reports} == {("1.1", False, 0)}


def test_each_key_is_a_device(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        taps = [writer.hid(KEY), writer.hid(KEY), writer.card(UsbIdentity("a reader"))]
        for tap in taps:
            tap(True, REPORT)
            tap(False, REPORT)
    reports = read_trace(tmp_path / "trace").reports
    assert [each.key for each in reports] == ["1.1", "1.1", "1.2", "1.2", "1.3", "1.3"]
    assert [each.card for each in reports] == [False] * 4 + [True] * 2
    assert {each.data for each in reports} == {REPORT}


def test_more_keys_than_usb_has_addresses(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        for number in range(128):
            writer.hid(KEY)(True, bytes((number,)) * 64)
    keys = [each.key for each in read_trace(tmp_path / "trace").reports]
    assert keys[126:] == ["1.127", "1.1"]


def test_a_virtual_key_says_who_it_is() -> None:
    key = World(seed=1).security_key("reference")
    name = "tokenkit reference key"
    assert UsbIdentity.of(key) == UsbIdentity(name, key.serial_number, 0x1209, 0x0001)
    assert UsbIdentity.of(World(seed=1).security_key("yubikey-5.4")).serial_number is None


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o644)
    for name, overwrite in (("new", False), ("old", True)):
        TraceWriter(tmp_path / name, overwrite=overwrite).close()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("precious")
    with pytest.raises(TraceError, match="notes is there already"):
        TraceWriter(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "precious"
    with TraceWriter(tmp_path / "notes", overwrite=True) as writer:
        writer.hid(KEY)(True, REPORT)
    assert len(read_trace(tmp_path / "notes").reports) == 1


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="trace: No such file or directory"):
        TraceWriter(tmp_path / "nowhere" / "trace")
    with pytest.raises(TraceError, match="Is a directory"):
        TraceWriter(tmp_path, overwrite=True)


def test_a_killed_program_leaves_all_it_heard(tmp_path: Path) -> None:
    program = f"""
import os, signal
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.keys.trace.descriptors import UsbIdentity
tap = TraceWriter({str(tmp_path / "trace")!r}).hid(UsbIdentity())
for number in range(100):
    tap(True, bytes((number,)) * 64)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program])
    assert done.returncode == -signal.SIGKILL
    trace = read_trace(tmp_path / "trace")
    assert trace.problem is None
    assert [each.data[0] for each in trace.reports] == list(range(100))


def test_a_full_disk_ends_the_trace_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = os.write
    room = 1750

    def write_while_there_is_room(file: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(28, "No space left on device")
        done = write(file, data[:room])
        room -= done
        return done

    writer = TraceWriter(tmp_path / "trace")
    monkeypatch.setattr(os, "write", write_while_there_is_room)
    tap = writer.hid(KEY)
    for number in range(10):
        tap(True, bytes((number,)) * 64)
    monkeypatch.undo()
    tap(True, REPORT)  # there is room again, but what came between is lost
    with pytest.raises(TraceError, match="No space left on device: the trace ends after 2 reports"):
        writer.close()
    writer.close()
    trace = read_trace(tmp_path / "trace")
    assert trace.problem is None
    assert [each.data[0] for each in trace.reports] == [0, 1]
    assert caplog.text.count("No space left on device") == 1


def test_a_full_disk_does_not_hide_what_went_wrong_in_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def session() -> None:
        with TraceWriter(tmp_path / "trace") as writer:
            monkeypatch.setattr(os, "write", full)
            writer.hid(KEY)
            raise KeyError

    with pytest.raises(KeyError):
        session()


def test_a_disk_that_is_full_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TraceError, match="trace: No space left on device"):
        TraceWriter(tmp_path / "trace")


def test_a_tap_outlives_its_writer(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "trace")
    tap = writer.hid(KEY)
    tap(True, REPORT)
    writer.close()
    tap(True, REPORT)
    assert len(read_trace(tmp_path / "trace").reports) == 1


def test_names_of_any_kind_fit(tmp_path: Path) -> None:
    who = UsbIdentity("\N{KEY} " * 200, "\ud800", 0xFFFF, 0xFFFF)
    with TraceWriter(tmp_path / "trace") as writer:
        writer.hid(who)(True, REPORT)
    assert len(read_trace(tmp_path / "trace").reports) == 1
