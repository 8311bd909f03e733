"""The crystal's error as a function of true time."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world.environment import PLACES, Constant, Environment, Schedule, place
from firmware_sim.world.oscillator import YEAR_S, Crystal, Oscillator

BORN_S = 1_700_000_000.0
DAY_S = 86_400.0
# no ageing, no noise: the parabola alone
PARABOLA = Crystal(ageing_ppm_first_year=0.0, random_walk_adev_1day=0.0, white_adev_1s=0.0)

times = st.floats(BORN_S, BORN_S + 15 * YEAR_S)
environments = st.builds(
    lambda start, moves: moved(PLACES[start], sorted(moves)),
    st.sampled_from(sorted(PLACES)),
    st.lists(st.tuples(times, st.sampled_from(sorted(PLACES))), max_size=4),
)
crystals = st.builds(
    Crystal,
    tolerance_ppm=st.floats(-50, 50),
    parabola_ppm_per_c2=st.floats(-0.045, -0.02),
    turnover_c=st.floats(20, 30),
    ageing_ppm_first_year=st.floats(-5, 5),
    ageing_tau_s=st.floats(DAY_S, YEAR_S),
    random_walk_adev_1day=st.floats(0, 1e-7),
    white_adev_1s=st.floats(0, 1e-7),
)


def moved(start: Environment, moves: list[tuple[float, str]]) -> Schedule:
    schedule = Schedule(start)
    for at_s, name in moves:
        schedule.move(at_s, place(name))
    return schedule


def oscillator(
    crystal: Crystal, environment: Environment, key: bytes = b"key", born_s: float = BORN_S
) -> Oscillator:
    return Oscillator(crystal, environment, key, born_s)


@given(crystals, environments, st.lists(times, min_size=1), st.randoms())
def test_the_error_is_a_pure_function_of_true_time(
    crystal: Crystal, environment: Environment, asked: list[float], random: Random
) -> None:
    used = oscillator(crystal, environment)
    forward = {t: used.error_s(t) for t in asked}
    random.shuffle(asked)
    assert {t: used.error_s(t) for t in asked} == forward
    assert {t: oscillator(crystal, environment).error_s(t) for t in asked} == forward


@given(crystals, environments, times, times, times)
def test_errors_over_adjoining_intervals_add_up(
    crystal: Crystal, environment: Environment, a: float, b: float, c: float
) -> None:
    """A crystal without memory of its age, asked from ``b`` on, gains the rest."""
    crystal = replace(
        crystal, ageing_ppm_first_year=0.0, random_walk_adev_1day=0.0, white_adev_1s=0.0
    )
    a, b, c = sorted((a, b, c))

    def gained(from_s: float, to_s: float) -> float:
        return oscillator(crystal, environment, born_s=from_s).error_s(to_s)

    assert gained(a, b) + gained(b, c) == pytest.approx(gained(a, c), rel=1e-9, abs=1e-8)


@given(crystals, environments, times, st.floats(0, 3 * DAY_S))
def test_the_error_is_the_integral_of_the_rate(
    crystal: Crystal, environment: Schedule, from_s: float, duration_s: float
) -> None:
    """Against the midpoint rule in steps of 10 minutes, for all terms but the noise."""
    crystal = replace(crystal, random_walk_adev_1day=0.0, white_adev_1s=0.0)
    clock = oscillator(crystal, environment)
    steps = max(1, round(duration_s / 600.0))
    h = duration_s / steps
    slow_s = 1e-6 * h * sum(clock.rate_ppm(from_s + (n + 0.5) * h) for n in range(steps))
    gained_s = clock.error_s(from_s + duration_s) - clock.error_s(from_s)
    # a step that straddles a move is off by at most the difference of the two rates
    moves = 4
    assert gained_s == pytest.approx(slow_s, rel=1e-4, abs=1e-6 + moves * 600.0 * 30e-6)


@given(crystals, times, st.floats(0, 3 * DAY_S), st.sampled_from(sorted(PLACES)))
def test_the_error_is_the_integral_of_the_rate_in_one_place(
    crystal: Crystal, from_s: float, duration_s: float, name: str
) -> None:
    crystal = replace(crystal, random_walk_adev_1day=0.0, white_adev_1s=0.0)
    clock = oscillator(crystal, place(name))
    # Simpson's rule
    h = duration_s / 400
    rates = [clock.rate_ppm(from_s + n * h) for n in range(401)]
    rates_sum = 4 * sum(rates[1::2]) + 2 * sum(rates[2:-1:2]) + rates[0] + rates[-1]
    slow_s = 1e-6 * rates_sum * h / 3
    gained_s = clock.error_s(from_s + duration_s) - clock.error_s(from_s)
    assert gained_s == pytest.approx(slow_s, rel=1e-6, abs=1e-8)


@given(crystals, times)
def test_the_noise_has_the_slope_that_the_rate_tells(crystal: Crystal, true_s: float) -> None:
    elapsed_s = 64.0 * math.floor((true_s - BORN_S) / 64.0)
    clock = oscillator(crystal, Constant(20.0))
    gained_s = clock.error_s(BORN_S + elapsed_s + 63.0) - clock.error_s(BORN_S + elapsed_s + 1.0)
    assert gained_s == pytest.approx(
        62e-6 * clock.rate_ppm(BORN_S + elapsed_s + 32.0), rel=1e-5, abs=1e-9
    )


@given(crystals, environments, times, st.floats(1e-3, 10.0))
def test_the_error_is_continuous(
    crystal: Crystal, environment: Environment, true_s: float, step_s: float
) -> None:
    """Places from 3 to 32 °C cost at most 35 ppm; the rest is tolerance, ageing and noise."""
    clock = oscillator(crystal, environment)
    bound = 200e-6
    assert abs(clock.error_s(true_s + step_s) - clock.error_s(true_s)) <= bound * step_s + 1e-9


@pytest.mark.parametrize(
    ("temperature_c", "ppm", "seconds_a_year"),
    [
        (25.0, 0.0, 0.0),
        (20.0, -0.85, -26.8),
        (30.0, -0.85, -26.8),
        (15.0, -3.4, -107.3),
        (35.0, -3.4, -107.3),
        (5.0, -13.6, -429.2),
        (0.0, -21.25, -670.6),
    ],
)
def test_temperature_only_slows(temperature_c: float, ppm: float, seconds_a_year: float) -> None:
    clock = oscillator(PARABOLA, Constant(temperature_c))
    assert clock.rate_ppm(BORN_S + 1e7) == pytest.approx(ppm)
    assert clock.error_s(BORN_S + YEAR_S) == pytest.approx(seconds_a_year, abs=0.05)


def test_eight_months_in_the_warehouse_cost_five_minutes() -> None:
    clock = oscillator(PARABOLA, place("warehouse"))
    assert clock.error_s(BORN_S + YEAR_S * 8 / 12) == pytest.approx(-300.0, abs=5.0)


def test_ageing_reaches_its_figure_after_a_year_and_slows_down() -> None:
    clock = oscillator(replace(PARABOLA, ageing_ppm_first_year=3.0), Constant(25.0))
    assert clock.rate_ppm(BORN_S) == 0.0
    assert clock.rate_ppm(BORN_S + YEAR_S) == pytest.approx(3.0)
    assert 3.5 < clock.rate_ppm(BORN_S + 2 * YEAR_S) < 4.0


def test_tolerance_gains_when_positive() -> None:
    clock = oscillator(replace(PARABOLA, tolerance_ppm=10.0), Constant(25.0))
    assert clock.error_s(BORN_S + DAY_S) == pytest.approx(0.864)


def test_the_noise_of_the_default_crystal_is_that_of_a_wrist_watch() -> None:
    clock = oscillator(Crystal(ageing_ppm_first_year=0.0), Constant(25.0))
    x = [clock.error_s(BORN_S + n * DAY_S) for n in range(15 * 365)]
    differences = [c - 2 * b + a for a, b, c in zip(x, x[1:], x[2:], strict=False)]
    variance = sum(d * d for d in differences) / len(differences) / 2 / DAY_S**2
    assert math.sqrt(variance) == pytest.approx(2e-8, rel=0.05)


def test_keys_make_crystals_differ() -> None:
    first, second = (oscillator(Crystal(), place("desk"), key) for key in (b"a", b"b"))
    assert first.error_s(BORN_S + YEAR_S) != second.error_s(BORN_S + YEAR_S)


def test_an_error_starts_at_zero() -> None:
    assert oscillator(Crystal(), place("car")).error_s(BORN_S) == 0.0


@pytest.mark.parametrize("bad", [BORN_S - 1e-3, BORN_S + 10_001 * YEAR_S, math.nan, math.inf])
def test_times_outside_its_life_are_refused(bad: float) -> None:
    clock = oscillator(Crystal(), place("desk"))
    for ask in (clock.error_s, clock.rate_ppm):
        with pytest.raises(ValueError, match="outside"):
            ask(bad)


def test_impossible_crystals_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerance_ppm must be finite"):
        Crystal(tolerance_ppm=math.nan)
    with pytest.raises(ValueError, match="ageing_tau_s must be above 0"):
        Crystal(ageing_tau_s=0.0)
    with pytest.raises(ValueError, match="negative"):
        Crystal(white_adev_1s=-1e-9)
    with pytest.raises(ValueError, match="born_s must be finite"):
        oscillator(Crystal(), place("desk"), born_s=math.inf)
