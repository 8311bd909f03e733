"""The PIN: its hash and retry counters (CTAP 2.1 §6.5.5), and what makes one acceptable."""

import hashlib
import hmac
from itertools import pairwise

from firmware_sim.fido.settings import Changes, Settings
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.flash import Flash

MAX_RETRIES = 8
MAX_MISMATCHES_A_POWER_UP = 3
MAX_BYTES = 63
_COMPLEX = "pin/complex"
_HASH = "pin/hash"
_LENGTH = "pin/length"
_MUST_CHANGE = "pin/must-change"
_RETRIES = "pin/retries"
_YES = b"\x01"


class Pin:
    """State of the PIN; mismatches since power-up are forgotten with the power.

    ``max_length`` is in code points.
    """

    def __init__(self, flash: Flash, settings: Settings, max_length: int) -> None:
        self._flash = flash
        self._settings = settings
        self._max_length = max_length
        self._mismatches = 0

    @property
    def is_set(self) -> bool:
        return self._flash.get(_HASH) is not None

    @property
    def length(self) -> int:
        """Of the PIN that is set, in code points; 0 if none is."""
        return (self._flash.get(_LENGTH) or b"\0")[0]

    @property
    def is_complex(self) -> bool:
        """Whether the PIN that is set is as the complexity policy demands, in force or not."""
        return self._flash.get(_COMPLEX) is not None

    @property
    def must_change(self) -> bool:
        """Whether the PIN is of no use but to be changed (forcePINChange)."""
        return self._flash.get(_MUST_CHANGE) is not None

    def with_forced_change(self) -> Changes:
        """The flash change that forces one."""
        return {_MUST_CHANGE: _YES}

    @property
    def retries(self) -> int:
        stored = self._flash.get(_RETRIES)
        return MAX_RETRIES if stored is None else stored[0]

    @property
    def is_blocked(self) -> bool:
        """Whether no tries are left: then nothing but a reset helps."""
        return self.is_set and not self.retries

    @property
    def needs_power_cycle(self) -> bool:
        return self._mismatches >= MAX_MISMATCHES_A_POWER_UP

    def set(self, padded: bytes, more: Changes) -> None:
        """Store a PIN sent as 64 zero-padded bytes, with ``more`` in the same transaction.

        INVALID_PARAMETER for another length; PIN_POLICY_VIOLATION for fewer code points than the
        minimum or more than the maximum, more than 63 bytes, bytes that are not UTF-8, one that
        is too simple, or the same PIN where it must change.
        """
        if len(padded) != 64:
            raise CtapStatusError(Status.INVALID_PARAMETER)
        raw = padded.rstrip(b"\0")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise CtapStatusError(Status.PIN_POLICY_VIOLATION) from None
        digest = hashlib.sha256(raw).digest()[:16]
        if (
            not self._settings.min_pin_length <= len(text) <= self._max_length
            or len(raw) > MAX_BYTES
            or (self._settings.pin_complexity and is_simple(text))
            or (self.must_change and digest == self._flash.get(_HASH))
        ):
            raise CtapStatusError(Status.PIN_POLICY_VIOLATION)
        self._flash.write(
            {
                _HASH: digest,
                _LENGTH: bytes((len(text),)),
                _COMPLEX: None if is_simple(text) else _YES,
                _RETRIES: bytes((MAX_RETRIES,)),
                _MUST_CHANGE: None,
                **more,
            }
        )
        self._mismatches = 0

    def check_not_blocked(self) -> None:
        """PIN_BLOCKED when no retries are left, PIN_AUTH_BLOCKED until the next power-up."""
        if self.retries == 0:
            raise CtapStatusError(Status.PIN_BLOCKED)
        if self.needs_power_cycle:
            raise CtapStatusError(Status.PIN_AUTH_BLOCKED)

    def verify(self, digest: bytes | None, more: Changes) -> bool:
        """Compare LEFT(SHA-256(PIN), 16); the retry is spent before the comparison.

        ``more`` is written with the retries that a right PIN gives back.
        """
        retries = self.retries
        self._flash.write({_RETRIES: bytes((retries - 1,))})
        if digest is None or not hmac.compare_digest(self._flash.get(_HASH) or b"", digest):
            self._mismatches += 1
            return False
        self._flash.write({_RETRIES: bytes((MAX_RETRIES,)), **more})
        self._mismatches = 0
        return True


def is_simple(pin: str) -> bool:
    """Whether the complexity policy refuses it: fewer than three different characters, or each
    the next one of the one before, up or down."""
    codes = [ord(character) for character in pin]
    steps = {after - before for before, after in pairwise(codes)}
    return len(set(codes)) < 3 or steps in ({1}, {-1})
