"""Storage: what is written stays, whole or not at all."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.world.flash import (
    FlashError,
    MemoryFlash,
    PowerCutError,
    SqliteFlash,
    flash_image,
    read_flash,
)

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
changes = st.dictionaries(keys, st.none() | st.binary(max_size=40), max_size=5)
operations = st.lists(st.one_of(changes, st.sampled_from(["power cycle"])), max_size=6)


@settings(max_examples=40)
@given(operations, st.lists(keys, max_size=3))
def test_the_file_holds_what_the_memory_holds(
    operations: list[dict[str, bytes | None] | str], prefixes: list[str]
) -> None:
    memory = MemoryFlash()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.flash"
        file = SqliteFlash(path)
        for operation in operations:
            if isinstance(operation, str):
                file.close()
                file = SqliteFlash(path)
            else:
                memory.write(operation)
                file.write(operation)
            for prefix in ["", *prefixes]:
                assert list(file.items(prefix)) == list(memory.items(prefix))
                assert file.get(prefix) == memory.get(prefix)
        file.close()


class CutConnection(sqlite3.Connection):
    """Loses its supply before the statement number ``statements_left``; then nothing works.

    COMMIT, which sqlite3 sends itself at the end of a ``with``, counts as one.
    """

    statements_left = -1  # no cut

    def spend(self) -> None:
        if self.statements_left == 0:
            raise PowerCutError("the supply is gone")
        self.statements_left -= 1

    def execute(self, sql: str, values: Sequence[str | bytes] = (), /) -> sqlite3.Cursor:
        self.spend()
        return super().execute(sql, values)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]:
        if self.statements_left == 0:
            if error is None:
                self.spend()
            return False  # no supply, no ROLLBACK
        self.spend()
        return super().__exit__(kind, error, traceback)


class CutFlash(SqliteFlash):
    def _connect(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(
            self._path, isolation_level=None, factory=CutConnection, timeout=1
        )
        return self.connection


@settings(max_examples=60)
@given(st.dictionaries(keys, st.binary(max_size=9000), max_size=4), changes, st.integers(0, 8))
def test_a_power_cut_leaves_the_state_before_or_after(
    contents: dict[str, bytes], changes: dict[str, bytes | None], statements: int
) -> None:
    """The file and its journal are taken as they lie on the disk when the supply goes."""
    memory = MemoryFlash(contents)
    before = dict(memory.items())
    memory.write(changes)
    after = dict(memory.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.flash"
        with closing(CutFlash(path)) as flash:
            flash.write(contents)
            flash.connection.statements_left = statements
            done = statements >= len(changes) + 2  # BEGIN, the changes, COMMIT
            if done:
                flash.write(changes)
            else:
                with pytest.raises(PowerCutError):
                    flash.write(changes)
            shutil.copytree(folder, Path(folder) / "disk")
            flash.connection.statements_left = -1
        with closing(SqliteFlash(Path(folder) / "disk" / "key.flash")) as flash:
            assert dict(flash.items()) == (after if done else before)


@pytest.mark.parametrize("statements", range(7))
def test_a_power_cut_while_the_file_is_made_leaves_a_file_that_can_be_used(
    tmp_path: Path, statements: int
) -> None:
    flashes: list[CutFlash] = []

    class Cut(CutFlash):
        def _connect(self) -> sqlite3.Connection:
            flashes.append(self)
            connection = super()._connect()
            self.connection.statements_left = statements
            return connection

    path = tmp_path / "key.flash"
    try:
        Cut(path)
    except PowerCutError:
        assert statements < 6
    else:
        assert statements == 6  # PRAGMA, BEGIN, SELECT, PRAGMA, CREATE, COMMIT
    flashes[0].connection.close()
    with closing(SqliteFlash(path)) as flash:
        flash.write({"a": b"1"})
        assert flash.get("a") == b"1"


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    class SmallDisk(SqliteFlash):
        def _connect(self) -> sqlite3.Connection:
            connection = super()._connect()
            connection.execute("PRAGMA max_page_count = 8")
            return connection

    with closing(SmallDisk(tmp_path / "key.flash")) as flash:
        flash.write({"pin": b"before"})
        with pytest.raises(FlashError, match=r"key\.flash: database or disk is full"):
            flash.write({"pin": b"after", "large": bytes(100_000)})
        assert list(flash.items()) == [("pin", b"before")]
        flash.write({"pin": b"after"})
        assert flash.get("pin") == b"after"


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "key.flash"
    with closing(SqliteFlash(path)) as flash:
        flash.write({"a": b"1"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with closing(SqliteFlash(path)) as flash:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert flash.get("a") == b"1"


def test_one_device_at_a_time_uses_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.flash"
    SqliteFlash(path).close()
    with closing(SqliteFlash(path)) as first:
        with pytest.raises(FlashError, match=r"key\.flash: cannot be used .* locked"):
            SqliteFlash(path)
        first.write({"a": b"1"})
    with closing(SqliteFlash(path)) as second:
        assert second.get("a") == b"1"


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, though long enough to have a header of one hundred bytes" * 3)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE flash (key TEXT, value BLOB)")
    database.close()
    for path in (text, other):
        path.chmod(0o644)
        content = path.read_bytes()
        with pytest.raises(FlashError, match="cannot be used as a state file"):
            SqliteFlash(path)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(FlashError, match="cannot be used as a state file"):
        SqliteFlash(tmp_path)
    with pytest.raises(FlashError, match="cannot be used as a state file"):
        SqliteFlash(tmp_path / "missing" / "key.flash")


def test_a_path_that_sqlite_cannot_open_is_a_flash_error(tmp_path: Path) -> None:
    class Unopenable(SqliteFlash):
        def _connect(self) -> sqlite3.Connection:
            raise sqlite3.OperationalError("unable to open database file")

    with pytest.raises(FlashError, match="unable to open"):
        Unopenable(tmp_path / "key.flash")


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """No lock and no other mode for a device that all programs share."""
    null = Path(os.devnull)
    before = null.stat().st_mode
    os.mkfifo(tmp_path / "pipe")
    for path in (null, tmp_path / "pipe"):
        with pytest.raises(FlashError, match="it is not a regular file"):
            SqliteFlash(path)
        with pytest.raises(FlashError, match="it is not a regular file"):
            read_flash(path)
    assert null.stat().st_mode == before


@given(st.dictionaries(keys, st.binary(max_size=40), max_size=5))
def test_an_image_is_a_file_with_these_contents(contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.flash"
        path.write_bytes(flash_image(contents))
        assert read_flash(path) == contents
        with closing(SqliteFlash(path)) as flash:
            assert dict(flash.items()) == contents


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a #1?&%.flash"  # a path, not a part of a URI
    with closing(SqliteFlash(path)) as flash:
        assert read_fails(path).endswith("another key or program uses it (database is locked)")
        flash.write({"a": b"1"})
    path.chmod(0o400)
    before = path.read_bytes()
    assert read_flash(path) == {"a": b"1"}
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert os.listdir(tmp_path) == [path.name]


def test_reading_what_is_no_flash(tmp_path: Path) -> None:
    empty, text, other = (tmp_path / name for name in ("empty", "text", "other"))
    empty.touch()
    assert read_flash(empty) == {}
    text.write_text("not a database, though long enough to have a header" * 3)
    assert read_fails(text).endswith("file is not a database")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE flash (key TEXT, value BLOB)")
    assert read_fails(other).endswith("it is another program's database")
    assert read_fails(tmp_path / "missing").endswith("No such file or directory")


def test_reading_after_a_power_cut_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """What the interrupted write has left in the file is no state: it is not shown."""
    path = tmp_path / "key.flash"
    with closing(SqliteFlash(path)) as flash:
        flash.write({"a": b"1"})
        flash._db.execute("PRAGMA cache_size = 1")
        flash._db.execute("BEGIN")
        for number in range(50):  # more than the cache holds, so that it is in the file
            flash._db.execute("INSERT INTO flash VALUES (?, ?)", (f"b{number}", bytes(9000)))
        shutil.copytree(tmp_path, tmp_path / "disk")
        flash._db.execute("ROLLBACK")
    assert "open its key once" in read_fails(tmp_path / "disk/key.flash")
    SqliteFlash(tmp_path / "disk/key.flash").close()
    assert read_flash(tmp_path / "disk/key.flash") == {"a": b"1"}


def read_fails(path: Path) -> str:
    with pytest.raises(FlashError) as caught:
        read_flash(path)
    assert str(caught.value).startswith(f"{path}: cannot be used as a state file: ")
    return str(caught.value)


def test_a_closed_file_is_a_flash_error(tmp_path: Path) -> None:
    flash = SqliteFlash(tmp_path / "key.flash")
    flash.close()
    flash.close()
    for use in (lambda: flash.get("a"), flash.items, lambda: flash.write({"a": b"1"})):
        with pytest.raises(FlashError, match="closed"):
            use()


def test_a_copy_of_memory_is_a_device_of_its_own() -> None:
    first = MemoryFlash({"a": b"1"})
    second = MemoryFlash(first.contents)
    second.write({"a": None})
    assert first.get("a") == b"1"
    assert second.get("a") is None
