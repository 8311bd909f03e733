"""Time-based codes: RFC 6238, with the learned offset of its section 6. No storage in here.

A counter is a number of time steps since 1970; the verifier's own is ``step(now)``. A device whose
learned offset is n shows, as far as the verifier knows, the code for its own counter plus n.
"""

import hashlib
import math
import struct
from collections.abc import Iterable
from hmac import compare_digest
from itertools import compress

import msgspec

from tokenkit.verifier.errors import MalformedCode, OutOfWindow, Replayed, ValidationError

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
_BLOCK_BYTES = {"SHA1": 64, "SHA256": 64, "SHA512": 128}
_FORMATS = {digits: b"%%0%dd" % digits for digits in range(1, 11)}
_COUNTER = 0xFFFF_FFFF_FFFF_FFFF
_uint32_at = struct.Struct(">I").unpack_from


class CodeGenerator:
    """Codes under one seed.

    HMAC's two keyed hash states are computed once and copied for each code, which halves the
    hashing. ``algorithm`` is SHA1, SHA256 or SHA512; threads may share a generator. ``pads`` are
    the key's inner and outer, one block each: RFC 2104.
    """

    __slots__ = ("_format", "_inner", "_outer", "algorithm", "digits", "modulus", "pads")

    def __init__(self, seed: bytes, algorithm: str = "SHA1", digits: int = 6) -> None:
        new, block_bytes = _HASHES[algorithm], _BLOCK_BYTES[algorithm]
        key = seed if len(seed) <= block_bytes else new(seed).digest()
        key = key.ljust(block_bytes, b"\0")
        self.pads = key.translate(_INNER_PAD), key.translate(_OUTER_PAD)
        self._inner, self._outer = map(new, self.pads)
        self._format = _FORMATS[digits]
        self.algorithm, self.digits, self.modulus = algorithm, digits, 10**digits

    def codes(self, counters: Iterable[int]) -> list[bytes]:
        """The code for each counter, as ASCII digits: RFC 4226 section 5.3.

        A counter is 8 bytes on the wire; one before 1970 goes there as two's complement, as in
        implementations in C.
        """
        inner_copy, outer_copy = self._inner.copy, self._outer.copy
        modulus, form = self.modulus, self._format
        found = []
        for counter in counters:
            inner = inner_copy()
            inner.update((counter & _COUNTER).to_bytes(8, "big"))
            outer = outer_copy()
            outer.update(inner.digest())
            mac = outer.digest()
            number = _uint32_at(mac, mac[-1] & 0xF)[0] & 0x7FFF_FFFF
            found.append(form % (number % modulus))
        return found

    def parse(self, code: str) -> bytes:
        """``code`` as bytes to compare; MalformedCode unless it is so many ASCII digits.

        ValidationError if it is no text at all.
        """
        if not isinstance(code, str):
            raise ValidationError(
                f"a code is text, like '012345', not {type(code).__name__}:"
                " a number loses its leading zeros"
            )
        if not (len(code) == self.digits and code.isascii() and code.isdigit()):
            raise MalformedCode(f"A code is {self.digits} digits, 0 to 9, and nothing else.")
        return code.encode()


class TotpState(msgspec.Struct, frozen=True):
    """What is known of a device: its learned offset, and the counter up to which codes are used."""

    offset_steps: int = 0
    last_counter: int | None = None

    def is_used(self, counter: int) -> bool:
        """Whether the code for ``counter`` was accepted, or is older than one that was."""
        return self.last_counter is not None and counter <= self.last_counter


def step(time_s: float, period_s: int) -> int:
    """The counter at ``time_s``, of any sign and size: RFC 6238 section 4.2, T0 = 0."""
    if not math.isfinite(time_s):
        raise ValueError(f"a time must be finite, not {time_s}")
    return int(time_s // period_s)


def verify(
    generator: CodeGenerator, state: TotpState, code: bytes, now_step: int, window_steps: int
) -> TotpState:
    """The state after ``code`` is accepted; OutOfWindow or Replayed if it is not.

    Codes within ``window_steps`` of the learned offset are accepted, to either side, if later
    than the last used one. All are compared, each in constant time. The same digits may be right
    for two counters in the window: then the nearer one is learned and both are used up, and if
    one was used before, neither is accepted. Otherwise whoever looked on could show them again.
    """
    expected = now_step + state.offset_steps
    counters = range(expected - window_steps, expected + window_steps + 1)
    return verify_in(counters, generator, state, code, now_step)


def verify_in(
    counters: range, generator: CodeGenerator, state: TotpState, code: bytes, now_step: int
) -> TotpState:
    """The same for a window of just these ``counters``."""
    expected = now_step + state.offset_steps
    equal = [compare_digest(candidate, code) for candidate in generator.codes(counters)]
    if True not in equal:
        raise OutOfWindow(
            "Wait for the next code; resynchronise the device if its clock may be off."
        )
    matches = list(compress(counters, equal))
    if state.is_used(matches[0]):  # the oldest
        raise Replayed("It was used before: wait for the next code.")
    return TotpState(nearest(matches, expected) - now_step, matches[-1])


def nearest(counters: list[int], to: int) -> int:
    """That one of ``counters`` which is nearest to ``to``; there is hardly ever more than one."""
    return counters[0] if len(counters) == 1 else min(counters, key=lambda each: abs(each - to))
