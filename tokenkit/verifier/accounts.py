"""Accounts: users, what they hold, and the log."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from sqlalchemy import Connection, Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.desk import Desk, no_such_user
from tokenkit.verifier.errors import DeleteConflict, EntityAlreadyExists
from tokenkit.verifier.model import AuditEvent, Device, DeviceKind, User, VirtualDevice
from tokenkit.verifier.names import ID_BYTES, ROOT, check_path, check_user_name, unique_id, user_arn
from tokenkit.verifier.tags import check_tags

# by IAM's words for what keeps a user from being deleted
Held = Literal["MFA device", "access keys", "login profile", "policies"]


class Accounts(Desk):
    """The part of a verifier that knows users."""

    def create_user(
        self,
        user: str,
        *,
        path: str = "/",
        tags: Mapping[str, str] | None = None,
        password_hash: str | None = None,
    ) -> User:
        """Make a user. EntityAlreadyExists, LimitExceeded, InvalidInput, ValidationError.

        Names that differ in the case of letters alone are the same to IAM. ``password_hash`` is
        :meth:`~tokenkit.verifier.Verifier.hash_password`'s, for a user of the console.
        """
        check_user_name(user)  # None as well, which elsewhere means any
        check_path(path)
        with self._request("create-user", user) as request:
            records.lock_names(request.connection)
            if records.is_user_name_taken(request.connection, user):
                raise EntityAlreadyExists(f"User with name {user} already exists.")
            check_tags(tags or {}, {})
            row: dict[str, Any] = {
                "name": user,
                "handle": self._random_bytes(32),
                "id": unique_id("AIDA", self._random_bytes(ID_BYTES)),
                "path": path,
                "created_s": request.now_s,
            }
            if password_hash is not None:
                row |= {"password": password_hash, "password_changed_s": request.now_s}
                request.detail["password"] = True
            records.insert_user(request.connection, row)
            identity_records.put_tags(request.connection, user_arn(user, path), tags or {})
            made = records.find_user(request.connection, user)
            assert made is not None
            return identity_records.as_user(made)

    def user(self, user: str) -> User:
        """NoSuchEntity, ValidationError."""
        check_user_name(user)
        with self._store.reading() as connection:
            row = records.find_user(connection, user)
            if row is None:
                raise no_such_user(user)
            return identity_records.as_user(row)

    def users(self) -> list[User]:
        """All users, "root" among them, in alphabetical order."""
        with self._store.reading() as connection:
            return [identity_records.as_user(row) for row in records.all_users(connection)]

    def delete_user(self, user: str, *, along: Collection[Held] = ()) -> None:
        """Forget a user who holds nothing any more but what goes ``along``.

        NoSuchEntity, DeleteConflict.
        """
        with self._request("delete-user", user) as request:
            row = request.demand_user(user)
            if user == ROOT:
                raise DeleteConflict("The root user cannot be deleted.")
            connection = request.connection
            devices = records.enabled_devices(connection, user)
            keys = identity_records.access_keys(connection, user)
            policies = identity_records.policies(connection, "user", user)
            held: list[tuple[Held, bool]] = [
                ("MFA device", bool(devices)),
                ("access keys", bool(keys)),
                ("login profile", row.password is not None),
                ("policies", bool(policies)),
            ]
            for what, is_held in held:
                if is_held and what not in along:
                    raise DeleteConflict(f"Cannot delete entity, must delete {what} first.")
            for device in devices:
                _take(connection, device)
            for key in keys:
                identity_records.delete_access_key(connection, key.id)
            for policy in policies:
                identity_records.delete_policy(connection, "user", user, policy)
            for name, ids in (
                ("devices", [device.serial_number for device in devices]),
                ("access_keys", [key.id for key in keys]),
                ("policies", list(policies)),
            ):
                if ids:
                    request.detail[name] = ids
            identity_records.delete_tags(connection, user_arn(user, row.path))
            records.delete_user(connection, user)

    def devices(self, user: str | None = None) -> list[Device]:
        """The devices of one user, or of all; those enabled first come first.

        NoSuchEntity, ValidationError.
        """
        if user is not None:
            check_user_name(user)
        with self._store.reading() as connection:
            rows = records.enabled_devices(connection, user)
            if not rows and user is not None and records.find_user(connection, user) is None:
                raise no_such_user(user)
            return [self._device(row) for row in rows]

    def virtual_devices(self) -> list[VirtualDevice]:
        """All authenticator apps, held or not, by serial number."""
        with self._store.reading() as connection:
            return [
                VirtualDevice(row.serial_number, row.user, row.enabled_s)
                for row in records.devices_of_kind(connection, DeviceKind.AUTHENTICATOR_APP)
            ]

    def deactivate(self, user: str, serial_number: str) -> None:
        """Take a device from its user. NoSuchEntity.

        A token or app stays known and can be enabled again; codes it has used stay used. A
        security key's credential is forgotten.
        """
        with self._request("deactivate", user, serial_number) as request:
            _take(request.connection, request.demand_device(user, serial_number))

    def audit(self, user: str | None = None) -> list[AuditEvent]:
        """The log, oldest first; that of one user if named. ValidationError."""
        if user is not None:
            check_user_name(user)
        with self._store.reading() as connection:
            return [
                AuditEvent(row.at_s, row.event, row.user, row.serial_number, row.detail)
                for row in records.audit_lines(connection, user)
            ]


def _take(connection: Connection, device: Row[Any]) -> None:
    """A device from who holds it."""
    serial_number = device.serial_number
    if device.kind == DeviceKind.SECURITY_KEY:
        records.delete_device(connection, serial_number)
        identity_records.delete_tags(connection, serial_number)
    else:
        records.update_device(connection, serial_number, user=None, name="", enabled_s=None)
