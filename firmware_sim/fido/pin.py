"""The PIN: its hash and retry counters (CTAP 2.1 §6.5.5)."""

import hashlib
import hmac

from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.flash import Flash

MAX_RETRIES = 8
MAX_MISMATCHES_A_POWER_UP = 3
_HASH = "pin/hash"
_RETRIES = "pin/retries"


class Pin:
    """State of the PIN; mismatches since power-up are forgotten with the power."""

    def __init__(self, flash: Flash, minimum_length: int) -> None:
        self._flash = flash
        self._minimum_length = minimum_length
        self._mismatches = 0

    @property
    def is_set(self) -> bool:
        return self._flash.get(_HASH) is not None

    @property
    def retries(self) -> int:
        stored = self._flash.get(_RETRIES)
        return MAX_RETRIES if stored is None else stored[0]

    @property
    def needs_power_cycle(self) -> bool:
        return self._mismatches >= MAX_MISMATCHES_A_POWER_UP

    def set(self, padded: bytes | None) -> None:
        """Store a PIN sent as 64 zero-padded bytes.

        INVALID_PARAMETER for another length; PIN_POLICY_VIOLATION for fewer code points than the
        minimum, more than 63 bytes, or bytes that are not UTF-8.
        """
        if padded is None or len(padded) != 64:
            raise CtapStatusError(Status.INVALID_PARAMETER)
        raw = padded.rstrip(b"\0")
        try:
            length = len(raw.decode())
        except UnicodeDecodeError:
            raise CtapStatusError(Status.PIN_POLICY_VIOLATION) from None
        if length < self._minimum_length or len(raw) > 63:
            raise CtapStatusError(Status.PIN_POLICY_VIOLATION)
        digest = hashlib.sha256(raw).digest()[:16]
        self._flash.write({_HASH: digest, _RETRIES: bytes((MAX_RETRIES,))})
        self._mismatches = 0

    def check_not_blocked(self) -> None:
        """PIN_BLOCKED when no retries are left, PIN_AUTH_BLOCKED until the next power-up."""
        if self.retries == 0:
            raise CtapStatusError(Status.PIN_BLOCKED)
        if self.needs_power_cycle:
            raise CtapStatusError(Status.PIN_AUTH_BLOCKED)

    def verify(self, digest: bytes | None) -> bool:
        """Compare LEFT(SHA-256(PIN), 16); the retry is spent before the comparison."""
        retries = self.retries
        self._flash.write({_RETRIES: bytes((retries - 1,))})
        if digest is None or not hmac.compare_digest(self._flash.get(_HASH) or b"", digest):
            self._mismatches += 1
            return False
        self._flash.write({_RETRIES: bytes((MAX_RETRIES,))})
        self._mismatches = 0
        return True
