"""What is learned of clocks: the filter against slow references, and what it may never do."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.drift import (
    LearnedClock,
    Limits,
    expected,
    learn,
    likely,
    limits_of,
    normal_between,
    plausible,
    predict,
    prove,
    seen,
    unknown_rate,
    window,
)
from tokenkit.virtual import World, place

START_S = 1_800_000_000.0
DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
PERIOD_S = 30
POLICY = TotpPolicy(drift="rate")
LIMITS = limits_of(POLICY, PERIOD_S)
READING_S = 3.0

times = st.one_of(
    st.floats(-1e11, 1e11), st.integers(-(10**6), 10**6).map(lambda n: START_S + n * 1000.0)
)
deviations = st.floats(-25.0, 25.0)


@given(deviations, st.floats(0.01, 50.0))
def test_the_part_of_a_normal_distribution(low: float, width: float) -> None:
    """Against Simpson's rule, relative to the density's peak within."""
    z = np.linspace(low, low + width, 200_001)
    peak = min(max(low, 0.0), low + width)
    if peak == 0.0 and low < -25:
        return
    weights = np.exp(-(z**2 - peak**2) / 2.0)
    weights[1:-1:2] *= 4.0
    weights[2:-1:2] *= 2.0
    mean = float(np.average(z, weights=weights))
    variance = float(np.average((z - mean) ** 2, weights=weights))
    found = normal_between(low, low + width)
    assert found[0] == pytest.approx(mean, abs=1e-5)
    assert found[1] == pytest.approx(variance, abs=1e-3)


@st.composite
def clocks(draw: st.DrawFn) -> LearnedClock:
    """Whatever a filter may have come to, at START_S."""
    offset_deviation_s = draw(st.floats(0.1, 200.0))
    rate_deviation = draw(st.floats(1e-8, 2e-5))
    correlation = draw(st.floats(-0.99, 0.99))
    offset_s = draw(st.floats(-100.0, 100.0))
    return LearnedClock(
        START_S,
        offset_s,
        START_S,
        offset_s,
        draw(st.floats(-2e-5, 2e-5)),
        offset_deviation_s**2,
        correlation * offset_deviation_s * rate_deviation,
        rate_deviation**2,
    )


def matrix(clock: LearnedClock) -> Any:
    return np.array(
        [[clock.offset_variance, clock.covariance], [clock.covariance, clock.rate_variance]]
    )


@given(clocks(), st.floats(0.0, 3 * YEAR_S))
def test_a_prediction_is_the_textbooks(clock: LearnedClock, t: float) -> None:
    """F x and F P Fᵀ + Q of the two-state clock model."""
    found = predict(clock, START_S + t)
    t = found.learned_s - START_S
    transition = np.array([[1.0, t], [0.0, 1.0]])
    walk = 1e-12 / YEAR_S
    noise = walk * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    assert [found.offset_s, found.rate] == pytest.approx(
        list(transition @ [clock.offset_s, clock.rate]), abs=1e-9
    )
    wanted = transition @ matrix(clock) @ transition.T + noise
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    assert np.abs((matrix(found) - wanted) / scale).max() < 1e-9


@given(clocks(), st.floats(0.0, YEAR_S), st.floats(0.0, YEAR_S))
def test_two_predictions_are_one(clock: LearnedClock, first: float, second: float) -> None:
    at_once = predict(clock, START_S + first + second)
    by_parts = predict(predict(clock, START_S + first), START_S + first + second)
    assert by_parts.offset_s == pytest.approx(at_once.offset_s, abs=1e-6)
    scale = np.sqrt(np.outer(np.diag(matrix(at_once)), np.diag(matrix(at_once))))
    assert np.abs((matrix(by_parts) - matrix(at_once)) / scale).max() < 1e-6


def exact_posterior(clock: LearnedClock, low_s: float, high_s: float) -> tuple[Any, Any]:
    """Mean and covariance after one interval, by brute force over offset and rate."""
    before = matrix(clock)
    root = np.linalg.cholesky(before)
    z = np.linspace(-7.0, 7.0, 601)
    first, second = np.meshgrid(z, z, indexing="ij")
    offset = clock.offset_s + root[0, 0] * first
    rate = clock.rate + root[1, 0] * first + root[1, 1] * second
    erf = np.vectorize(math.erf)
    inside = erf((high_s - offset[:, 0]) / READING_S / math.sqrt(2))
    inside -= erf((low_s - offset[:, 0]) / READING_S / math.sqrt(2))
    weights = np.exp(-(first**2 + second**2) / 2.0) * inside[:, None]
    points = np.stack([offset.ravel(), rate.ravel()])
    mean = np.average(points, axis=1, weights=weights.ravel())
    return mean, np.cov(points, aweights=weights.ravel(), ddof=0)


@given(clocks(), st.floats(-1.0, 1.0))
def test_one_code_leaves_what_bayes_rule_leaves(clock: LearnedClock, where: float) -> None:
    """Mean and covariance are exact for an interval that the prediction does not miss."""
    if clock.offset_variance < 1.0:
        return
    # at START_S, so that nothing is predicted; the prediction lies within the interval
    now_s, limits = START_S, Limits(PERIOD_S, 3e-5, 15.0, 100)
    counter = math.floor((now_s + clock.offset_s - 7.5 + where * 20.0) / PERIOD_S)
    low_s, high_s = seen(limits, counter, now_s)
    if not low_s <= clock.offset_s <= high_s:
        return
    found = learn(clock, limits, counter, now_s)
    mean, covariance = exact_posterior(clock, low_s, high_s)
    deviations = np.sqrt(np.diag(matrix(clock)))
    assert abs(found.offset_s - mean[0]) < 1e-3 * deviations[0]
    assert abs(found.rate - mean[1]) < 1e-3 * deviations[1]
    scale = np.outer(deviations, deviations)
    assert np.abs((matrix(found) - covariance) / scale).max() < 1e-3


@pytest.mark.parametrize("seed", range(12))
def test_many_codes_leave_about_what_bayes_rule_leaves(seed: int) -> None:
    """A steady clock, half a year of codes, against the posterior over a grid of all of them."""
    drawn = random.Random(seed)
    offset_s, rate = drawn.uniform(-15, 15), drawn.gauss(0, 4e-6)
    error_s = lambda t: offset_s + rate * (t - START_S)  # noqa: E731
    first = shown(error_s, START_S)
    clock = prove(None, LIMITS, first, START_S)
    intervals = [(START_S, *seen(LIMITS, first, START_S))]
    for week in range(1, 27):
        read_s = START_S + 7 * DAY_S * (week + drawn.uniform(-0.1, 0.1))
        now_s = read_s + drawn.uniform(1, 12)
        counter = shown(error_s, read_s)
        clock = learn(clock, LIMITS, counter, now_s)
        intervals.append((now_s, *seen(LIMITS, counter, now_s)))
    offsets, rates = np.meshgrid(
        np.linspace(-60, 60, 601), np.linspace(-2e-5, 2e-5, 601), indexing="ij"
    )
    weights = np.exp(-(rates**2) / 2.0 / unknown_rate(LIMITS))
    for t, low_s, high_s in intervals:
        at_s = offsets + rates * (t - START_S)
        weights *= (at_s > low_s - READING_S) & (at_s < high_s + READING_S)
    end_s = intervals[-1][0]
    at_end = offsets + rates * (end_s - START_S)
    for found, points, deviation in [
        (clock.offset_s, at_end, math.sqrt(clock.offset_variance)),
        (clock.rate, rates, math.sqrt(clock.rate_variance)),
    ]:
        mean = float(np.average(points, weights=weights))
        exact = math.sqrt(float(np.average((points - mean) ** 2, weights=weights)))
        assert abs(found - mean) < 2.0 * deviation
        assert deviation > 0.5 * exact  # mostly more: it allows for a rate that wanders
    assert abs(clock.offset_s - error_s(end_s)) < 3.0 * clock.uncertainty_s < 45.0
    assert abs(clock.rate - rate) < 3.0 * math.sqrt(clock.rate_variance)


def shown(error_s: Callable[[float], float], read_s: float) -> int:
    """The counter whose code a token shows."""
    return math.floor((read_s + error_s(read_s)) / PERIOD_S)


@given(
    st.lists(st.tuples(times, st.integers(-200, 200), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([1, 30, 60, 3600]),
    st.sampled_from([POLICY, TotpPolicy(max_rate_ppm=1000.0, max_window_steps=0, entry_s=60.0)]),
)
def test_nothing_makes_it_impossible(
    codes: list[tuple[float, int, bool]], period_s: int, policy: TotpPolicy
) -> None:
    """Any times in any order, any counters: a possible covariance, bounds that hold, a window."""
    limits = limits_of(policy, period_s)
    clock = None
    for now_s, steps, proof in codes:
        counter = math.floor(now_s / period_s) + steps
        if clock is None or proof:
            clock = prove(clock, limits, counter, now_s)
        else:
            clock = learn(clock, limits, counter, now_s)
        assert clock.learned_s == now_s
        for later_s in (now_s, now_s + 1.0, now_s + YEAR_S, now_s - YEAR_S, 1e11):
            there = predict(clock, later_s)
            values = [getattr(there, name) for name in LearnedClock._fields]
            assert all(map(math.isfinite, values))
            assert there.offset_variance >= 0.0
            assert there.rate_variance >= 0.0
            most = there.offset_variance * there.rate_variance
            assert there.covariance**2 <= most * (1 + 1e-9)
            # a century without a proof is more than the filter reckons with
            if later_s >= now_s and later_s - clock.synced_s < 99 * YEAR_S:
                low_s, high_s = plausible(clock, limits, later_s)
                assert low_s - 1e-3 <= there.offset_s <= high_s + 1e-3
            counters = window(clock, limits, later_s)
            assert expected(clock, limits, later_s) in counters
            assert len(counters) <= 2 * limits.window_steps + 1
        assert abs(clock.rate) <= limits.max_rate


@given(clocks(), st.floats(0.0, 1e10))
def test_a_verifier_whose_clock_goes_back_predicts_nothing(
    clock: LearnedClock, back_s: float
) -> None:
    found = predict(clock, START_S - back_s)
    assert (found.offset_s, found.rate) == (clock.offset_s, clock.rate)
    assert matrix(found) == pytest.approx(matrix(clock), rel=1e-12)


@given(
    st.floats(-2.5e-5, 2.5e-5),
    st.floats(-DAY_S, DAY_S),
    st.lists(
        st.tuples(st.floats(60.0, 40 * DAY_S), st.floats(0.0, LIMITS.entry_s)),
        min_size=1,
        max_size=40,
    ),
)
def test_nobody_with_a_steady_clock_is_locked_out(
    rate: float, offset_s: float, codes: list[tuple[float, float]]
) -> None:
    """However fast or slow, whenever the codes come, if no silence is too long for the policy."""
    limits = limits_of(TotpPolicy(drift="rate", max_window_steps=100), PERIOD_S)
    error_s = lambda t: offset_s + rate * (t - START_S)  # noqa: E731
    clock = prove(None, limits, shown(error_s, START_S), START_S)
    now_s = START_S
    for silence_s, entry_s in codes:
        read_s = now_s + silence_s
        now_s = read_s + entry_s
        counter = shown(error_s, read_s)
        assert counter in window(clock, limits, now_s)
        clock = learn(clock, limits, counter, now_s)


@given(clocks(), st.floats(-DAY_S, YEAR_S), st.integers(1, 10))
def test_after_a_wrong_code_it_is_looked_for_farther(
    clock: LearnedClock, silence_s: float, failures: int
) -> None:
    """By what a change of rate can do since the last code; never farther than the policy says."""
    limits = limits_of(TotpPolicy(drift="rate", max_window_steps=100, max_rate_ppm=30.0), PERIOD_S)
    now_s = START_S + silence_s
    before, after = window(clock, limits, now_s), window(clock, limits, now_s, failures)
    assert set(before) <= set(after)
    assert len(after) <= 2 * limits.window_steps + 1
    farther = 2 * (30e-6 * max(silence_s, 0.0) / PERIOD_S + 1)
    assert len(after) - len(before) <= farther
    if silence_s <= 0.0:
        assert after == before


@pytest.mark.parametrize("turn_ppm", [-25.0, 25.0])
def test_the_next_code_finds_a_token_whose_rate_has_turned(turn_ppm: float) -> None:
    """Weekly for half a year, then three weeks in the cold: at any second of a time step."""
    steady_s = lambda t: 0.0  # noqa: E731
    known = weekly(steady_s, 26, prove(None, LIMITS, shown(steady_s, START_S), START_S))
    turned_s = lambda t: 1e-6 * turn_ppm * (t - known.learned_s)  # noqa: E731
    refused = 0
    for second in range(PERIOD_S):
        now_s = known.learned_s + 21 * DAY_S + second
        if shown(turned_s, now_s - 5.0) not in window(known, LIMITS, now_s):
            refused += 1
            now_s += PERIOD_S
            assert shown(turned_s, now_s - 5.0) not in window(known, LIMITS, now_s)
            assert shown(turned_s, now_s - 5.0) in window(known, LIMITS, now_s, 1)
    assert refused > 0


def weekly(error_s: Callable[[float], float], weeks: int, clock: LearnedClock) -> LearnedClock:
    """What is known after codes once a week, from when the clock was last looked at."""
    for _ in range(weeks):
        now_s = clock.learned_s + 7 * DAY_S + 11.0
        counter = shown(error_s, now_s - 5.0)
        assert counter in window(clock, LIMITS, now_s)
        clock = learn(clock, LIMITS, counter, now_s)
    return clock


@pytest.mark.parametrize("rate_ppm", [-20.0, -10.0, 3.0, 10.0, 20.0])
def test_two_proofs_far_apart_measure_the_rate(rate_ppm: float) -> None:
    """One cannot sign in after a year, but after the resynchronisation after the second."""
    error_s = lambda t: 1e-6 * rate_ppm * (t - START_S)  # noqa: E731
    clock = prove(None, LIMITS, shown(error_s, START_S), START_S)
    assert clock.rate == 0.0
    assert math.sqrt(clock.rate_variance) == pytest.approx(10e-6)
    now_s = START_S + YEAR_S
    assert (shown(error_s, now_s) in window(clock, LIMITS, now_s)) == (abs(rate_ppm) < 5)
    clock = prove(clock, LIMITS, shown(error_s, now_s), now_s)
    assert clock.rate_ppm == pytest.approx(rate_ppm, abs=1.5)
    now_s += YEAR_S
    assert shown(error_s, now_s) in window(clock, LIMITS, now_s)


@pytest.mark.parametrize("jump_s", [-3600.0, -90.0, 90.0, DAY_S])
@pytest.mark.parametrize("rate_ppm", [-8.0, 4.0])
def test_a_jump_does_not_poison_the_rate(jump_s: float, rate_ppm: float) -> None:
    """A new battery: the offset is another, the crystal the same."""
    steady_s = lambda t: 1e-6 * rate_ppm * (t - START_S)  # noqa: E731
    clock = prove(None, LIMITS, shown(steady_s, START_S), START_S)
    clock = weekly(steady_s, 26, clock)
    assert clock.rate_ppm == pytest.approx(rate_ppm, abs=1.0)
    jumped_s = lambda t: steady_s(t) + jump_s  # noqa: E731
    now_s = clock.learned_s + 3 * DAY_S
    proved = prove(clock, LIMITS, shown(jumped_s, now_s), now_s)
    assert proved.rate == clock.rate
    assert proved.offset_s == pytest.approx(jumped_s(now_s), abs=23)
    proved = weekly(jumped_s, 26, proved)
    assert proved.rate_ppm == pytest.approx(rate_ppm, abs=1.0)


def test_a_token_that_was_put_into_the_cold_is_followed() -> None:
    """Its rate is another at once; the codes of the next weeks say so."""
    moved_s = START_S + 26 * 7 * DAY_S
    error_s = lambda t: -14e-6 * max(0.0, t - moved_s)  # noqa: E731
    clock = weekly(error_s, 60, prove(None, LIMITS, shown(error_s, START_S), START_S))
    assert clock.rate_ppm == pytest.approx(-14.0, abs=2.0)


def test_codes_that_say_nothing_new_change_nothing() -> None:
    """A thousand within the same minute leave the estimate where three of them do."""
    clock = prove(None, LIMITS, 1000, 30_015.0)
    three = learn(learn(clock, LIMITS, 1000, 30_015.0), LIMITS, 1000, 30_015.0)
    many = three
    for _ in range(1000):
        many = learn(many, LIMITS, 1000, 30_015.0)
    assert many.offset_s == pytest.approx(three.offset_s, abs=1.0)
    assert many.uncertainty_s > READING_S


@given(st.integers(1, 400), st.floats(0.0, 1.0), st.floats(60.0, 30 * DAY_S))
def test_who_relays_codes_late_moves_the_offset_no_farther_than_drift(
    count: int, greed: float, every_s: float
) -> None:
    """He shows the oldest code that passes, or less old ones, for as long as he likes."""
    error_s = lambda t: 0.0  # noqa: E731
    clock = prove(None, LIMITS, shown(error_s, START_S), START_S)
    now_s, last = START_S, shown(error_s, START_S)
    for _ in range(min(count, 60)):
        now_s += every_s
        counters = window(clock, LIMITS, now_s)
        truth = shown(error_s, now_s)
        if truth not in counters:
            break  # the owner notices that right codes are refused
        counter = round(truth - greed * (truth - counters[0]))
        if counter <= last:
            continue
        clock, last = learn(clock, LIMITS, counter, now_s), counter
        plausible_s = PERIOD_S + LIMITS.max_rate * (now_s - START_S)
        assert abs(clock.offset_s - clock.synced_offset_s) <= plausible_s * (1 + 1e-9)
        # how late a code may still come
        late_s = now_s - (window(clock, LIMITS, now_s)[0] + 1) * PERIOD_S
        assert late_s <= plausible_s + PERIOD_S + LIMITS.entry_s


@dataclass
class Tally:
    """Of a drawer of tokens: sign-ins, those refused, codes that would have passed in all."""

    sign_ins: int = 0
    refused: int = 0
    acceptable: int = 0

    @property
    def codes(self) -> float:
        return self.acceptable / self.sign_ins


def drawer(every_s: float, years: float, lies: str, limits: Limits | None) -> Tally:
    """50 simulated tokens; who is refused resynchronises. ``limits``: None is a fixed ±1.

    Codes are read at any moment of a step and arrive 3 to 12 s later. ``lies`` is a place, or
    "anywhere": moved to another one every 20 to 120 days.
    """
    world = World(seed=3, start_s=START_S)
    tally = Tally()
    for number, spec in enumerate(world.make_batch("DRAWER", 50).tokens):
        drawn = random.Random(number)
        token = world.token(spec, place="desk" if lies == "anywhere" else lies)
        if lies == "anywhere":
            moved_s = START_S
            while moved_s < START_S + years * YEAR_S:
                moved_s += drawn.uniform(20, 120) * DAY_S
                to = drawn.choice(["desk", "pocket", "car", "drawer", "warehouse"])
                token.environment.move(moved_s, place(to))
        error_s = token.token_clock.error_s
        clock = prove(None, LIMITS, shown(error_s, START_S), START_S)
        offset_steps = shown(error_s, START_S) - math.floor(START_S / PERIOD_S)
        for visit in itertools.count(1):
            read_s = START_S + (visit + drawn.uniform(-1, 1) / 24) * every_s
            if read_s > START_S + years * YEAR_S:
                break
            now_s = read_s + drawn.uniform(3, 12)
            counter, own = shown(error_s, read_s), math.floor(now_s / PERIOD_S)
            fixed = range(own + offset_steps - 1, own + offset_steps + 2)
            counters = fixed if limits is None else window(clock, limits, now_s)
            tally.sign_ins += 1
            tally.acceptable += len(counters)
            if counter in counters:
                clock = learn(clock, LIMITS, counter, now_s)
            else:
                tally.refused += 1
                counter += 2
                now_s += 60.0
                clock = prove(clock, LIMITS, counter, now_s)
            offset_steps = counter - math.floor(now_s / PERIOD_S)
    return tally


@pytest.mark.parametrize(
    ("every_s", "years", "lies", "codes"),
    [
        (7 * DAY_S, 2.0, "drawer", 3.0),
        (7 * DAY_S, 2.0, "anywhere", 4.0),
        (30 * DAY_S, 3.0, "warehouse", 4.5),
        (YEAR_S, 4.5, "drawer", 11.0),
    ],
    ids=["weekly", "weekly, anywhere", "monthly, warehouse", "yearly"],
)
def test_fewer_are_refused_than_with_one_step_to_either_side(
    every_s: float, years: float, lies: str, codes: float
) -> None:
    """And who comes every week can be guessed less well; who comes every year, better."""
    fixed, followed = (drawer(every_s, years, lies, limits) for limits in (None, LIMITS))
    assert followed.sign_ins == fixed.sign_ins
    assert followed.refused < fixed.refused
    assert followed.codes < codes


def test_a_window_is_as_wide_as_the_clock_is_uncertain() -> None:
    steady_s = lambda t: 0.0  # noqa: E731
    clock = weekly(steady_s, 52, prove(None, LIMITS, shown(steady_s, START_S), START_S))
    widths = []
    for silence_s in (0.0, 30 * DAY_S, 180 * DAY_S, 3 * YEAR_S):
        low_s, high_s = likely(clock, LIMITS, clock.learned_s + silence_s)
        widths.append(high_s - low_s)
    assert widths == sorted(widths)
    assert widths[0] < 45
    assert widths[-1] == pytest.approx(2 * LIMITS.window_steps * PERIOD_S)
