"""State files are copied, put back, cloned and read while their key has no power."""

import errno
import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import state_file
from firmware_sim.fido import cbor
from firmware_sim.identity import Identity, read_identity
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.state_file import clone_state, inspect_state, restore_state, snapshot_state
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.flash import FlashError, SqliteFlash, read_flash

CREDENTIAL = {
    1: "example.com",
    2: {"id": b"\x01", "name": "alice"},
    3: -7,
    4: bytes(31) + b"\x05",
    5: 1,
    6: {},
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The file of a key with two credentials, a PIN and settings of its own."""
    path = tmp_path / "key.state"
    change(
        path,
        {
            "credential/aa": cbor.encode(CREDENTIAL | {5: 2, 2: {"id": b"\x02", "name": "bob"}}),
            "credential/bb": cbor.encode(CREDENTIAL),
            "signature-counter": (7).to_bytes(4, "big"),
            "pin/hash": b"sixteen bytes.. ",
            "pin/retries": b"\x05",
            "fingerprint/0001": cbor.encode({1: "left thumb", 2: "thumb"}),
            "fingerprint/0002": cbor.encode({1: "nose"}),
            "uv/retries": b"\x02",
            "settings/enterprise-attestation": b"\x01",
            "settings/min-pin-length": b"\x06",
            "settings/min-pin-rp-ids": cbor.encode(["example.com"]),
        },
    )
    return path


def change(path: Path, changes: dict[str, bytes]) -> None:
    """Power the key in ``path`` up once, and write."""
    with closing(SqliteFlash(path)) as flash:
        profile = load_profile("reference")
        SecurityKey(
            profile,
            clock=SimulatedClock(),
            entropy=SeededEntropy(1),
            flash=flash,
            serial_number="A-1",
        )
        flash.write(changes)


def test_inspecting(state: Path) -> None:
    before = state.read_bytes(), state.stat()
    key = inspect_state(state)
    assert (state.read_bytes(), state.stat()) == before
    assert key.identity == Identity("reference", "A-1")
    assert (key.pin_is_set, key.pin_must_change, key.pin_retries) == (True, False, 5)
    assert (key.fingerprints, key.uv_retries) == (["thumb", "0002"], 2)
    assert (key.always_uv, key.enterprise_attestation) == (False, True)
    assert (key.pin_complexity, key.long_touch_for_reset) == (False, False)
    assert (key.signature_counter, key.counters) == (7, {b"\xaa": 7, b"\xbb": 7})
    assert (key.min_pin_length, key.min_pin_rp_ids) == (6, ["example.com"])
    assert [(each.created, each.rp_id) for each in key.credentials] == [
        (1, "example.com"),
        (2, "example.com"),
    ]
    assert key.contents == read_flash(state)
    for secret in (key.credentials[0].key.secret, key.contents["pin/hash"]):
        assert repr(secret) not in repr(key)


@pytest.mark.parametrize(("counter", "counts"), [("credential", (0, 3)), ("zero", (0, 0))])
def test_inspecting_a_key_without_a_global_counter(
    state: Path, monkeypatch: pytest.MonkeyPatch, counter: Any, counts: tuple[int, int]
) -> None:
    profile = replace(load_profile("reference"), signature_counter=counter)
    monkeypatch.setattr(state_file, "load_profile", lambda name: profile)
    digest = hashlib.sha256(b"\xbb").hexdigest()[:32]
    change(state, {f"signature-counter/{digest}": b"\0\0\0\x03"})
    key = inspect_state(state)
    assert key.signature_counter is None
    assert (key.counters[b"\xaa"], key.counters[b"\xbb"]) == counts


def test_inspecting_does_not_finish_what_the_key_has_begun(tmp_path: Path) -> None:
    """A key that lost its power before it had a wrap key has none afterwards."""
    path = tmp_path / "key.state"
    with closing(SqliteFlash(path)) as flash:
        flash.write(Identity("reference", "A-1").changes)
    before = read_flash(path)
    assert inspect_state(path).credentials == []
    assert read_flash(path) == before


def test_a_snapshot_is_a_state_file_and_comes_back(state: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "key.snapshot"
    then = read_flash(state)
    assert snapshot_state(state, snapshot).serial_number == "A-1"
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    assert read_flash(snapshot) == then
    change(state, {"signature-counter": b"\0\0\0\x09", "credential/cc": cbor.encode(CREDENTIAL)})
    assert restore_state(snapshot, state).serial_number == "A-1"
    assert read_flash(state) == then
    assert sorted(os.listdir(tmp_path)) == ["key.snapshot", "key.state"]


def test_a_snapshot_keeps_no_trace_of_what_was_deleted(state: Path, tmp_path: Path) -> None:
    secret = b"a secret of long ago" * 9
    change(state, {"old": secret})
    with closing(SqliteFlash(state)) as flash:
        flash.write({"old": None})
    snapshot_state(state, tmp_path / "copy")
    assert secret not in (tmp_path / "copy").read_bytes()


def test_restoring_makes_a_file_where_there_is_none(state: Path, tmp_path: Path) -> None:
    snapshot_state(state, tmp_path / "copy")
    state.unlink()
    restore_state(tmp_path / "copy", state)
    assert inspect_state(state).signature_counter == 7
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_a_kill_while_restoring_leaves_the_old_or_the_new(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk as it is before each statement of SQLite's, and at the end."""
    box, disks = tmp_path / "box", tmp_path / "disks"
    box.mkdir()
    snapshot_state(state, box / "copy")
    change(state, {"signature-counter": b"\0\0\0\x09", "credential/cc": cbor.encode(CREDENTIAL)})
    snapshot_state(state, box / "key.state")
    old, new = read_flash(box / "key.state"), read_flash(box / "copy")
    connect = SqliteFlash._connect

    def watched(self: SqliteFlash) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA cache_size = 1")
        connection.set_trace_callback(
            lambda sql: shutil.copytree(box, disks / str(len(os.listdir(disks))))
        )
        return connection

    disks.mkdir()
    monkeypatch.setattr(SqliteFlash, "_connect", watched)
    restore_state(box / "copy", box / "key.state")
    monkeypatch.undo()
    shutil.copytree(box, disks / "end")
    seen = []
    for disk in sorted(disks.iterdir()):
        SqliteFlash(disk / "key.state").close()
        seen.append(read_flash(disk / "key.state"))
    assert len(seen) > 10
    assert [contents for contents in seen if contents not in (old, new)] == []
    assert seen[0] == old
    assert seen[-1] == new


def test_a_full_disk_leaves_the_old(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(state, {"large": bytes(100_000)})
    snapshot_state(state, tmp_path / "copy")
    with closing(SqliteFlash(tmp_path / "small")) as flash:
        flash.write(Identity("reference", "A-1").changes)
    before = read_flash(tmp_path / "small")
    connect = SqliteFlash._connect

    def small_disk(self: SqliteFlash) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(SqliteFlash, "_connect", small_disk)
    with pytest.raises(FlashError, match="small: database or disk is full"):
        restore_state(tmp_path / "copy", tmp_path / "small")
    assert read_flash(tmp_path / "small") == before

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for act in (snapshot_state, clone):
        with pytest.raises(OSError, match="No space left") as caught:
            act(state, tmp_path / "new")
        assert caught.value.filename == str(tmp_path / "new")
    assert sorted(os.listdir(tmp_path)) == ["copy", "key.state", "small"]


def clone(state: Path, new: Path) -> Identity:
    return clone_state(state, new, SeededEntropy(2))


def test_a_clone_knows_the_same_and_is_another_key(state: Path, tmp_path: Path) -> None:
    twin = clone(state, tmp_path / "twin")
    assert twin.profile == "reference"
    assert twin.serial_number != "A-1"
    assert stat.S_IMODE((tmp_path / "twin").stat().st_mode) == 0o600
    first, second = read_flash(state), read_flash(tmp_path / "twin")
    assert [key for key in first if first[key] != second[key]] == ["device/serial-number"]
    assert first.keys() == second.keys()
    with closing(SqliteFlash(tmp_path / "twin")) as flash:
        assert read_identity(flash) == twin


def test_what_is_there_stays(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    snapshot_state(state, other)
    change(other, {"large-blobs": b"its own"})
    before = other.read_bytes()
    for act in (snapshot_state, clone):
        with pytest.raises(FileExistsError) as caught:
            act(state, other)
        assert caught.value.filename == str(other)
    assert other.read_bytes() == before
    snapshot_state(state, other, overwrite=True)
    assert read_flash(other) == read_flash(state)
    assert len(os.listdir(tmp_path)) == 2


def test_overwriting_replaces_snapshots_alone(state: Path, tmp_path: Path) -> None:
    letter, folder = tmp_path / "letter", tmp_path / "folder"
    letter.write_text("a love letter, and a long one, which nobody has another copy of" * 9)
    folder.mkdir()
    for path in (letter, folder):
        with pytest.raises(FlashError, match="cannot be used as a state file"):
            snapshot_state(state, path, overwrite=True)
    with closing(SqliteFlash(tmp_path / "open")), pytest.raises(FlashError, match="uses it"):
        snapshot_state(state, tmp_path / "open", overwrite=True)
    assert letter.read_text().startswith("a love letter")


Act = Callable[[Path, Path], Any]


@pytest.mark.parametrize(
    "act", [snapshot_state, restore_state, clone, lambda state, _: inspect_state(state)]
)
def test_what_cannot_be_read_makes_nothing(act: Act, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, though long enough to have a header" * 9)
    (tmp_path / "empty").touch()
    with closing(sqlite3.connect(tmp_path / "other")) as database:
        database.execute("CREATE TABLE flash (key TEXT, value BLOB)")
    with closing(SqliteFlash(tmp_path / "token")) as flash:
        flash.write({"hotp-counter": b"1"})
    with closing(SqliteFlash(tmp_path / "odd")) as flash:
        flash.write({"device/profile": b"\xff", "device/serial-number": b"1"})
    before = sorted(os.listdir(tmp_path))
    for name, reason in {
        "missing": "No such file or directory",
        "text": "file is not a database",
        "other": "another program's database",
        ".": "it is not a regular file",
        "empty": "it holds no security key",
        "token": "it holds no security key",
        "odd": "it holds no security key",
    }.items():
        with pytest.raises(FlashError, match=reason) as caught:
            act(tmp_path / name, tmp_path / "new")
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("act", [snapshot_state, restore_state, clone])
def test_a_file_and_itself(act: Act, state: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(state)
    (tmp_path / "hard").hardlink_to(state)
    before = state.read_bytes()
    for name in ("key.state", "link", "hard"):
        with pytest.raises(FlashError, match="it is the same file as"):
            act(state, tmp_path / name)
    assert state.read_bytes() == before


def test_a_key_in_use(state: Path, tmp_path: Path) -> None:
    snapshot_state(state, tmp_path / "copy")
    with closing(SqliteFlash(state)):
        for act in (snapshot_state, clone, lambda state, _: inspect_state(state)):
            with pytest.raises(FlashError, match="another key or program uses it"):
                act(state, tmp_path / "new")
        with pytest.raises(FlashError, match="another key or program uses it"):
            restore_state(tmp_path / "copy", state)


def test_another_devices_state_is_not_restored_over(state: Path, tmp_path: Path) -> None:
    with closing(SqliteFlash(tmp_path / "token")) as flash:
        flash.write({"hotp-counter": b"1"})
    with pytest.raises(FlashError, match="token: it holds no security key"):
        restore_state(state, tmp_path / "token")
    assert read_flash(tmp_path / "token") == {"hotp-counter": b"1"}


@pytest.mark.parametrize(
    "changes",
    [{"credential/aa": b"\xff"}, {"credential/aa": b"\xa0"}, {"device/profile": b"my own"}],
)
def test_a_damaged_key(state: Path, changes: dict[str, bytes]) -> None:
    with closing(SqliteFlash(state)) as flash:
        flash.write(changes)
    with pytest.raises(FlashError, match=r"key\.state: its key cannot be powered up: "):
        inspect_state(state)


def test_no_permission(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:  # root may read all
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(FlashError, match=r"key\.state.*Permission denied"):
            snapshot_state(state, tmp_path / "new")
