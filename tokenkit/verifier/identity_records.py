"""Queries and changes of the tables of access keys, passwords, policies, roles and tags."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update

from tokenkit.verifier.model import User
from tokenkit.verifier.store import access_keys as keys_table
from tokenkit.verifier.store import role_policies, user_policies, users
from tokenkit.verifier.store import roles as roles_table
from tokenkit.verifier.store import tags as tags_table

_ACCESS_KEY = select(keys_table).where(keys_table.c.id == bindparam("key"))

_SIGNER = (
    select(
        users,
        keys_table.c.secret,
        keys_table.c.active,
        keys_table.c.created_s.label("key_created_s"),
        keys_table.c.used_s,
    )
    .join(keys_table, keys_table.c.user == users.c.name)
    .where(keys_table.c.id == bindparam("key"))
)
Holder = Literal["user", "role"]  # the table's column has the same name
_POLICIES: dict[Holder, Table] = {"user": user_policies, "role": role_policies}
_POLICIES_OF = {
    of: select(table).where(table.c[of] == bindparam("key")).order_by(table.c.name)
    for of, table in _POLICIES.items()
}


def as_user(row: Row[Any]) -> User:
    return User(
        row.name,
        row.id,
        row.path,
        row.created_s,
        row.password is not None,
        row.password_changed_s,
        row.password_used_s,
    )


def find_signer(connection: Connection, key_id: str) -> Row[Any] | None:
    """An access key and the user whose it is, as one row."""
    return connection.execute(_SIGNER, {"key": key_id}).one_or_none()


def find_access_key(connection: Connection, key_id: str) -> Row[Any] | None:
    return connection.execute(_ACCESS_KEY, {"key": key_id}).one_or_none()


def access_keys(connection: Connection, user: str | None) -> Sequence[Row[Any]]:
    """A user's access keys, or all users', oldest first."""
    query = select(keys_table)
    if user is not None:
        query = query.where(keys_table.c.user == user)
    return connection.execute(query.order_by(keys_table.c.created_s, keys_table.c.id)).all()


def insert_access_key(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(keys_table), row)


def update_access_key(connection: Connection, key_id: str, **values: object) -> None:
    connection.execute(update(keys_table).where(keys_table.c.id == key_id).values(**values))


def delete_access_key(connection: Connection, key_id: str) -> None:
    connection.execute(delete(keys_table).where(keys_table.c.id == key_id))


def policies(connection: Connection, of: Holder, name: str) -> dict[str, str]:
    """The documents of a user or role, by name, in alphabetical order."""
    found = connection.execute(_POLICIES_OF[of], {"key": name})
    return {row.name: row.document for row in found}


def put_policy(connection: Connection, of: Holder, holder: str, name: str, document: str) -> None:
    delete_policy(connection, of, holder, name)
    row = {of: holder, "name": name, "document": document}
    connection.execute(insert(_POLICIES[of]), row)


def delete_policy(connection: Connection, of: Holder, holder: str, name: str) -> bool:
    """Whether there was one."""
    table = _POLICIES[of]
    query = delete(table).where(table.c[of] == holder, table.c.name == name)
    return connection.execute(query).rowcount == 1


def find_role(connection: Connection, name: str) -> Row[Any] | None:
    query = select(roles_table).where(roles_table.c.name == name)
    return connection.execute(query).one_or_none()


def lock_role(connection: Connection, name: str) -> Row[Any] | None:
    """It waits for whoever changes the role, and keeps it until the transaction ends."""
    query = select(roles_table).where(roles_table.c.name == name).with_for_update()
    return connection.execute(query).one_or_none()


def all_roles(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(roles_table).order_by(roles_table.c.name)).all()


def insert_role(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(roles_table), row)


def update_role(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(roles_table).where(roles_table.c.name == name).values(**values))


def delete_role(connection: Connection, name: str) -> None:
    connection.execute(delete(roles_table).where(roles_table.c.name == name))


def tags(connection: Connection, resource: str) -> dict[str, str]:
    """Values by key, in alphabetical order."""
    table = tags_table
    query = select(table).where(table.c.resource == resource).order_by(table.c.key)
    return {row.key: row.value for row in connection.execute(query)}


def put_tags(connection: Connection, resource: str, tags: Mapping[str, str]) -> None:
    if tags:
        delete_tags(connection, resource, tags)
        rows = [{"resource": resource, "key": key, "value": tags[key]} for key in tags]
        connection.execute(insert(tags_table), rows)


def delete_tags(connection: Connection, resource: str, keys: Iterable[str] | None = None) -> None:
    """Those of ``keys``, or all."""
    query = delete(tags_table).where(tags_table.c.resource == resource)
    if keys is not None:
        query = query.where(tags_table.c.key.in_(list(keys)))
    connection.execute(query)


def set_password(connection: Connection, user: str, password: str | None, at_s: float) -> None:
    values = {"password": password, "password_changed_s": at_s, "password_failures": 0}
    connection.execute(update(users).where(users.c.name == user).values(**values))
