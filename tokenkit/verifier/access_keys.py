"""Access keys: what programs sign their requests with."""

import base64
from typing import Any

from sqlalchemy import Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.desk import Desk, Request, no_such_user
from tokenkit.verifier.errors import EntityAlreadyExists, LimitExceeded, NoSuchEntity
from tokenkit.verifier.model import AccessKey, User
from tokenkit.verifier.names import ROOT, check_access_key_id, check_user_name

MAX_ACCESS_KEYS = 2  # of one user: IAM
_SECRET_BYTES = 30  # 40 characters of base64, as in IAM


class AccessKeys(Desk):
    """The part of a verifier that knows access keys. Secrets are sealed as seeds are."""

    def create_access_key(
        self, user: str, *, key_id: str | None = None, secret: str | None = None
    ) -> AccessKey:
        """Make an access key, or enter one that somebody has; its secret is told only here.

        NoSuchEntity, LimitExceeded, EntityAlreadyExists, ValidationError.
        """
        if key_id is not None:
            check_access_key_id(key_id)
        with self._request("create-access-key", user) as request:
            request.demand_user(user)
            if len(identity_records.access_keys(request.connection, user)) >= MAX_ACCESS_KEYS:
                raise LimitExceeded(
                    f"Cannot exceed quota for AccessKeysPerUser: {MAX_ACCESS_KEYS}",
                    f"Delete an access key of {user} first.",
                )
            if key_id is None:
                key_id = "AKIA" + base64.b32encode(self._random_bytes(10)).decode()
            if identity_records.find_access_key(request.connection, key_id) is not None:
                raise EntityAlreadyExists(f"Access Key with id {key_id} already exists.")
            if secret is None:
                secret = base64.b64encode(self._random_bytes(_SECRET_BYTES)).decode()
            row = {
                "id": key_id,
                "user": user,
                "secret": self._sealer.seal(secret.encode(), key_id),
                "active": True,
                "created_s": request.now_s,
            }
            identity_records.insert_access_key(request.connection, row)
            request.detail["access_key"] = key_id
            return AccessKey(key_id, user, True, request.now_s, secret)

    def access_keys(self, user: str | None = None) -> list[AccessKey]:
        """A user's access keys, or all users', oldest first, without secrets.

        NoSuchEntity, ValidationError.
        """
        if user is not None:
            check_user_name(user)
        with self._store.reading() as connection:
            if user is not None and records.find_user(connection, user) is None:
                raise no_such_user(user)
            return [_access_key(row) for row in identity_records.access_keys(connection, user)]

    def find_signer(self, key_id: str) -> tuple[AccessKey, User, dict[str, str]] | None:
        """An access key with its secret, whose it is, and that user's policies.

        None if there is no such key. Root, who may everything, has none of the policies.
        """
        with self._store.reading() as connection:
            row = identity_records.find_signer(connection, key_id)
            if row is None:
                return None
            policies = (
                {} if row.name == ROOT else identity_records.policies(connection, "user", row.name)
            )
        secret = self._sealer.open(row.secret, key_id).decode()
        key = AccessKey(key_id, row.name, row.active, row.key_created_s, secret, row.used_s)
        return key, identity_records.as_user(row), policies

    def find_access_key(self, key_id: str) -> AccessKey | None:
        """Without its secret, which :meth:`find_signer` has; None if there is none."""
        with self._store.reading() as connection:
            row = identity_records.find_access_key(connection, key_id)
        return None if row is None else _access_key(row)

    def set_access_key_active(self, user: str, key_id: str, active: bool) -> None:
        """NoSuchEntity."""
        with self._request("update-access-key", user) as request:
            _demand(request, user, key_id)
            request.detail |= {"access_key": key_id, "active": active}
            identity_records.update_access_key(request.connection, key_id, active=active)

    def delete_access_key(self, user: str, key_id: str) -> None:
        """NoSuchEntity."""
        with self._request("delete-access-key", user) as request:
            _demand(request, user, key_id)
            request.detail["access_key"] = key_id
            identity_records.delete_access_key(request.connection, key_id)

    def note_access_key_used(self, key_id: str, service: str, region: str) -> None:
        """For GetAccessKeyLastUsed and the credential report; no line in the log."""
        values = {"used_s": self._now(), "used_service": service, "used_region": region}
        with self._store.transaction() as connection:
            identity_records.update_access_key(connection, key_id, **values)


def _demand(request: Request, user: str, key_id: str) -> None:
    request.demand_user(user)
    row = identity_records.find_access_key(request.connection, key_id)
    if row is None or row.user != user:
        raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")


def _access_key(row: Row[Any]) -> AccessKey:
    return AccessKey(
        row.id,
        row.user,
        row.active,
        row.created_s,
        used_s=row.used_s,
        used_service=row.used_service,
        used_region=row.used_region,
    )
