"""Queries and changes of the verifier's tables.

What is called ``lock`` waits for whoever changes the rows, and keeps them until the transaction
ends: for requests, which look before they change. A user comes first, then what the user holds.
All else waits for nobody. SQLite has one writer in any case.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, or_, select, update

from tokenkit.verifier.chain import chained
from tokenkit.verifier.drift import LearnedClock
from tokenkit.verifier.store import (
    audit,
    audit_head,
    ceremonies,
    console_sessions,
    devices,
    users,
)

# built once: SQLAlchemy takes longer to build a statement than SQLite to run it
_USER = select(users).where(users.c.name == bindparam("key"))
_LOCK_USER = _USER.with_for_update()
_DEVICE = select(devices).where(devices.c.serial_number == bindparam("key"))
_LOCK_DEVICE = _DEVICE.with_for_update()
_ENABLED = (
    select(devices)
    .where(devices.c.user.is_not(None))
    .order_by(devices.c.enabled_s, devices.c.serial_number)
)
_ENABLED_OF = _ENABLED.where(devices.c.user == bindparam("key"))
_LOCK_ENABLED_OF = _ENABLED_OF.with_for_update()
_CLOCK = LearnedClock._fields  # columns of the same names
_ACCEPT = (
    update(devices)
    .where(
        devices.c.serial_number == bindparam("key"),
        or_(devices.c.last_counter.is_(None), devices.c.last_counter < bindparam("counter")),
    )
    .values(
        offset_steps=bindparam("offset"),
        last_counter=bindparam("counter"),
        failures=0,
        last_used_s=bindparam("at_s"),
        **{name: bindparam(f"new_{name}") for name in _CLOCK},
    )
)
_REJECT = (
    update(devices)
    .where(devices.c.serial_number == bindparam("key"))
    .values(failures=devices.c.failures + 1, failed_s=bindparam("at_s"))
)
_AUDIT = insert(audit)
_AUDIT_HEAD = select(audit_head).with_for_update()
_ADVANCE_AUDIT = update(audit_head).values(lines=audit_head.c.lines + 1, hash=bindparam("new_hash"))
_AT_ONCE = 500  # parameters of one statement


def find_user(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(_USER, {"key": name}).one_or_none()


def lock_user(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(_LOCK_USER, {"key": name}).one_or_none()


def all_users(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(users).order_by(users.c.name)).all()


def lock_names(connection: Connection) -> None:
    """Let nobody else give a name until the transaction ends: what is looked for stays away.

    It is the lock that every request takes for its line in the log, only sooner: whoever asks for
    it waits for no row afterwards.
    """
    connection.execute(_AUDIT_HEAD)


def is_user_name_taken(connection: Connection, name: str) -> bool:
    """Whatever the case of its letters."""
    query = select(users.c.name).where(func.lower(users.c.name) == name.lower())
    return connection.execute(query).first() is not None


def insert_user(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(users), row)


def update_user(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(users).where(users.c.name == name).values(**values))


def delete_user(connection: Connection, name: str) -> None:
    """A user who holds nothing; what was under way for the user goes, too."""
    for table in (ceremonies, console_sessions):
        connection.execute(delete(table).where(table.c.user == name))
    connection.execute(delete(users).where(users.c.name == name))


def find_device(connection: Connection, serial_number: str) -> Row[Any] | None:
    return connection.execute(_DEVICE, {"key": serial_number}).one_or_none()


def lock_device(connection: Connection, serial_number: str) -> Row[Any] | None:
    return connection.execute(_LOCK_DEVICE, {"key": serial_number}).one_or_none()


def find_credential(connection: Connection, credential_id: bytes) -> Row[Any] | None:
    query = select(devices).where(devices.c.credential_id == credential_id)
    return connection.execute(query).one_or_none()


def enabled_devices(connection: Connection, user: str | None) -> Sequence[Row[Any]]:
    """A user's devices, or all users', in the order in which they were enabled."""
    if user is None:
        return connection.execute(_ENABLED).all()
    return connection.execute(_ENABLED_OF, {"key": user}).all()


def lock_enabled_devices(connection: Connection, user: str) -> Sequence[Row[Any]]:
    return connection.execute(_LOCK_ENABLED_OF, {"key": user}).all()


def devices_of_kind(connection: Connection, kind: str) -> Sequence[Row[Any]]:
    """Held or not, by serial number."""
    query = select(devices).where(devices.c.kind == kind).order_by(devices.c.serial_number)
    return connection.execute(query).all()


def known_serial_numbers(connection: Connection, serial_numbers: Iterable[str]) -> list[str]:
    """Those of ``serial_numbers`` that are in use."""
    found: list[str] = []
    for part in _parts(list(serial_numbers)):
        query = select(devices.c.serial_number).where(devices.c.serial_number.in_(part))
        found += connection.scalars(query)
    return sorted(found)


def insert_devices(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(devices), rows)


def update_device(connection: Connection, serial_number: str, **values: object) -> None:
    query = update(devices).where(devices.c.serial_number == serial_number)
    connection.execute(query.values(**values))


def delete_device(connection: Connection, serial_number: str) -> None:
    connection.execute(delete(devices).where(devices.c.serial_number == serial_number))


def accept_code(
    connection: Connection,
    serial_number: str,
    offset: int,
    counter: int,
    at_s: float,
    clock: LearnedClock,
) -> bool:
    """Note that all codes up to ``counter`` are used; False if another request came first."""
    values = {"key": serial_number, "offset": offset, "counter": counter, "at_s": at_s}
    values |= {f"new_{name}": getattr(clock, name) for name in _CLOCK}
    return connection.execute(_ACCEPT, values).rowcount == 1


def learned_clock(row: Row[Any]) -> LearnedClock | None:
    """What is learned of a device's clock; None if nothing is yet."""
    if row.synced_s is None:
        return None
    return LearnedClock(*(getattr(row, name) for name in _CLOCK))


