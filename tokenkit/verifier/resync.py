"""Finding a device's clock by two consecutive codes: RFC 4226 section 7.4, RFC 6238 section 6."""

from tokenkit.verifier.errors import NotConsecutive, Replayed
from tokenkit.verifier.search import find_pairs
from tokenkit.verifier.totp import CodeGenerator, TotpState, nearest


def resynchronise(
    generator: CodeGenerator,
    state: TotpState,
    code1: bytes,
    code2: bytes,
    now_step: int,
    range_steps: int,
) -> TotpState:
    """The state after both codes are accepted; NotConsecutive or Replayed if they are not.

    The codes must be those of two adjacent counters, both later than the last used one, the
    second within ``range_steps`` of the verifier's time or of the learned offset, or between the
    two: so a clock that its owner mended is found however far off it was before. All pairs are
    compared, for equal neighbouring codes happen; the one nearest to the learned offset counts,
    unless one of them was used before.
    """
    expected = now_step + state.offset_steps
    first = min(now_step, expected) - range_steps - 1
    last = max(now_step, expected) + range_steps
    matches = find_pairs(generator, code1, code2, range(first, last + 1))
    if not matches:
        raise NotConsecutive(
            "These are not two consecutive codes of this device: give one and the next."
        )
    if state.is_used(matches[0]):  # the oldest
        raise Replayed("They were used before: give two codes that come after.")
    second = 1 + nearest(matches, expected - 1)
    return TotpState(second - now_step, second)
