"""Seed files that were looked at and wait to be confirmed."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tokenkit.verifier.seed_file import Seed

KEPT_S = 900.0
_MOST = 20  # files; of more, the oldest are looked at again


@dataclass(frozen=True)
class Pending:
    """The tokens of one file, for the one who uploaded it."""

    owner: str
    name: str
    seeds: tuple[Seed, ...] = field(repr=False)
    expires_s: float


class PendingImports:
    """Kept in memory and not in the database, where the seeds would lie unsealed."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pending: dict[str, Pending] = {}
        self._lock = threading.Lock()

    def put(self, owner: str, name: str, contents: bytes, seeds: Sequence[Seed]) -> str:
        """Keep a file's tokens for a quarter of an hour; what to ask for them by."""
        key = hashlib.sha256(owner.encode() + b"\0" + contents).hexdigest()
        with self._lock:
            self._drop_old()
            while len(self._pending) >= _MOST:
                del self._pending[next(iter(self._pending))]
            self._pending[key] = Pending(owner, name, tuple(seeds), self._now() + KEPT_S)
        return key

    def take(self, owner: str, key: str) -> Pending | None:
        """What ``owner`` uploaded, which is thereby gone; None if it is gone already."""
        with self._lock:
            self._drop_old()
            pending = self._pending.get(key)
            if pending is None or pending.owner != owner:
                return None
            return self._pending.pop(key)

    def _drop_old(self) -> None:
        now_s = self._now()
        for key, pending in list(self._pending.items()):
            if pending.expires_s <= now_s:
                del self._pending[key]
