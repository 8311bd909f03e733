"""A verifier's database as one file, which restores into SQLite and PostgreSQL alike.

The file is gzip (RFC 1952) over JSON Lines: what it is and how many rows come; then each table's
name and columns, and its rows as lists, bytes in base64; at the end the number of rows and the
SHA-256 of all lines before. Secrets in it are as in the database: seeds and access keys sealed,
passwords hashed. Ceremonies and sessions that are under way are left out: a session that was ended
must not come to life again.
"""

import base64
import gzip
import hashlib
import json
import math
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import (
    Connection,
    LargeBinary,
    Table,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from tokenkit.verifier import records
from tokenkit.verifier.drift import expected, likely, limits_of
from tokenkit.verifier.errors import StoreError
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.verifier.private_file import new_private_file
from tokenkit.verifier.store import (
    VERSION,
    Store,
    audit,
    ceremonies,
    console_sessions,
    devices,
    metadata,
)
from tokenkit.verifier.totp import step

KIND = "tokenkit verifier backup"
# How fast a token's clock may run away from the others: whoever signed in after the backup has
# used codes of a clock that the backup knows nothing of. Quartz in a pocket stays far within it.
_DRIFT = 1e-4
_POLICY = TotpPolicy()
_LEFT_OUT = {ceremonies, console_sessions}
_TABLES = [table for table in metadata.sorted_tables if table not in _LEFT_OUT]
_AT_ONCE = 1000  # rows
_LONGEST_LINE = 1 << 24  # bytes
_FAST = 1  # of gzip's levels: the others take several times as long for a tenth of the size

Progress = Callable[[int, int], None]  # how many rows of how many


@dataclass(frozen=True)
class Restored:
    """``made_s`` is when the backup was made; codes are accepted again in ``wait_s`` seconds."""

    rows: int
    made_s: float
    wait_s: float


class _Header(msgspec.Struct):
    kind: str
    format: int
    made_s: float
    rows: int


class _TableHeader(msgspec.Struct):
    table: str
    columns: list[str]


class _Trailer(msgspec.Struct):
    rows: int
    sha256: str


def backup(
    store: Store,
    path: Path,
    *,
    now: Callable[[], float] = time.time,
    progress: Progress = lambda done, total: None,
) -> int:
    """Write what is in ``store`` at one moment to a new file, mode 0600; the number of rows.

    Requests go on meanwhile. It is made at ``now``, or at the latest time in the log if that is
    later: the clock of a service may be ahead. StoreError; then there is no file.
    """
    store.demand_current()
    with (
        store.snapshot() as connection,
        new_private_file(path) as file,
        gzip.GzipFile("", "wb", _FAST, file, mtime=0) as packed,
    ):
        return _write(connection, packed, _latest_s(connection, now()), progress)


def restore(
    store: Store,
    path: Path,
    *,
    window_steps: int = _POLICY.max_window_steps,
    until_s: float = -math.inf,
    now: Callable[[], float] = time.time,
    progress: Progress = lambda done, total: None,
) -> Restored:
    """Put what :func:`backup` wrote into ``store``, which must be empty; all of it or nothing.

    Codes that were used since the backup was made must not be accepted again. Nobody knows which
    they are, so all count as used that a device can have shown until now: those of
    ``window_steps`` to come as well, which is the widest window of the policy, and more the older
    the backup is, for clocks that drifted since, by up to 100 ppm.

    The present is ``now``, or when the backup was made if that is later. The clock of a service
    that was moved ahead may have gone on from there: ``until_s`` is how far. StoreError.
    """
    with store.changing_tables() as connection:
        if not store.make_tables(connection):
            raise StoreError(f"{store.name} is not empty: restore into a new database")
        try:
            with path.open("rb") as file, gzip.GzipFile("", "rb", fileobj=file) as packed:
                header = _read(connection, packed, progress)
            now_s = _latest_s(connection, max(now(), header.made_s, until_s))
            wait_s = _use_up_codes(connection, now_s, header.made_s, window_steps)
        except _BROKEN as error:
            why = getattr(error, "orig", None) or str(error) or type(error).__name__
            raise StoreError(f"{path} is no whole backup: {why}") from error
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror or error}") from error
        if connection.dialect.name == "postgresql":
            _continue_counting(connection)
        detail = {"made_s": header.made_s, "rows": header.rows}
        records.insert_audit(connection, now_s, "restore", None, None, detail)
    store.write_ahead()
    return Restored(header.rows, header.made_s, wait_s)


# what comes of bytes that are no backup, or a part of one
_BROKEN = (
    ArithmeticError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    DataError,
    IntegrityError,
    gzip.BadGzipFile,
    msgspec.MsgspecError,
    zlib.error,
)


def _latest_s(connection: Connection, now_s: float) -> float:
    """The present by a clock that was never behind the log."""
    return max(now_s, records.latest_audit_s(connection) or now_s)