def reject_code(connection: Connection, serial_number: str, at_s: float) -> None:
    """One more wrong code in a row."""
    connection.execute(_REJECT, {"key": serial_number, "at_s": at_s})


def insert_ceremony(
    connection: Connection,
    ceremony_id: str,
    kind: str,
    user: str,
    state: dict[str, Any],
    expires_s: float,
) -> None:
    row = {"id": ceremony_id, "kind": kind, "user": user, "state": state, "expires_s": expires_s}
    connection.execute(insert(ceremonies), row)


def find_ceremony(connection: Connection, ceremony_id: str) -> Row[Any] | None:
    query = select(ceremonies).where(ceremonies.c.id == ceremony_id)
    return connection.execute(query).one_or_none()


def take_ceremony(connection: Connection, ceremony_id: str) -> bool:
    """Whether it was there still; it is gone: of two that ask at once, one gets it."""
    query = delete(ceremonies).where(ceremonies.c.id == ceremony_id)
    return connection.execute(query).rowcount == 1


def delete_expired(connection: Connection, table: Table, now_s: float) -> None:
    """Ceremonies or sessions that ended; those that somebody else is about to delete stay."""
    [key] = table.primary_key
    ended = select(key).where(table.c.expires_s <= now_s).with_for_update(skip_locked=True)
    connection.execute(delete(table).where(key.in_(ended)))


def insert_audit(
    connection: Connection,
    at_s: float,
    event: str,
    user: str | None,
    serial_number: str | None,
    detail: dict[str, Any],
) -> None:
    """Add a line to the log: the last change of a transaction, since others wait for its end."""
    head = connection.execute(_AUDIT_HEAD).one()
    line = {
        "at_s": at_s,
        "event": event,
        "user": user,
        "serial_number": serial_number,
        "detail": detail,
    }
    found = chained(head.hash, line)
    connection.execute(_AUDIT, {**line, "hash": found})
    connection.execute(_ADVANCE_AUDIT, {"new_hash": found})


def audit_lines(connection: Connection, user: str | None) -> Sequence[Row[Any]]:
    query = select(audit).order_by(audit.c.id)
    if user is not None:
        query = query.where(audit.c.user == user)
    return connection.execute(query).all()


def audit_page(
    connection: Connection,
    user: str | None,
    serial_number: str | None,
    event: str | None,
    refused: bool | None,
    before: int | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Lines of the log, newest first; None leaves out a condition."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if user is not None:
        query = query.where(audit.c.user == user)
    if serial_number is not None:
        query = query.where(audit.c.serial_number == serial_number)
    if event is not None:
        query = query.where(audit.c.event.in_([event, event + "-refused"]))
    if refused is not None:
        is_refusal = audit.c.event.endswith("-refused", autoescape=True)
        query = query.where(is_refusal if refused else ~is_refusal)
    if before is not None:
        query = query.where(audit.c.id < before)
    return connection.execute(query).all()


def last_audit_lines(connection: Connection, user: str | None, count: int) -> Sequence[Row[Any]]:
    """The last ``count`` lines, oldest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(count)
    if user is not None:
        query = query.where(audit.c.user == user)
    return connection.execute(query).all()[::-1]


def audit_end(connection: Connection) -> tuple[int, Row[Any] | None]:
    """The last line's id, 0 if there is none, and what the head says; it should be there."""
    last = connection.scalar(select(func.max(audit.c.id)))
    return last or 0, connection.execute(select(audit_head)).one_or_none()


def latest_audit_s(connection: Connection) -> float | None:
    """The latest time that a line has, which need not be the last line's; None without lines."""
    latest_s: float | None = connection.scalar(select(func.max(audit.c.at_s)))
    return latest_s


def audit_part(connection: Connection, after: int, until: int, count: int) -> Sequence[Row[Any]]:
    """Up to ``count`` lines with ids over ``after`` and up to ``until``, in their order."""
    query = select(audit).where(audit.c.id > after, audit.c.id <= until)
    return connection.execute(query.order_by(audit.c.id).limit(count)).all()


def _parts(items: list[str]) -> Iterable[list[str]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
