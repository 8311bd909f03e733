"""What the account's owner signs in with, made for a service that is new."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from tokenkit.errors import TokenkitError
from tokenkit.verifier import ROOT, AccessKey, PasswordPolicyViolation, ValidationError, Verifier
from tokenkit.verifier.access_keys import MAX_ACCESS_KEYS
from tokenkit.verifier.sessions import TEMPORARY


class RootAccountError(TokenkitError):
    """A password or an access key of root's that cannot be used."""


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
    key = _check_access_key(verifier, access_key)
    if password is None and not verifier.user(ROOT).has_password:
        password = base64.b32encode(random_bytes(10)).decode().lower()
    if password is not None:
        try:
            verifier.set_password(ROOT, password)
        except PasswordPolicyViolation as error:
            raise RootAccountError(f"TOKENKIT_ROOT_PASSWORD: {error}") from None
    if key is None:
        key_id, secret = access_key or (None, None)
        try:
            key = verifier.create_access_key(ROOT, key_id=key_id, secret=secret)
        except ValidationError as error:
            raise RootAccountError(f"TOKENKIT_ROOT_ACCESS_KEY: {error}") from None
    return RootAccount(key, password)


def _check_access_key(verifier: Verifier, given: tuple[str, str] | None) -> AccessKey | None:
    """The one that root has already, None if it is to be made; RootAccountError if it cannot be."""
    present = verifier.access_keys(ROOT)
    if given is None:
        active = [key for key in present if key.active]
        signer = verifier.find_signer(active[0].id) if active else None
        if signer is not None:
            return signer[0]
    else:
        key_id, secret = given
        if key_id.startswith(TEMPORARY):
            raise RootAccountError(
                f"access key {key_id}: ids of temporary credentials begin with {TEMPORARY}"
            )
        signer = verifier.find_signer(key_id)
        if signer is not None:
            if (signer[0].user, signer[0].secret) != (ROOT, secret):
                raise RootAccountError(
                    f"access key {key_id} is in the database with another user or secret:"
                    " give another"
                )
            return signer[0]
    if len(present) >= MAX_ACCESS_KEYS:
        listed = " and ".join(key.id for key in present)
        raise RootAccountError(
            f"root has the access keys {listed} already, and may have no more: give one of them"
            " by TOKENKIT_ROOT_ACCESS_KEY=ID:SECRET"
        )
    return None
