"""What users and roles may do: policy documents, kept as text. No evaluation in here."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.desk import Desk, Request
from tokenkit.verifier.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
)
from tokenkit.verifier.model import Role
from tokenkit.verifier.names import (
    ID_BYTES,
    check_path,
    check_policy_name,
    check_role_name,
    check_user_name,
    role_arn,
    unique_id,
)
from tokenkit.verifier.tags import check_tags

# characters, white space aside, of all documents of one user or role: IAM's quotas
MAX_USER_POLICIES, MAX_ROLE_POLICIES, MAX_TRUST_POLICY = 2048, 10_240, 2048


class Permissions(Desk):
    """The part of a verifier that knows policies and roles. Documents are kept as they came."""

    def put_user_policy(self, user: str, name: str, document: str) -> None:
        """NoSuchEntity, LimitExceeded, ValidationError."""
        check_policy_name(name)
        with self._request("put-user-policy", user) as request:
            request.demand_user(user)
            request.detail["policy"] = name
            present = identity_records.policies(request.connection, "user", user)
            _demand_room({**present, name: document}, MAX_USER_POLICIES, f"user {user}")
            identity_records.put_policy(request.connection, "user", user, name, document)

    def user_policies(self, user: str) -> dict[str, str]:
        """Documents by name, in alphabetical order. NoSuchEntity, ValidationError."""
        check_user_name(user)
        with self._store.reading() as connection:
            return identity_records.policies(connection, "user", user)

    def delete_user_policy(self, user: str, name: str) -> None:
        """NoSuchEntity."""
        with self._request("delete-user-policy", user) as request:
            request.demand_user(user)
            request.detail["policy"] = name
            if not identity_records.delete_policy(request.connection, "user", user, name):
                raise _no_such_policy("user", name)

    def create_role(
        self,
        name: str,
        trust_policy: str,
        *,
        path: str = "/",
        description: str = "",
        max_session_s: int = 3600,
        tags: Mapping[str, str] | None = None,
    ) -> Role:
        """EntityAlreadyExists, LimitExceeded, InvalidInput, ValidationError."""
        check_role_name(name)
        check_path(path)
        with self._request("create-role") as request:
            request.detail["role"] = name
            records.lock_names(request.connection)
            if identity_records.find_role(request.connection, name) is not None:
                raise EntityAlreadyExists(f"Role with name {name} already exists.")
            check_tags(tags or {}, {})
            _check_trust_policy(trust_policy)
            row: dict[str, Any] = {
                "name": name,
                "id": unique_id("AROA", self._random_bytes(ID_BYTES)),
                "path": path,
                "created_s": request.now_s,
                "trust_policy": trust_policy,
                "description": description,
                "max_session_s": max_session_s,
            }
            identity_records.insert_role(request.connection, row)
            identity_records.put_tags(request.connection, role_arn(name, path), tags or {})
            return Role(**row)

    def role(self, name: str) -> Role:
        """NoSuchEntity."""
        with self._store.reading() as connection:
            row = identity_records.find_role(connection, name)
        if row is None:
            raise _no_such_role(name)
        return _role(row)

    def roles(self) -> list[Role]:
        """All roles, in alphabetical order."""
        with self._store.reading() as connection:
            return [_role(row) for row in identity_records.all_roles(connection)]

    def set_trust_policy(self, name: str, trust_policy: str) -> None:
        """NoSuchEntity, LimitExceeded."""
        with self._request("update-trust-policy") as request:
            _demand_role(request, name)
            _check_trust_policy(trust_policy)
            identity_records.update_role(request.connection, name, trust_policy=trust_policy)

    def delete_role(self, name: str) -> None:
        """NoSuchEntity, DeleteConflict."""
        with self._request("delete-role") as request:
            role = _demand_role(request, name)
            if identity_records.policies(request.connection, "role", name):
                raise DeleteConflict("Cannot delete entity, must delete policies first.")
            identity_records.delete_tags(request.connection, role.arn)
            identity_records.delete_role(request.connection, name)

    def put_role_policy(self, role: str, name: str, document: str) -> None:
        """NoSuchEntity, LimitExceeded, ValidationError."""
        check_policy_name(name)
        with self._request("put-role-policy") as request:
            _demand_role(request, role)
            request.detail["policy"] = name
            present = identity_records.policies(request.connection, "role", role)
            _demand_room({**present, name: document}, MAX_ROLE_POLICIES, f"role {role}")
            identity_records.put_policy(request.connection, "role", role, name, document)

    def role_policies(self, role: str) -> dict[str, str]:
        """Documents by name, in alphabetical order."""
        with self._store.reading() as connection:
            return identity_records.policies(connection, "role", role)

    def delete_role_policy(self, role: str, name: str) -> None:
        """NoSuchEntity."""
        with self._request("delete-role-policy") as request:
            _demand_role(request, role)
            request.detail["policy"] = name
            if not identity_records.delete_policy(request.connection, "role", role, name):
                raise _no_such_policy("role", name)


def _demand_room(documents: Mapping[str, str], most: int, owner: str) -> None:
    if _size(documents.values()) > most:
        raise LimitExceeded(f"Maximum policy size of {most} bytes exceeded for {owner}")


def _check_trust_policy(document: str) -> None:
    if _size([document]) > MAX_TRUST_POLICY:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_POLICY}")


def _size(documents: Iterable[str]) -> int:
    return sum(len("".join(document.split())) for document in documents)


def _demand_role(request: Request, name: str) -> Role:
    request.detail["role"] = name
    row = identity_records.lock_role(request.connection, name)
    if row is None:
        raise _no_such_role(name)
    return _role(row)


def _role(row: Row[Any]) -> Role:
    return Role(
        row.name,
        row.id,
        row.path,
        row.created_s,
        row.trust_policy,
        row.description,
        row.max_session_s,
    )


def _no_such_role(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The role with name {name} cannot be found.")


def _no_such_policy(owner: str, name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {owner} policy with name {name} cannot be found.")
