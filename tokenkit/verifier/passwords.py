"""Passwords for the console: Argon2id (RFC 9106), and guesses slowed down as codes are."""

import threading
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.console_sessions import end_sessions_of
from tokenkit.verifier.desk import Desk
from tokenkit.verifier.errors import (
    AccessDenied,
    EntityAlreadyExists,
    NoSuchEntity,
    PasswordPolicyViolation,
    Throttled,
)
from tokenkit.verifier.names import check_user_name
from tokenkit.verifier.throttle import wait_s

MIN_LENGTH, MAX_LENGTH = 8, 128  # IAM's default policy
LONGEST_WAIT_S = 900.0
# RFC 9106 section 4, the second recommendation has 64 MiB; OWASP's least is 19 MiB and 2 passes
_COST: dict[str, Any] = {"length": 32, "iterations": 2, "lanes": 1, "memory_cost": 19 * 1024}
_SALT_BYTES = 16
_INCORRECT = "Your authentication information is incorrect."
# Strangers can ask for a hash: this bounds what memory it takes. It is computed outside of
# transactions, since whoever writes would wait for it.
AT_ONCE = 4
_hashing = threading.BoundedSemaphore(AT_ONCE)


class Passwords(Desk):
    """The part of a verifier that knows passwords."""

    def set_password(self, user: str, password: str, *, replace: bool = True) -> None:
        """Let ``user`` sign in to the console: IAM's CreateLoginProfile, UpdateLoginProfile.

        NoSuchEntity, PasswordPolicyViolation; EntityAlreadyExists if there is one not to replace.
        """
        check_user_name(user)
        hashed = self._hash(password) if _fits(password) else None
        with self._request("set-password", user) as request:
            row = request.demand_user(user)
            if row.password is not None and not replace:
                raise EntityAlreadyExists(f"Login Profile for user {user} already exists.")
            if hashed is None:
                raise _violation()
            identity_records.set_password(request.connection, user, hashed, request.now_s)
            end_sessions_of(request.connection, user)

    def hash_password(self, password: str) -> str:
        """What :meth:`~tokenkit.verifier.Verifier.create_user` takes. PasswordPolicyViolation."""
        if not _fits(password):
            raise _violation()
        return self._hash(password)

    def remove_password(self, user: str) -> None:
        """NoSuchEntity if there is none: IAM's DeleteLoginProfile."""
        with self._request("remove-password", user) as request:
            if request.demand_user(user).password is None:
                raise NoSuchEntity(f"Login Profile for User {user} cannot be found.")
            identity_records.set_password(request.connection, user, None, request.now_s)
            end_sessions_of(request.connection, user)

    def check_password(self, user: str, password: str) -> None:
        """AccessDenied, with one text whatever was wrong; Throttled after wrong ones in a row.

        The wait grows as that for codes, and ends at 15 minutes: wrong passwords lock nothing for
        good. But whoever guesses on and on keeps the owner out for as long, since nothing tells
        the two apart. ValidationError.
        """
        check_user_name(user)
        with self._store.reading() as connection:
            row = records.find_user(connection, user)
        left_s = 0.0 if row is None else self._left_s(row, self._now())
        # whoever has to wait is told as late as of a wrong one: it tells no stranger who is a user
        hashed = None if row is None or left_s > 0 else row.password
        is_right = _matches(password.encode("utf-8", "surrogatepass"), hashed)
        with self._request("password", user) as request:
            # meanwhile another guess may have been made, or another password set
            row = records.lock_user(request.connection, user)
            if row is None:
                request.user = None  # people type their passwords there
            if row is None or row.password is None:
                raise AccessDenied(_INCORRECT)
            left_s = max(left_s, self._left_s(row, request.now_s))
            if left_s > 0:
                raise Throttled(left_s)
            if not is_right or row.password != hashed:
                records.update_user(
                    request.connection,
                    user,
                    password_failures=row.password_failures + 1,
                    password_failed_s=request.now_s,
                )
                raise AccessDenied(_INCORRECT)
            records.update_user(
                request.connection, user, password_failures=0, password_used_s=request.now_s
            )

    def _left_s(self, row: Row[Any], now_s: float) -> float:
        """Seconds until the next password of a user is looked at."""
        failures = min(row.password_failures, self.totp.lock_after - 1)
        failed_s: float = row.password_failed_s
        return min(wait_s(self.totp, failures, failed_s, now_s), failed_s + LONGEST_WAIT_S - now_s)

    def _hash(self, password: str) -> str:
        made = Argon2id(salt=self._random_bytes(_SALT_BYTES), **_COST)
        with _hashing:
            return made.derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def _fits(password: object) -> bool:
    return isinstance(password, str) and MIN_LENGTH <= len(password) <= MAX_LENGTH


def _violation() -> PasswordPolicyViolation:
    return PasswordPolicyViolation(
        f"Password should have a minimum length of {MIN_LENGTH}",
        f"and at most {MAX_LENGTH} characters.",
    )


def _matches(password: bytes, hashed: str | None) -> bool:
    with _hashing:
        if hashed is None:
            # nobody's: so that an unknown name takes as long as a wrong password
            Argon2id(salt=bytes(_SALT_BYTES), **_COST).derive(password)
            return False
        try:
            Argon2id.verify_phc_encoded(password, hashed)
        except InvalidKey:
            return False
        return True
