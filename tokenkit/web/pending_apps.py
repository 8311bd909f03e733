"""Authenticator apps whose QR code was made and that are not assigned yet."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tokenkit.verifier import AuthenticatorApp, DeleteConflict, NoSuchEntity, Verifier

KEPT_S = 900.0


@dataclass(frozen=True)
class PendingApp:
    """An app of ``user``'s that waits for two codes until ``expires_s``."""

    user: str
    name: str
    app: AuthenticatorApp
    expires_s: float


class PendingApps:
    """One a user. Kept in memory: in the database the seed would lie unsealed.

    Given up or too late, they are deleted, so that the name can be used again: what AWS's own
    console leaves behind there is the usual cause of "MFA device already exists".
    """

    def __init__(self, verifier: Verifier, now: Callable[[], float]) -> None:
        self._verifier = verifier
        self._now = now
        self._pending: dict[str, PendingApp] = {}
        self._lock = threading.Lock()

    def begin(self, user: str, name: str) -> PendingApp:
        """Make an app; the one that the user had begun is gone. EntityAlreadyExists, …"""
        self.give_up(user)
        self._drop_old()
        app = self._verifier.create_authenticator_app(name)
        pending = PendingApp(user, name, app, self._now() + KEPT_S)
        with self._lock:
            self._pending[user] = pending
        return pending

    def find(self, user: str) -> PendingApp | None:
        self._drop_old()
        return self._pending.get(user)

    def done(self, user: str) -> None:
        """The app is assigned, and its secret forgotten here."""
        with self._lock:
            self._pending.pop(user, None)

    def give_up(self, user: str) -> None:
        with self._lock:
            pending = self._pending.pop(user, None)
        if pending is not None:
            with suppress(NoSuchEntity, DeleteConflict):  # deleted or assigned by other means
                self._verifier.delete_authenticator_app(pending.app.serial_number)

    def _drop_old(self) -> None:
        now_s = self._now()
        for pending in list(self._pending.values()):
            if pending.expires_s <= now_s:
                self.give_up(pending.user)
