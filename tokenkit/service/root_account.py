"""What the account's owner signs in with, made for a service that is new."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from tokenkit.errors import TokenkitError
from tokenkit.verifier import ROOT, AccessKey, Verifier


class RootAccountError(TokenkitError):
    """An access key of root's that cannot be used."""


@dataclass(frozen=True)
class RootAccount:
    """Root's access key, and the password if it was made now: it is told this once."""

    access_key: AccessKey
    password: str | None = field(repr=False)


def prepare_root(
    verifier: Verifier,
    random_bytes: Callable[[int], bytes],
    *,
    password: str | None = None,
    access_key: tuple[str, str] | None = None,
) -> RootAccount:
    """Give root a password and an access key where it has none.

    A ``password`` or an ``access_key`` (id and secret) that is given becomes root's.
    RootAccountError, and what the verifier refuses.
    """
    if password is None and not verifier.user(ROOT).has_password:
        password = base64.b32encode(random_bytes(10)).decode().lower()
    if password is not None:
        verifier.set_password(ROOT, password)
    return RootAccount(_access_key(verifier, access_key), password)


def _access_key(verifier: Verifier, given: tuple[str, str] | None) -> AccessKey:
    if given is None:
        active = [key.id for key in verifier.access_keys(ROOT) if key.active]
        signer = verifier.find_signer(active[0]) if active else None
        return verifier.create_access_key(ROOT) if signer is None else signer[0]
    key_id, secret = given
    signer = verifier.find_signer(key_id)
    if signer is None:
        return verifier.create_access_key(ROOT, key_id=key_id, secret=secret)
    if (signer[0].user, signer[0].secret) != (ROOT, secret):
        raise RootAccountError(
            f"access key {key_id} is in the database with another user or secret: give another"
        )
    return signer[0]
