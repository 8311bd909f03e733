"""authenticatorCredentialManagement (CTAP 2.1 §6.8): the discoverable credentials of a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fido2.ctap2.credman import CredentialManagement
from fido2.webauthn import (
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
)

from tokenkit.keys.answers import asking
from tokenkit.keys.errors import NoSuchItemError, UnsupportedError
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.pin import Authorisation, Permission, authorise

MIN_PREFIX = 4
_RESULT = CredentialManagement.RESULT


@dataclass(frozen=True)
class StoredCredential:
    """One discoverable credential; what the key does not tell is None.

    ``algorithm`` is COSE's number; ``protection`` the level of credProtect, 1 to 3 (§12.1).
    ``large_blob_key`` (§12.3) is a secret.
    """

    rp_id: str
    credential_id: bytes
    user_id: bytes
    user_name: str | None
    display_name: str | None
    algorithm: int | None
    protection: int | None
    large_blob_key: bytes | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.user_name or self.user_id.hex()} at {self.rp_id}"


class Credentials:
    """The credentials of a key, read and changed with one authorisation.

    UnsupportedError if the key has no credential management, of CTAP 2.1 or its preview; what
    :func:`tokenkit.keys.pin.authorise` raises.
    """

    def __init__(
        self, key: OpenKey, pin: str, permissions: Permission = Permission.CREDENTIAL_MGMT
    ) -> None:
        require_credentials(key)
        self._key = key
        self.authorisation: Authorisation = authorise(key, pin, permissions)
        with asking(key):
            self._commands = CredentialManagement(
                self.authorisation.ctap, self.authorisation.protocol, self.authorisation.token
            )

    def counts(self) -> tuple[int, int]:
        """How many credentials there are, and for how many more there is room at most."""
        with asking(self._key):
            answer = self._commands.get_metadata()
            return answer[_RESULT.EXISTING_CRED_COUNT], answer[_RESULT.MAX_REMAINING_COUNT]

    def all(self) -> list[StoredCredential]:
        """Every credential, RP by RP as the key tells them."""
        with asking(self._key):
            return [
                _read(rp[_RESULT.RP]["id"], answer)
                for rp in self._commands.enumerate_rps()
                for answer in self._commands.enumerate_creds(rp[_RESULT.RP_ID_HASH])
            ]

    def delete(self, credential: StoredCredential) -> None:
        """Erase it for good; its large blob, if any, stays."""
        with asking(self._key):
            self._commands.delete_cred(_descriptor(credential))

    def rename(
        self, credential: StoredCredential, name: str | None, display_name: str | None
    ) -> StoredCredential:
        """Replace the user's names, None leaves that one as it is; the credential as it is now.

        UnsupportedError for the preview command, which cannot.
        """
        if not CredentialManagement.is_update_supported(self.authorisation.ctap.info):
            raise UnsupportedError(f"{self._key}: cannot rename: its command is the preview's")
        name = credential.user_name if name is None else name
        display_name = credential.display_name if display_name is None else display_name
        user = PublicKeyCredentialUserEntity(
            id=credential.user_id, name=name, display_name=display_name
        )
        with asking(self._key):
            self._commands.update_user_info(_descriptor(credential), user)
        return replace(credential, user_name=name, display_name=display_name)


def require_credentials(key: OpenKey) -> None:
    """UnsupportedError if its credentials cannot be managed."""
    if not CredentialManagement.is_supported(key.ctap2().info):
        raise UnsupportedError(f"{key}: has no credential management")


def find_credential(
    credentials: Iterable[StoredCredential],
    prefix: str | None = None,
    rp_id: str | None = None,
    user: str | None = None,
) -> StoredCredential:
    """The only one whose id (hexadecimal) starts with ``prefix`` and that fits the others given.

    ``user`` is the user's name, or id in hexadecimal. NoSuchItemError if none fits, several do,
    or a prefix is shorter than four digits.
    """
    if prefix is not None and len(prefix) < MIN_PREFIX:
        raise NoSuchItemError(f"{prefix!r} is too short: give {MIN_PREFIX} digits or more of an id")
    fitting = [
        each
        for each in credentials
        if (prefix is None or each.credential_id.hex().startswith(prefix.lower()))
        and (rp_id is None or each.rp_id == rp_id)
        and (user is None or user in (each.user_name, each.user_id.hex()))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise NoSuchItemError("no credential on the key fits")
    listed = "".join(f"\n  {each.credential_id.hex()} ({each})" for each in fitting)
    raise NoSuchItemError(f"several credentials fit; choose by id:{listed}")


def _read(rp_id: str, answer: Mapping[int, Any]) -> StoredCredential:
    user = answer[_RESULT.USER]
    return StoredCredential(
        rp_id,
        answer[_RESULT.CREDENTIAL_ID]["id"],
        user["id"],
        user.get("name"),
        user.get("displayName"),
        answer.get(_RESULT.PUBLIC_KEY, {}).get(3),
        answer.get(_RESULT.CRED_PROTECT),
        answer.get(_RESULT.LARGE_BLOB_KEY),
    )


def _descriptor(credential: StoredCredential) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        type=PublicKeyCredentialType.PUBLIC_KEY, id=credential.credential_id
    )
