"""Non-volatile storage: keys and values, changed in transactions."""

import itertools
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

# In the header of the file, so that no other program's database is taken for a state file.
_APPLICATION_ID = int.from_bytes(b"TKfl", "big")


class PowerCutError(Exception):
    """The device lost its supply: raised in place of a flash write, or where it is pulled out."""


class FlashError(Exception):
    """The storage cannot be read or written; the message names the file and the cause."""


class Flash(Protocol):
    """A map from text keys to bytes that survives a power cut."""

    def get(self, key: str) -> bytes | None:
        """The value of ``key``, or None."""

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """All pairs whose key starts with ``prefix``, in the order of their keys."""

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Apply all ``changes`` or, at a power cut, none; None deletes a key."""


class MemoryFlash:
    """Storage that lives as long as the process; ``contents`` makes a copy of a device's state."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self.contents: dict[str, bytes] = dict(contents or {})

    def get(self, key: str) -> bytes | None:
        return self.contents.get(key)

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        return iter(sorted((k, v) for k, v in self.contents.items() if k.startswith(prefix)))

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self.contents.pop(key, None)
            else:
                self.contents[key] = value


class SqliteFlash:
    """Storage in one SQLite file, made if absent, readable by its owner only (mode 0600).

    Raises :class:`FlashError` if the file is no flash file, is locked by another device, or the
    disk is full; a failed write changes nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            # Made before SQLite opens it, so that there is no moment with a wider mode.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            _check_regular(self._path)
            self._db = self._connect()
        except (OSError, ValueError, sqlite3.Error) as error:
            raise _unusable(self._path, error) from error
        try:
            self._take()
            self._path.chmod(0o600)
        except (OSError, sqlite3.Error) as error:
            self._db.close()
            raise _unusable(self._path, error) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=1, isolation_level=None, check_same_thread=False)

    def _take(self) -> None:
        """Lock the file for as long as the device is plugged in; lay out a new one."""
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        with self._db:
            self._db.execute("BEGIN EXCLUSIVE")
            if not _is_laid_out(self._db):
                _lay_out(self._db)

    def get(self, key: str) -> bytes | None:
        rows = self._rows("SELECT key, value FROM flash WHERE key = ?", key)
        return rows[0][1] if rows else None

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        rows = self._rows("SELECT key, value FROM flash WHERE key >= ? ORDER BY key", prefix)
        return itertools.takewhile(lambda row: row[0].startswith(prefix), rows)

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        try:
            with self._db:  # commits, or rolls back on any exception
                self._db.execute("BEGIN IMMEDIATE")
                for key, value in changes.items():
                    if value is None:
                        self._db.execute("DELETE FROM flash WHERE key = ?", (key,))
                    else:
                        self._db.execute("INSERT OR REPLACE INTO flash VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise FlashError(f"{self._path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    def _rows(self, sql: str, value: str) -> list[tuple[str, bytes]]:
        try:
            return self._db.execute(sql, (value,)).fetchall()
        except sqlite3.Error as error:
            raise FlashError(f"{self._path}: {error}") from error


def read_flash(path: Path) -> dict[str, bytes]:
    """What the flash file at ``path`` holds, changing nothing; FlashError as SqliteFlash."""
    try:
        _check_regular(path)
        os.close(os.open(path, os.O_RDONLY))  # says why not, which SQLite does not
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as db:
            db.execute("BEGIN")
            if not _is_laid_out(db):
                return {}
            return dict(db.execute("SELECT key, value FROM flash ORDER BY key"))
    except (OSError, ValueError, sqlite3.Error) as error:
        raise _unusable(path, error) from error


def flash_image(contents: Mapping[str, bytes]) -> bytes:
    """The bytes of a flash file that holds ``contents``, and no trace of what was deleted."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _lay_out(db)
        db.executemany("INSERT INTO flash VALUES (?, ?)", contents.items())
        return db.serialize()


def _lay_out(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    db.execute("CREATE TABLE flash (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")


def _is_laid_out(db: sqlite3.Connection) -> bool:
    """False if there is nothing yet; DatabaseError for what another program made."""
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        return False
    if db.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
        raise sqlite3.DatabaseError("it is another program's database")
    return True


def _check_regular(path: Path) -> None:
    """OSError for what is no file: never lock or chmod a device."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file")


def _unusable(path: Path, error: Exception) -> FlashError:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_BUSY:
        reason = f"another key or program uses it ({reason})"
    elif code == sqlite3.SQLITE_READONLY_ROLLBACK:
        reason = "a power cut left it in the middle of a write: open its key once to mend it"
    return FlashError(f"{path}: cannot be used as a state file: {reason}")
