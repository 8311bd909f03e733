"""The signature counter (WebAuthn §6.1.1): one for all, one a credential, or none."""

import hashlib
from collections.abc import Mapping

from firmware_sim.world.flash import Flash

_MAX = 0xFFFFFFFF
Changes = Mapping[str, bytes | None]


class GlobalCounter:
    """One counter for all credentials."""

    def __init__(self, flash: Flash) -> None:
        self._flash = flash

    def last(self, credential_id: bytes) -> int:
        """What was signed with last."""
        return int.from_bytes(self._flash.get(self._key(credential_id)) or b"", "big")

    def next(self, credential_id: bytes, changes: Changes | None = None) -> int:
        """Advance, in flash before it is used; ``changes`` go into the same transaction."""
        counter = min(self.last(credential_id) + 1, _MAX)
        stored = {self._key(credential_id): counter.to_bytes(4, "big")}
        self._flash.write({**(changes or {}), **stored})
        return counter

    def forget(self, credential_id: bytes) -> Changes:
        """The flash change that goes with deleting a credential."""
        return {}

    def _key(self, credential_id: bytes) -> str:
        return "signature-counter"


class CredentialCounter(GlobalCounter):
    """A counter for each credential, kept by a hash of its id, server-side ones included."""

    def forget(self, credential_id: bytes) -> Changes:
        return {self._key(credential_id): None}

    def _key(self, credential_id: bytes) -> str:
        return f"signature-counter/{hashlib.sha256(credential_id).digest()[:16].hex()}"


class NoCounter(GlobalCounter):
    """Always 0: a relying party cannot tell a clone."""

    def last(self, credential_id: bytes) -> int:
        return 0

    def next(self, credential_id: bytes, changes: Changes | None = None) -> int:
        if changes:
            self._flash.write(changes)
        return 0


COUNTERS: dict[str, type[GlobalCounter]] = {
    "global": GlobalCounter,
    "credential": CredentialCounter,
    "zero": NoCounter,
}
