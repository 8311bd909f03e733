"""The verifier's database: its tables, and transactions on them. SQLAlchemy; no rules in here."""

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from tokenkit.errors import MissingExtraError
from tokenkit.verifier.chain import FIRST
from tokenkit.verifier.errors import StoreError
from tokenkit.verifier.shared_sync import SharedSync

VERSION = 2  # of the format: what is in the tables below
_LOCK_TIMEOUT_S = 30.0
_CONNECTIONS = 32
_LOCK_ID = 0x746F6B656E6B6974  # of PostgreSQL's advisory lock for whoever makes or changes tables

metadata = MetaData()
_BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up in INTEGER alone

about = Table(
    "mfa_about",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("seal_check", LargeBinary, nullable=False),
)
users = Table(
    "mfa_user",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("handle", LargeBinary, nullable=False, unique=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("path", String(512), nullable=False),
    Column("created_s", Double, nullable=False),
    # for the console
    Column("password", String(512), nullable=True),
    Column("password_changed_s", Double, nullable=True),
    Column("password_used_s", Double, nullable=True),
    Column("password_failures", Integer, nullable=False, default=0),
    Column("password_failed_s", Double, nullable=False, default=0.0),
)
access_keys = Table(
    "mfa_access_key",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("user", ForeignKey("mfa_user.name"), nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("active", Boolean, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("used_s", Double, nullable=True),
    Column("used_service", String(32), nullable=True),
    Column("used_region", String(64), nullable=True),
)
user_policies = Table(
    "mfa_user_policy",
    metadata,
    Column("user", ForeignKey("mfa_user.name"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
roles = Table(
    "mfa_role",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("path", String(512), nullable=False),
    Column("created_s", Double, nullable=False),
    Column("trust_policy", Text, nullable=False),
    Column("description", String(1000), nullable=False, default=""),
    Column("max_session_s", Integer, nullable=False),
)
role_policies = Table(
    "mfa_role_policy",
    metadata,
    Column("role", ForeignKey("mfa_role.name"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
devices = Table(
    "mfa_device",
    metadata,
    Column("serial_number", String(256), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("name", String(256), nullable=False, default=""),
    Column("user", ForeignKey("mfa_user.name"), nullable=True),
    Column("created_s", Double, nullable=False),
    Column("enabled_s", Double, nullable=True),
    Column("last_used_s", Double, nullable=True),
    # tokens and apps
    Column("algorithm", String(8), nullable=False, default=""),
    Column("digits", Integer, nullable=False, default=0),
    Column("period_s", Integer, nullable=False, default=0),
    Column("seed", LargeBinary, nullable=True),
    Column("offset_steps", BigInteger, nullable=False, default=0),
    Column("last_counter", BigInteger, nullable=True),
    Column("failures", Integer, nullable=False, default=0),
    Column("failed_s", Double, nullable=False, default=0.0),
    # what is learned of their clocks, see drift.py; null until two codes were given
    Column("synced_s", Double, nullable=True),
    Column("synced_offset_s", Double, nullable=True),
    Column("learned_s", Double, nullable=True),
    Column("offset_s", Double, nullable=True),
    Column("rate", Double, nullable=True),
    Column("offset_variance", Double, nullable=True),
    Column("covariance", Double, nullable=True),
    Column("rate_variance", Double, nullable=True),
    # security keys
    Column("credential_id", LargeBinary, nullable=True, unique=True),
    Column("credential", LargeBinary, nullable=True),
    Column("sign_count", BigInteger, nullable=False, default=0),
    Column("clone_suspected", Boolean, nullable=False, default=False),
    Column("attestation_format", String(32), nullable=True),
    Column("transports", JSON, nullable=True),
    # what metadata knows a proven model by: its AAGUID, or the identifier of its U2F key
    Column("attested_model", String(40), nullable=True),
    Index("mfa_device_user", "user"),
)
tags = Table(
    "mfa_tag",
    metadata,
    Column("resource", String(1024), primary_key=True),  # a device's serial number, or an ARN
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)
ceremonies = Table(
    "mfa_ceremony",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("user", ForeignKey("mfa_user.name"), nullable=False),
    Column("state", JSON, nullable=False),
    Column("expires_s", Double, nullable=False, index=True),
)
console_sessions = Table(
    "mfa_console_session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),  # SHA-256 of what is in the cookie
    Column("user", ForeignKey("mfa_user.name"), nullable=False, index=True),
    Column("state", JSON, nullable=False),
    Column("expires_s", Double, nullable=False, index=True),
)
audit = Table(
    "mfa_audit",
    metadata,
    Column("id", _BigId, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("event", String(64), nullable=False),
    Column("user", String(64), nullable=True),
    Column("serial_number", String(256), nullable=True),
    Column("detail", JSON, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256 over the line before's and this line
)
audit_head = Table(
    "mfa_audit_head",
    metadata,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("lines", _BigId, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)


# Alembic's note of what was migrated; its format is Alembic's, so it is none of ours to migrate
migrated = Table(
    "mfa_migration", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False)
)


def is_in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def parse_url(url: str) -> URL:
    """StoreError if ``url`` is none of SQLAlchemy's."""
    try:
        return make_url(url)
    except ArgumentError:
        raise StoreError(  # without it: it may have a password that nobody finds in it
            "that is no database URL: write sqlite:///FILE or postgresql+psycopg://HOST/NAME"
        ) from None


class Store:
    """An open database. StoreError if it cannot be opened.

    A new SQLite file has mode 0600; one is made only if ``make`` says so.
    """

    def __init__(self, url: URL, *, make: bool = True) -> None:
        # a password may be in the query, too, as the driver's parameters are
        self.name = url.set(query={}).render_as_string(hide_password=True)
        in_memory = is_in_memory(url)
        is_sqlite = url.get_backend_name() == "sqlite"
        # Writers of SQLite come one at a time: those of a process queue here, which is fair and
        # wakes them at once, others in SQLite, which looks again after a while. One connection is
        # all there is of a database in memory: its readers queue, too.
        self._writing: AbstractContextManager[Any] = (
            threading.Lock() if is_sqlite else nullcontext()
        )
        self._reading = self._writing if in_memory else nullcontext()
        self._is_file = is_sqlite and not in_memory
        self._log: SharedSync | None = None  # the write-ahead log, if there is one
        self._engine = self._open(url, make)
        self._readers = self._snapshots = self._engine.execution_options(deferred=True)
        if not is_sqlite:
            self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ")

    def initialise(self, seal_check: bytes, first_user: dict[str, Any]) -> bytes:
        """Make the tables if there are none yet; the ``seal_check`` that is in the database.

        StoreError if it is another program's, or has another format.
        """
        with self.changing_tables() as connection:
            if self.make_tables(connection):
                fill(connection, seal_check, first_user)
            row = connection.execute(select(about)).one()
        self._demand_version(row.version)
        self.write_ahead()
        found: bytes = row.seal_check
        return found

    def make_tables(self, connection: Connection) -> bool:
        """Make the tables, empty; False if there are some. StoreError: another program's."""
        tables = set(inspect(connection).get_table_names())
        if about.name in tables:
            return False
        if tables and connection.dialect.name == "sqlite":
            raise StoreError(f"{self.name} is another program's database: choose a file")
        metadata.create_all(connection)
        migrated.create(connection)
        connection.execute(insert(migrated).values(version_num=str(VERSION)))
        return True

    def version(self) -> int | None:
        """The format that the database has; None if it is nobody's yet, or another program's."""
        with self.reading() as connection:
            if not inspect(connection).has_table(about.name):
                return None
            version: int = connection.scalars(select(about.c.version)).one()
            return version

    def demand_current(self) -> None:
        """StoreError unless the database is this verifier's, in this format."""
        version = self.version()
        if version is None:
            raise StoreError(f"{self.name} holds nothing of a verifier's: is it the right one?")
        self._demand_version(version)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All that is done within, or nothing; writers of one SQLite file come one at a time.

        StoreError if the database fails.
        """
        with self._begun(self._engine, self._writing) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing, and that nobody who writes waits for. StoreError."""
        with self._begun(self._readers, self._reading) as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """What was there at one moment, however long it takes to read it. StoreError."""
        with self._begun(self._snapshots, self._reading) as connection:
            yield connection

    def image(self) -> bytes:
        """A database in memory, whole."""
        with self._writing, closing(self._engine.raw_connection()) as raw:
            made: bytes = raw.driver_connection.serialize()  # type: ignore[union-attr]  # sqlite3's
            return made

    def put_back(self, image: bytes) -> None:
        """Put an earlier ``image`` in the place of what is in memory now."""
        with self._writing, closing(self._engine.raw_connection()) as raw:
            raw.driver_connection.deserialize(image)  # type: ignore[union-attr]  # sqlite3's

    @contextmanager
    def changing_tables(self) -> Iterator[Connection]:
        """A transaction that makes tables, one at a time. StoreError."""
        with self.transaction() as connection:
            _lock_tables(connection)
            yield connection

    @contextmanager
    def rebuilding_tables(self) -> Iterator[Connection]:
        """A transaction that may put another in the place of a table that rows refer to."""
        engine = self._engine.execution_options(rebuild=True)
        try:
            with self._begun(engine, self._writing) as connection:
                _lock_tables(connection)
                yield connection
                if connection.dialect.name == "sqlite":
                    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                    if lost:
                        raise StoreError(f"{self.name}: rows of {lost[0][0]} refer to nothing")
        finally:
            self._engine.dispose()  # connections that check no references

    def write_ahead(self) -> None:
        """Let readers and a writer of a file not wait for each other, and commits share an fsync.

        The file keeps it. Where another process is at work on it, that one has seen to it.
        """
        if not self._is_file:
            return
        with suppress(sqlite3.OperationalError), closing(self._engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        # beside the file itself, wherever links or a later change of folder lead
        self._log = SharedSync(os.path.realpath(str(self._engine.url.database)) + "-wal")
        self._engine.dispose()  # connections for which SQLite itself brings each commit to the disk

    @property
    def concurrency(self) -> int:
        """A server's answers are waited for; SQLite's come at once, and Python does one thing at a
        time: more threads than two spend theirs on each other.
        """
        return 2 if self._engine.dialect.name == "sqlite" else _CONNECTIONS

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _begun(self, engine: Engine, turn: AbstractContextManager[Any]) -> Iterator[Connection]:
        try:
            with turn, engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"{self.name}: {getattr(error, 'orig', None) or error}") from error
        if self._log is not None and turn is self._writing:
            try:
                self._log.wait()  # the next writer need not wait for it
            except OSError as error:
                raise StoreError(f"{self.name}: {error.strerror}") from error

    def _demand_version(self, version: int) -> None:
        if version < VERSION:
            raise StoreError(
                f"{self.name} has format {version}, this tokenkit works with {VERSION}:"
                " make a copy of it, then run tokenkit db migrate"
            )
        if version > VERSION:
            raise StoreError(
                f"{self.name} has format {version}, this tokenkit knows {VERSION}:"
                " use the tokenkit that made it"
            )

    def _configure_sqlite(self, connection: Any, record: Any) -> None:
        connection.isolation_level = None  # this module begins transactions, not the driver
        connection.execute("PRAGMA foreign_keys = ON")
        if self._log is not None:
            [mode] = connection.execute("PRAGMA journal_mode").fetchone()
            if mode == "wal":
                connection.execute("PRAGMA synchronous = NORMAL")  # see SharedSync

    def _open(self, url: URL, make: bool) -> Engine:
        # as many as threads ask at once: one beyond would be opened anew for each request
        options: dict[str, Any] = {} if is_in_memory(url) else {"pool_size": _CONNECTIONS}
        if url.get_backend_name() == "sqlite":
            options["connect_args"] = {"check_same_thread": False, "timeout": _LOCK_TIMEOUT_S}
            if is_in_memory(url):
                options["poolclass"] = StaticPool
            elif "uri" in url.query:
                raise StoreError(f"{self.name}: write sqlite:///FILE, not SQLite's file: URI")
        try:
            engine = create_engine(url, **options)
        except NoSuchModuleError as error:
            raise StoreError(f"{self.name}: {error}") from None
        except ImportError as error:
            if url.get_backend_name() == "postgresql":
                raise MissingExtraError("PostgreSQL", "postgresql") from None
            raise StoreError(f"{self.name}: {error}") from None
        if engine.dialect.name == "sqlite":
            if not is_in_memory(url):
                _make_private(str(url.database), make)
            event.listen(engine, "connect", self._configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return engine


def fill(connection: Connection, seal_check: bytes, first_user: dict[str, Any]) -> None:
    """Put into empty tables what always is there."""
    connection.execute(insert(about).values(version=VERSION, seal_check=seal_check))
    connection.execute(insert(audit_head).values(id=1, lines=0, hash=FIRST))
    connection.execute(insert(users).values(**first_user))


def _make_private(path: str, make: bool) -> None:
    """Make the file if ``make`` says so and there is none.

    One that is there is only looked at: closing it would drop this process's locks on it, those
    of SQLite as well, and another process would take it for its own.
    """
    try:
        if make:
            with suppress(FileExistsError):
                where = os.path.realpath(path)  # a link may lead to none yet
                os.close(os.open(where, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise StoreError(f"{path}: {os.strerror(errno.EISDIR)}")
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(f"{path}: {os.strerror(errno.EACCES)}")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no name that a file can have
        raise StoreError(f"{path!r}: {error}") from None


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection  # SQLAlchemy takes longer than SQLite
    if options.get("rebuild"):
        driver.execute("PRAGMA foreign_keys = OFF")
    # who writes takes the lock at once: a check followed by a write must not be overtaken
    driver.execute("BEGIN" if options.get("deferred") else "BEGIN IMMEDIATE")


def _lock_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer in any case
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_ID)))
