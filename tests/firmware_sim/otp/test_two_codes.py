"""Two consecutive codes, as one reads them to enable or resynchronise a token."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_sim.otp.hotp import hotp
from firmware_sim.otp.token import EmptyBatteryError, HardwareToken, TokenKind, TokenSpec
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.environment import Schedule, place
from firmware_sim.world.oscillator import Crystal
from firmware_sim.world.token_clock import Stuck

MADE_S = 1_767_225_600.0


def drifting_token(tolerance_ppm: float, age_s: float = 0.0, **fields: Any) -> HardwareToken:
    crystal = Crystal(tolerance_ppm=tolerance_ppm)
    spec = TokenSpec("TEST00001", b"12345678901234567890", crystal=crystal, made_s=MADE_S, **fields)
    return HardwareToken(spec, SimulatedClock(MADE_S + age_s), Schedule(place("desk")))


# at the edge of a time step a slow clock has not moved on 30 s later, a fast one twice
@example(TokenKind.TOTP, -200.0, 0.0, 30)
@example(TokenKind.TOTP, 200.0, 29.9, 30)
@given(
    st.sampled_from(TokenKind),
    st.floats(-200, 200),
    st.floats(0, 3e7),
    st.sampled_from([30, 60]),
)
def test_are_of_adjacent_counters(
    kind: TokenKind, tolerance_ppm: float, age_s: float, period_s: int
) -> None:
    token = drifting_token(tolerance_ppm, age_s, kind=kind, period_s=period_s, digits=8)
    token_s = MADE_S + age_s + token.token_clock.error_s(MADE_S + age_s)
    first = 0 if kind is TokenKind.HOTP else int(token_s // period_s)
    codes = [hotp(token.spec.seed, counter, 8) for counter in (first, first + 1)]
    assert list(token.two_codes()) == codes


def test_of_a_stuck_clock_are_the_same() -> None:
    token = drifting_token(0.0)
    token.token_clock.add(Stuck(MADE_S))
    first, second = token.two_codes()
    assert first == second


def test_cannot_be_read_without_power() -> None:
    token = drifting_token(0.0)
    token.replace_battery(outage_s=10.0)
    with pytest.raises(EmptyBatteryError):
        token.two_codes()
