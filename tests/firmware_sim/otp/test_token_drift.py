"""Tokens whose clocks drift: the code is that of the token's time, not of true time."""

import base64
from dataclasses import replace

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.otp.factory import Factory
from firmware_sim.otp.grade import GRADES, grade
from firmware_sim.otp.token import HardwareToken, TokenSpec
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.environment import Constant, Schedule, place
from firmware_sim.world.oscillator import YEAR_S

MADE_S = 1_767_225_600.0
FAST = replace(grade("perfect").crystal, tolerance_ppm=20.0)


def token_of(spec: TokenSpec, temperature_c: float | None = None) -> HardwareToken:
    where = place("desk") if temperature_c is None else Constant(temperature_c)
    return HardwareToken(spec, SimulatedClock(spec.made_s), Schedule(where))


def drawn_spec(seed: int = 1, name: str = "token", made_s: float = MADE_S) -> TokenSpec:
    return Factory(SeededEntropy(seed), made_s).make_batch("TKTEST", 1, grade=name).tokens[0]


def press_at(token: HardwareToken, true_s: float) -> str:
    clock = token._clock
    assert isinstance(clock, SimulatedClock)
    clock.set(true_s)
    return token.code()


def test_20_ppm_is_631_s_in_a_year() -> None:
    token = token_of(TokenSpec("TEST00001", bytes(20), crystal=FAST, made_s=MADE_S))
    code = press_at(token, MADE_S + YEAR_S)
    error_s = token.token_clock.error_s(MADE_S + YEAR_S)
    assert error_s == pytest.approx(20e-6 * YEAR_S, rel=1e-12)
    other = pyotp.HOTP(base64.b32encode(bytes(20)).decode())
    assert code == other.at(int((MADE_S + YEAR_S + 631.152) // 30))


@given(st.integers(0, 50), st.floats(0, 4 * YEAR_S), st.sampled_from(list(GRADES)))
def test_the_display_shows_the_code_of_token_time(seed: int, later_s: float, name: str) -> None:
    token = token_of(drawn_spec(seed, name))
    code = press_at(token, MADE_S + later_s)
    token_s = token.token_clock.read(MADE_S + later_s)
    assert code == pyotp.HOTP(base64.b32encode(token.spec.seed).decode()).at(int(token_s // 30))


@settings(max_examples=25)
@given(st.lists(st.floats(0, 4 * YEAR_S), min_size=1, max_size=6))
def test_the_error_does_not_depend_on_when_it_was_looked_at(asked: list[float]) -> None:
    watched, fresh = token_of(drawn_spec()), token_of(drawn_spec())
    for later_s in sorted(asked):
        press_at(watched, MADE_S + later_s)
    times = [MADE_S + later_s for later_s in asked]
    assert [fresh.token_clock.error_s(true_s) for true_s in times] == [
        watched.token_clock.error_s(true_s) for true_s in times
    ]


def test_a_perfect_token_keeps_true_time() -> None:
    token = token_of(drawn_spec(name="perfect"))
    for year in range(5):
        assert token.token_clock.error_s(MADE_S + year * YEAR_S) == 0


def test_cold_storage_makes_a_token_late() -> None:
    """-0.034 ppm/°C² at 20 °C below the turnover: 13.6 ppm slow, 36 s a month."""
    crystal = replace(grade("perfect").crystal, parabola_ppm_per_c2=-0.034)
    token = token_of(TokenSpec("TEST00001", bytes(20), crystal=crystal, made_s=MADE_S), 5.0)
    month_s = YEAR_S / 12
    assert token.token_clock.error_s(MADE_S + month_s) == pytest.approx(-13.6e-6 * month_s)


@pytest.mark.parametrize("name", ["token", "20ppm"])
def test_months_in_stock_are_months_of_drift(name: str) -> None:
    """A token that lay in stock is the one that was made earlier."""
    maker = Factory(SeededEntropy(1), MADE_S)
    [stored] = maker.make_batch("TKTEST", 1, grade=name, months_in_stock=8).tokens
    earlier = drawn_spec(name=name, made_s=MADE_S - 8 / 12 * YEAR_S)
    assert stored == earlier
    token = HardwareToken(stored, SimulatedClock(MADE_S), Schedule(place("desk")))
    assert token.token_clock.error_s(stored.made_s) == 0
    assert abs(token.token_clock.error_s(MADE_S)) > 1


@given(st.integers(0, 200))
def test_a_token_made_in_1970_works_from_its_first_moment(seed: int) -> None:
    """Noise may then put its clock before 1970."""
    token = token_of(drawn_spec(seed, made_s=0.0))
    for true_s in (0.0, 1e-9, 1e-6, 1.0, 29.0):
        assert len(press_at(token, true_s)) == 6
