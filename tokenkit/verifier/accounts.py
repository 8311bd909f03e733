"""Accounts: users, what they hold, and the log."""

from tokenkit.verifier import records
from tokenkit.verifier.desk import Desk
from tokenkit.verifier.errors import EntityAlreadyExists, NoSuchEntity
from tokenkit.verifier.model import AuditEvent, Device, DeviceKind
from tokenkit.verifier.names import check_user_name


class Accounts(Desk):
    """The part of a verifier that knows users."""

    def create_user(self, user: str) -> None:
        """Make a user. EntityAlreadyExists, ValidationError."""
        check_user_name(user)  # None as well, which elsewhere means any
        with self._request("create-user", user) as request:
            if records.find_user(request.connection, user) is not None:
                raise EntityAlreadyExists(f"User with name {user} already exists.")
            records.insert_user(request.connection, user, self._random_bytes(32))

    def users(self) -> list[str]:
        """All users, "root" among them, in alphabetical order."""
        with self._store.transaction() as connection:
            return records.user_names(connection)

    def devices(self, user: str | None = None) -> list[Device]:
        """The devices of one user, or of all; those enabled first come first.

        NoSuchEntity, ValidationError.
        """
        if user is not None:
            check_user_name(user)
        with self._store.transaction() as connection:
            if user is not None and records.find_user(connection, user) is None:
                raise NoSuchEntity(f"The user with name {user} cannot be found.")
            return [self._device(row) for row in records.enabled_devices(connection, user)]

    def deactivate(self, user: str, serial_number: str) -> None:
        """Take a device from its user. NoSuchEntity.

        A token or app stays known and can be enabled again; codes it has used stay used. A
        security key's credential is forgotten.
        """
        with self._request("deactivate", user, serial_number) as request:
            row = request.demand_device(user, serial_number)
            if row.kind == DeviceKind.SECURITY_KEY:
                records.delete_device(request.connection, serial_number)
            else:
                records.update_device(
                    request.connection, serial_number, user=None, name="", enabled_s=None
                )

    def audit(self, user: str | None = None) -> list[AuditEvent]:
        """The log, oldest first; that of one user if named. ValidationError."""
        if user is not None:
            check_user_name(user)
        with self._store.transaction() as connection:
            return [
                AuditEvent(row.at_s, row.event, row.user, row.serial_number, row.detail)
                for row in records.audit_lines(connection, user)
            ]
