"""The cell: what it lasts, when it is low, how a token ends without it."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.battery import Battery
from firmware_sim.otp.token import EmptyBatteryError, HardwareToken, TokenKind
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.flash import MemoryFlash
from firmware_sim.world.token_clock import Stuck

MakeToken = Callable[..., tuple[HardwareToken, SimulatedClock]]

YEAR_S = 365.25 * 86_400.0
DAY_S = 86_400.0
# 100 hours, ten of them for each press
SMALL = Battery(capacity_mah=0.1, idle_ua=1.0, press_uah=10.0, low_fraction=0.25)

batteries = st.builds(
    Battery,
    capacity_mah=st.floats(0.001, 1e4),
    idle_ua=st.floats(0.01, 1e4),
    press_uah=st.floats(0, 100),
    low_fraction=st.floats(0, 1),
)


def test_the_usual_cell_lasts_as_long_as_makers_say() -> None:
    untouched_s = Battery().life_s(0)
    assert untouched_s / YEAR_S == pytest.approx(4.6, abs=0.05)
    # ten presses a day: the life at which the presses made so far use up the rest
    used_s = max(day * DAY_S for day in range(2_000) if Battery().life_s(10 * day) >= day * DAY_S)
    assert used_s / YEAR_S == pytest.approx(4.4, abs=0.05)


@given(batteries, st.floats(0, 20 * YEAR_S), st.integers(0, 100_000))
def test_charge_left_is_capacity_less_what_was_drawn(
    battery: Battery, age_s: float, presses: int
) -> None:
    used = Fraction(age_s) / 3600 * Fraction(battery.idle_ua) + presses * Fraction(
        battery.press_uah
    )
    left = float(max(Fraction(0), 1 - used / (1000 * Fraction(battery.capacity_mah))))
    assert battery.fraction_left(age_s, presses) == pytest.approx(left, abs=1e-9)
    assert battery.is_low(age_s, presses) == (
        battery.fraction_left(age_s, presses) < battery.low_fraction
    )


@given(batteries, st.integers(0, 100_000))
def test_at_the_end_of_its_life_nothing_is_left(battery: Battery, presses: int) -> None:
    life_s = battery.life_s(presses)
    assert battery.fraction_left(life_s, presses) == pytest.approx(0, abs=1e-9)
    if life_s > 0:
        assert battery.fraction_left(0.5 * life_s, presses) > 0
    assert battery.life_s(presses + 1) <= life_s


@pytest.mark.parametrize("name", ["capacity_mah", "idle_ua", "press_uah", "low_fraction"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_impossible_cells_are_refused(name: str, value: float) -> None:
    fields: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        Battery(**fields)


@pytest.mark.parametrize("fields", [{"capacity_mah": 0.0}, {"idle_ua": 0.0}, {"low_fraction": 1.1}])
def test_a_cell_without_charge_or_end_is_refused(fields: dict[str, float]) -> None:
    [name] = fields
    with pytest.raises(ValueError, match=name):
        Battery(**fields)


def test_the_sign_comes_before_the_end(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    # the first press below takes 10 of 100 µAh, and 65 h another 65
    assert not token.press().low_battery
    clock.advance(65 * 3600)
    assert not token.low_battery
    clock.advance(1)
    assert token.low_battery
    assert not token.display().low_battery  # dark
    assert token.press().low_battery
    assert "LOW BATTERY" in token.display().text()
    clock.advance(30)
    assert not token.display().lit
    assert not token.battery_empty


def test_at_the_end_the_display_goes_dark_and_the_clock_stops(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(90 * 3600 - 10)
    assert token.press().lit
    end_s = clock.now() + 10
    clock.set(end_s - 0.5)
    assert token.display().lit
    clock.set(end_s)
    assert not token.display().lit
    assert token.battery_empty
    clock.advance(5 * DAY_S)
    assert token.token_clock.read(clock.now()) == end_s
    assert token.token_clock.error_s(clock.now()) == -5 * DAY_S
    assert not token.press().lit
    with pytest.raises(EmptyBatteryError, match="TEST00001 stays dark: it has no power"):
        token.code()


def test_the_end_is_the_same_seen_late_or_at_once(make_token: MakeToken) -> None:
    watched, one = make_token(battery=SMALL)
    forgotten, other = make_token(battery=SMALL)
    for hour in range(0, 300, 7):
        one.set(watched.spec.made_s + hour * 3600)
        watched.display()
    other.set(one.now())
    assert watched.battery_empty
    assert forgotten.battery_empty
    assert forgotten.token_clock.read(one.now()) == watched.token_clock.read(one.now())


def test_a_press_may_take_the_last_of_the_charge(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(95 * 3600)
    assert not token.press().lit
    assert token.battery_empty
    assert token.token_clock.read(clock.now()) == clock.now()


def test_presses_wear_the_cell_out(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    seen = []
    for _ in range(12):
        seen.append(token.press().lit)
        clock.advance(60)
    assert seen == [True] * 9 + [False] * 3


def test_a_new_battery_starts_the_clock_where_it_stopped(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    end_s = clock.now() + 100 * 3600
    clock.advance(10 * DAY_S)
    token.replace_battery(60.0)
    assert not token.display().lit
    assert not token.press().lit
    clock.advance(59)
    assert not token.press().lit
    clock.advance(1)
    assert token.press().lit
    assert not token.low_battery
    assert token.token_clock.read(clock.now()) == end_s
    clock.advance(90 * 3600)
    assert token.battery_empty


def test_after_twenty_years_a_token_gets_a_new_battery(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(20 * 365 * DAY_S)
    assert not token.press().lit
    token.replace_battery(60.0)
    clock.advance(60)
    assert token.press().lit


def test_a_battery_changed_in_time_loses_the_outage_only(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(3600)
    assert token.press().lit
    token.replace_battery(0.0)
    assert not token.display().lit  # the display's time was in memory
    assert token.press().lit
    assert token.token_clock.error_s(clock.now()) == 0
    token.replace_battery(90.0)
    clock.advance(DAY_S)
    assert token.token_clock.error_s(clock.now()) == -90


@pytest.mark.parametrize("outage_s", [-1.0, math.nan, math.inf])
def test_an_impossible_outage_changes_nothing(make_token: MakeToken, outage_s: float) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(50 * 3600)
    shown = token.press()
    with pytest.raises(ValueError, match="an outage lasts"):
        token.replace_battery(outage_s)
    assert token.display() == shown
    clock.advance(40 * 3600)
    assert token.battery_empty


def test_no_battery_is_changed_during_a_change(make_token: MakeToken) -> None:
    token, clock = make_token(battery=SMALL)
    clock.advance(10.0)
    token.replace_battery(60.0)
    clock.advance(59.0)
    with pytest.raises(ValueError, match="not possible"):
        token.replace_battery(5.0)
    clock.advance(1.0)
    token.replace_battery(5.0)
    clock.advance(5.0)
    assert token.press().lit
    assert token.token_clock.error_s(clock.now()) == -65


@pytest.mark.parametrize("until_h", [50, 150, None])
def test_a_stuck_clock_ends_with_its_battery(make_token: MakeToken, until_h: int | None) -> None:
    token, clock = make_token(battery=SMALL)
    made_s = token.spec.made_s
    until_s = None if until_h is None else made_s + until_h * 3600
    token.token_clock.add(Stuck(made_s, until_s))
    clock.set(made_s + 101 * 3600)
    assert token.battery_empty
    clock.set(made_s + 200 * 3600)
    ran_s = (100 - until_h) * 3600 if until_h == 50 else 0
    assert token.token_clock.read(clock.now()) == made_s + ran_s


def test_the_counter_outlives_the_battery(make_token: MakeToken) -> None:
    flash = MemoryFlash()
    token, clock = make_token(battery=SMALL, flash=flash, kind=TokenKind.HOTP)
    assert token.code() == "755224"
    token.replace_battery(0.0)
    assert token.code() == "287082"
    clock.advance(200 * 3600)
    before = dict(flash.contents)
    assert not token.press().lit
    assert flash.contents == before
    token.replace_battery(0.0)
    assert token.code() == "359152"