def _write(connection: Connection, file: BinaryIO | Any, now_s: float, progress: Progress) -> int:
    counts = [select(func.count()).select_from(table) for table in _TABLES]
    total = sum(connection.scalars(count).one() for count in counts)
    done, digest = 0, hashlib.sha256()

    def put(value: object) -> None:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        digest.update(line)
        file.write(line)

    put(msgspec.structs.asdict(_Header(KIND, VERSION, now_s, total)))
    for table in _TABLES:
        put(msgspec.structs.asdict(_TableHeader(table.name, table.c.keys())))
        query = select(table).order_by(*table.primary_key)
        rows = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
        for part in rows.partitions():
            for row in part:
                put([_packed(value) for value in row])
            done += len(part)
            progress(done, total)
    file.write(json.dumps({"rows": done, "sha256": digest.hexdigest()}).encode() + b"\n")
    return done


def _packed(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _read(connection: Connection, file: Any, progress: Progress) -> _Header:
    """Insert all rows. What is wrong is an error of ``_BROKEN``, or of the database."""
    digest = hashlib.sha256()
    lines = _lines(file, digest)
    header = msgspec.convert(next(lines, None), _Header)
    if header.kind != KIND:
        raise ValueError("it is another kind of file")
    if header.format != VERSION:
        raise StoreError(
            f"the backup has format {header.format}, this tokenkit restores {VERSION}: restore it"
            " with the tokenkit that made it, then run tokenkit db migrate"
        )
    if not math.isfinite(header.made_s):
        raise ValueError("it was made at no time")
    tables = {table.name: table for table in _TABLES}
    put = _Inserts(connection)
    done, before = 0, digest.hexdigest()
    for line in lines:
        if isinstance(line, list):
            put.row(line)
            done += 1
            if done % _AT_ONCE == 0:
                progress(done, header.rows)
        elif "table" in line:
            named = msgspec.convert(line, _TableHeader)
            put.begin(tables.pop(named.table), named.columns)
        else:
            trailer = msgspec.convert(line, _Trailer)
            if tables or not trailer.rows == done == header.rows or trailer.sha256 != before:
                raise ValueError("its contents are not those that were written")
            if next(lines, None) is not None:
                raise ValueError("it goes on after its end")
            put.flush()
            progress(done, header.rows)
            return header
        before = digest.hexdigest()
    raise ValueError("it was cut off")


def _lines(file: Any, digest: Any) -> Iterator[Any]:
    while line := file.readline(_LONGEST_LINE):
        digest.update(line)
        yield json.loads(line)


class _Inserts:
    """Rows of one table after the other, many at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._table: Table | None = None
        self._columns: list[str] = []
        self._are_bytes: list[bool] = []
        self._rows: list[dict[str, Any]] = []

    def begin(self, table: Table, columns: list[str]) -> None:
        self.flush()
        self._table, self._columns = table, columns
        self._are_bytes = [isinstance(table.c[name].type, LargeBinary) for name in columns]

    def row(self, values: list[Any]) -> None:
        unpacked = (
            base64.b64decode(value, validate=True) if is_bytes and value is not None else value
            for value, is_bytes in zip(values, self._are_bytes, strict=True)
        )
        self._rows.append(dict(zip(self._columns, unpacked, strict=True)))
        if len(self._rows) == _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._table is not None and self._rows:
            self._connection.execute(insert(self._table), self._rows)
        self._rows = []


def _use_up_codes(connection: Connection, now_s: float, made_s: float, window_steps: int) -> float:
    """Count as used what devices can have shown until now; for how many seconds to come."""
    drift_s = _DRIFT * max(0.0, now_s - made_s)
    changes, wait_s = [], 0.0
    for row in connection.execute(select(devices).where(devices.c.seed.is_not(None))):
        ahead = window_steps + math.ceil(drift_s / row.period_s)
        now_step = step(now_s, row.period_s)
        shown, slow_s = now_step + row.offset_steps, float(row.offset_steps * row.period_s)
        clock, limits = records.learned_clock(row), limits_of(_POLICY, row.period_s)
        if clock is not None:  # what a policy of drift = "rate" takes it to show
            shown = max(shown, expected(clock, limits, now_s))
            slow_s = min(slow_s, likely(clock, limits, now_s)[0])
        counter = shown + ahead
        if row.last_counter is not None and row.last_counter > counter:
            continue  # a clock that was ahead
        changes.append({"key": row.serial_number, "counter": counter})
        # a token that is as slow as it may be is the last to show the next one
        wait_s = max(wait_s, (counter + 1) * row.period_s - slow_s - now_s)
    if changes:
        change = update(devices).where(devices.c.serial_number == bindparam("key"))
        connection.execute(change.values(last_counter=bindparam("counter")), changes)
    return wait_s


def _continue_counting(connection: Connection) -> None:
    """PostgreSQL counts the log's lines apart from their ids."""
    counts = func.pg_get_serial_sequence(literal(audit.name), literal("id"))
    last = select(func.setval(counts, func.max(audit.c.id))).select_from(audit)
    connection.execute(last)
