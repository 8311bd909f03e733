"""The verifier's database: its tables, and transactions on them. SQLAlchemy; no rules in here."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from tokenkit.errors import MissingExtraError
from tokenkit.verifier.errors import StoreError

_VERSION = 2
_LOCK_TIMEOUT_S = 30.0

_metadata = MetaData()
_BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up in INTEGER alone

about = Table(
    "mfa_about",
    _metadata,
    Column("version", Integer, primary_key=True),
    Column("seal_check", LargeBinary, nullable=False),
)
users = Table(
    "mfa_user",
    _metadata,
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
    _metadata,
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
    _metadata,
    Column("user", ForeignKey("mfa_user.name"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
roles = Table(
    "mfa_role",
    _metadata,
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
    _metadata,
    Column("role", ForeignKey("mfa_role.name"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
devices = Table(
    "mfa_device",
    _metadata,
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
    _metadata,
    Column("resource", String(1024), primary_key=True),  # a device's serial number, or an ARN
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)
ceremonies = Table(
    "mfa_ceremony",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("user", ForeignKey("mfa_user.name"), nullable=False),
    Column("state", JSON, nullable=False),
    Column("expires_s", Double, nullable=False, index=True),
)
console_sessions = Table(
    "mfa_console_session",
    _metadata,
    Column("id_hash", LargeBinary, primary_key=True),  # SHA-256 of what is in the cookie
    Column("user", ForeignKey("mfa_user.name"), nullable=False, index=True),
    Column("state", JSON, nullable=False),
    Column("expires_s", Double, nullable=False, index=True),
)
audit = Table(
    "mfa_audit",
    _metadata,
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
    _metadata,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("lines", _BigId, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)


def is_in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def parse_url(url: str) -> URL:
    """StoreError if ``url`` is none of SQLAlchemy's."""
    try:
        return make_url(url)
    except ArgumentError:
        raise StoreError(
            f"{url!r} is no database URL: write sqlite:///FILE or postgresql+psycopg://HOST/NAME"
        ) from None


class Store:
    """An open database. Its tables are made if it is empty; StoreError if it is another's.

    A new SQLite file has mode 0600.
    """

    def __init__(self, url: URL) -> None:
        self._name = url.render_as_string(hide_password=True)
        # one connection is all there is of a database in memory: threads take turns
        self._turns: AbstractContextManager[Any] = (
            threading.Lock() if is_in_memory(url) else nullcontext()
        )
        self._engine = self._open(url)

    def initialise(self, seal_check: bytes, first_user: dict[str, Any]) -> bytes:
        """Make the tables if there are none yet; the ``seal_check`` that is in the database."""
        with self.transaction() as connection:
            tables = set(inspect(connection).get_table_names())
            if about.name not in tables:
                if tables and connection.dialect.name == "sqlite":
                    raise StoreError(f"{self._name} is another program's database: choose a file")
                _metadata.create_all(connection)
                connection.execute(insert(about).values(version=_VERSION, seal_check=seal_check))
                connection.execute(insert(audit_head).values(id=1, lines=0, hash=bytes(32)))
                connection.execute(insert(users).values(**first_user))
            row = connection.execute(select(about)).one()
        if row.version != _VERSION:
            raise StoreError(
                f"{self._name} has format {row.version}, this tokenkit knows {_VERSION}:"
                " use the tokenkit that made it"
            )
        found: bytes = row.seal_check
        return found

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All that is done within, or nothing; writers of one SQLite file come one at a time.

        StoreError if the database fails.
        """
        try:
            with self._turns, self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        self._engine.dispose()

    def _open(self, url: URL) -> Engine:
        options: dict[str, Any] = {}
        if url.get_backend_name() == "sqlite":
            options["connect_args"] = {"check_same_thread": False, "timeout": _LOCK_TIMEOUT_S}
            if is_in_memory(url):
                options["poolclass"] = StaticPool
            elif "uri" in url.query:
                raise StoreError(f"{self._name}: write sqlite:///FILE, not SQLite's file: URI")
        try:
            engine = create_engine(url, **options)
        except NoSuchModuleError as error:
            raise StoreError(f"{self._name}: {error}") from None
        except ImportError as error:
            if url.get_backend_name() == "postgresql":
                raise MissingExtraError("PostgreSQL", "postgresql") from None
            raise StoreError(f"{self._name}: {error}") from None
        if engine.dialect.name == "sqlite":
            if not is_in_memory(url):
                self._make_private(str(url.database))
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _make_private(self, path: str) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        except ValueError as error:  # no name that a file can have
            raise StoreError(f"{path!r}: {error}") from None

    def _failed(self, error: SQLAlchemyError) -> StoreError:
        return StoreError(f"{self._name}: {getattr(error, 'orig', None) or error}")


def _configure_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # this module begins transactions, not the driver
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # take the write lock at once: a check followed by a write must not be overtaken
    connection.exec_driver_sql("BEGIN IMMEDIATE")
