"""Users' ids, paths and passwords, access keys, policies, roles, tags, sessions, learned drift,
and the hash chain of the log.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from tokenkit.verifier.chain import FIRST, chained
from tokenkit.verifier.names import ACCOUNT_ID, ID_BYTES, ROOT, unique_id

revision = "2"
down_revision = "1"

_AT_ONCE = 1000  # rows of the log
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_users = sa.table("mfa_user", sa.column("name"), sa.column("id"), sa.column("created_s"))
_devices = sa.table(
    "mfa_device", sa.column("serial_number"), sa.column("enabled_s"), sa.column("created_s")
)
_audit = sa.table(
    "mfa_audit",
    sa.column("id", sa.BigInteger),
    sa.column("at_s", sa.Double),
    sa.column("event", sa.String),
    sa.column("user", sa.String),
    sa.column("serial_number", sa.String),
    sa.column("detail", sa.JSON),
    sa.column("hash", sa.LargeBinary),
)
_audit_head = sa.table(
    "mfa_audit_head", sa.column("id"), sa.column("lines"), sa.column("hash", sa.LargeBinary)
)


def upgrade() -> None:
    attributes = context.config.attributes
    connection = op.get_bind()
    _add_columns()
    _make_tables()
    _date_users(connection, attributes["now_s"], attributes["random_bytes"])
    _date_devices(connection, attributes["now_s"])
    _chain_the_log(connection)
    _demand_values()


def _add_columns() -> None:
    def optional(name: str, kind: Any) -> sa.Column[Any]:
        return sa.Column(name, kind, nullable=True)

    for column in (
        optional("id", sa.String(128)),
        optional("path", sa.String(512)),
        optional("created_s", sa.Double),
        optional("password", sa.String(512)),
        optional("password_changed_s", sa.Double),
        optional("password_used_s", sa.Double),
        optional("password_failures", sa.Integer),
        optional("password_failed_s", sa.Double),
    ):
        op.add_column("mfa_user", column)
    for name in (
        "created_s",
        "synced_s",
        "synced_offset_s",
        "learned_s",
        "offset_s",
        "rate",
        "offset_variance",
        "covariance",
        "rate_variance",
    ):
        op.add_column("mfa_device", optional(name, sa.Double))
    op.add_column("mfa_device", optional("attestation_format", sa.String(32)))
    op.add_column("mfa_device", optional("transports", sa.JSON))
    op.add_column("mfa_device", optional("attested_model", sa.String(40)))
    op.add_column("mfa_audit", optional("hash", sa.LargeBinary))


def _demand_values() -> None:
    """What may not be missing, now that nothing is."""
    with op.batch_alter_table("mfa_user") as users:
        users.alter_column("id", existing_type=sa.String(128), nullable=False)
        users.alter_column("path", existing_type=sa.String(512), nullable=False)
        users.alter_column("created_s", existing_type=sa.Double(), nullable=False)
        users.alter_column("password_failures", existing_type=sa.Integer(), nullable=False)
        users.alter_column("password_failed_s", existing_type=sa.Double(), nullable=False)
        users.create_unique_constraint("mfa_user_id_key", ["id"])  # PostgreSQL's own name for it
    with op.batch_alter_table("mfa_device") as devices:
        devices.alter_column("created_s", existing_type=sa.Double(), nullable=False)
    with op.batch_alter_table("mfa_audit") as audit:
        audit.alter_column("hash", existing_type=sa.LargeBinary(), nullable=False)


def _make_tables() -> None:
    def user(**options: Any) -> sa.Column[Any]:
        return sa.Column(
            "user", sa.String(64), sa.ForeignKey("mfa_user.name"), nullable=False, **options
        )

    op.create_table(
        "mfa_access_key",
        sa.Column("id", sa.String(128), primary_key=True),
        user(),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("used_s", sa.Double, nullable=True),
        sa.Column("used_service", sa.String(32), nullable=True),
        sa.Column("used_region", sa.String(64), nullable=True),
    )
    op.create_index("ix_mfa_access_key_user", "mfa_access_key", ["user"])
    op.create_table(
        "mfa_user_policy",
        user(primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "mfa_role",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(128), nullable=False, unique=True),
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("trust_policy", sa.Text, nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("max_session_s", sa.Integer, nullable=False),
    )
    op.create_table(
        "mfa_role_policy",
        sa.Column("role", sa.String(64), sa.ForeignKey("mfa_role.name"), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "mfa_tag",
        sa.Column("resource", sa.String(1024), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
    )
    op.create_table(
        "mfa_console_session",
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        user(),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("expires_s", sa.Double, nullable=False),
    )
    op.create_index("ix_mfa_console_session_user", "mfa_console_session", ["user"])
    op.create_index("ix_mfa_console_session_expires_s", "mfa_console_session", ["expires_s"])
    op.create_table(
        "mfa_audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("lines", _Id, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )


def _date_users(
    connection: sa.Connection, now_s: float, random_bytes: Callable[[int], bytes]
) -> None:
    """The log knows when users were made; root is as old as the log."""
    connection.execute(
        sa.text("UPDATE mfa_user SET path = '/', password_failures = 0, password_failed_s = 0")
    )
    first = sa.select(sa.func.min(_audit.c.at_s))
    for name in connection.scalars(sa.select(_users.c.name)).all():
        made = sa.select(sa.func.max(_audit.c.at_s)).where(
            _audit.c.event == "create-user", _audit.c.user == name
        )
        at_s = connection.scalar(first if name == ROOT else made)
        number = ACCOUNT_ID if name == ROOT else unique_id("AIDA", random_bytes(ID_BYTES))
        values = {"id": number, "created_s": now_s if at_s is None else at_s}
        connection.execute(sa.update(_users).where(_users.c.name == name).values(**values))


def _date_devices(connection: sa.Connection, now_s: float) -> None:
    """Apps were made when the log says, others when they were enabled, as far as is known."""
    made = (
        sa.select(sa.func.max(_audit.c.at_s))
        .where(
            _audit.c.event == "create-authenticator-app",
            _audit.c.serial_number == _devices.c.serial_number,
        )
        .scalar_subquery()
    )
    created_s = sa.func.coalesce(made, _devices.c.enabled_s, now_s)
    connection.execute(sa.update(_devices).values(created_s=created_s))


def _chain_the_log(connection: sa.Connection) -> None:
    change = (
        sa.update(_audit)
        .where(_audit.c.id == sa.bindparam("key"))
        .values(hash=sa.bindparam("found", type_=sa.LargeBinary))
    )
    found, lines = FIRST, 0
    for rows in _parts_of_the_log(connection):
        hashes = []
        for row in rows:
            line = {
                "at_s": row.at_s,
                "event": row.event,
                "user": row.user,
                "serial_number": row.serial_number,
                "detail": row.detail,
            }
            found = chained(found, line)
            hashes.append({"key": row.id, "found": found})
        connection.execute(change, hashes)
        lines += len(rows)
    connection.execute(sa.insert(_audit_head), {"id": 1, "lines": lines, "hash": found})


def _parts_of_the_log(connection: sa.Connection) -> Iterator[Any]:
    last = None
    query = sa.select(_audit).order_by(_audit.c.id).limit(_AT_ONCE)
    while rows := connection.execute(
        query if last is None else query.where(_audit.c.id > last)
    ).all():
        yield rows
        last = rows[-1].id
