"""Authenticator apps whose QR code was made and that are not assigned yet."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tokenkit.verifier import AuthenticatorApp

KEPT_S = 900.0
_ID_BYTES = 16


@dataclass(frozen=True)
class PendingApp:
    """An app that waits for two codes until ``expires_s``; ``id`` is in its session's state."""

    id: str
    name: str
    app: AuthenticatorApp = field(repr=False)
    expires_s: float


class PendingApps:
    """Kept in memory: in the database the seed would lie unsealed, and the name be taken.

    Each is shown to the session that began it and to no other: who has a password alone must not
    learn the seed that is to be asked for beside it.
    """

    def __init__(self, now: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._now = now
        self._random_bytes = random_bytes
        self._pending: dict[str, PendingApp] = {}
        self._lock = threading.Lock()

    def put(self, name: str, app: AuthenticatorApp) -> PendingApp:
        now_s = self._now()
        pending = PendingApp(self._random_bytes(_ID_BYTES).hex(), name, app, now_s + KEPT_S)
        with self._lock:
            kept = self._pending.items()
            self._pending = {key: each for key, each in kept if each.expires_s > now_s}
            self._pending[pending.id] = pending
        return pending

    def find(self, pending_id: str) -> PendingApp | None:
        """None if it expired."""
        with self._lock:
            pending = self._pending.get(pending_id)
        return pending if pending is not None and self._now() < pending.expires_s else None

    def forget(self, pending_id: str) -> None:
        """It is assigned, or given up."""
        with self._lock:
            self._pending.pop(pending_id, None)
