"""A token's clock in compiled code against the object model's, and what it rests on."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.errors import TokenkitError
from tokenkit.fleet.compiled import compiled
from tokenkit.fleet.gaussians import FARTHEST, inv_cdf, philox2x64
from tokenkit.fleet.layout import TOKEN
from tokenkit.fleet.physics import begin, error_s, new_clock, token_counter
from tokenkit.fleet.rows import event_rows, fill_token, stay_rows
from tokenkit.fleet.tree import descend, line, phase_s, plant
from tokenkit.virtual import (
    LEAF_S,
    LEVELS,
    PLACES,
    YEAR_S,
    BatteryChange,
    ClockEvent,
    Constant,
    Crystal,
    DailyCycle,
    Environment,
    Oscillator,
    Schedule,
    Step,
    Stuck,
    TokenClock,
    TokenSpec,
    World,
)

DAY_S = 86_400.0
BORN_S = 1_700_000_000.0


def _ask(
    token: Any, stays: Any, events: Any, times: Any, clock: Any, counters: Any, errors: Any
) -> None:
    begin(token, clock)
    for index in range(times.size):
        counters[index] = token_counter(token, stays, events, times[index], clock)
    for index in range(errors.size):
        errors[index] = error_s(token, stays, events, times[index], clock)


ask = compiled(_ask)


class Both:
    """One token's clock in both models."""

    def __init__(
        self,
        spec: TokenSpec,
        places: list[tuple[float, Environment]],
        events: list[ClockEvent],
    ) -> None:
        schedule = Schedule(places[0][1])
        for at_s, environment in places[1:]:
            schedule.move(at_s, environment)
        oscillator = Oscillator(spec.crystal, schedule, spec.entropy_key, spec.made_s)
        self.object = TokenClock(oscillator)
        for event in events:
            self.object.add(event)
        self.period_s = spec.period_s
        self._token = np.zeros(1, TOKEN)
        fill_token(self._token[0], spec)
        self._stays, self._events = stay_rows(spec.made_s, places), event_rows(events)
        self._token["stays"], self._token["events"] = len(places), len(events)
        self.clock = new_clock()

    def compiled(self, times: list[float], errors: bool = True) -> tuple[list[int], list[float]]:
        """Counters and errors, asked in this order."""
        asked, counters = np.array(times), np.zeros(len(times), np.int64)
        found = np.zeros(len(times) if errors else 0)
        ask(self._token[0], self._stays, self._events, asked, self.clock, counters, found)
        return counters.tolist(), found.tolist()

    def counters(self, times: list[float]) -> list[int]:
        """By the object model."""
        return [int(self.object.read(true_s) // self.period_s) for true_s in times]

    def check(self, times: list[float]) -> None:
        counters, errors = self.compiled(times)
        assert counters == self.counters(times)
        for true_s, found_s in zip(times, errors, strict=True):
            expected_s = self.object.error_s(true_s)
            # of a clock that stood for years a nanosecond is the last bit
            assert abs(found_s - expected_s) <= 1e-9 + 1e-15 * abs(expected_s)


def spec(crystal: Crystal, key: bytes = b"key", period_s: int = 30) -> TokenSpec:
    return TokenSpec(
        "TKTEST000001",
        bytes(20),
        crystal=crystal,
        entropy_key=key,
        period_s=period_s,
        made_s=BORN_S,
    )


deviations = st.floats(0, 1e-7)
crystals = st.builds(
    Crystal,
    tolerance_ppm=st.floats(-50, 50),
    parabola_ppm_per_c2=st.floats(-0.045, 0.0),
    turnover_c=st.floats(20, 30),
    ageing_ppm_first_year=st.floats(-5, 5),
    ageing_tau_s=st.floats(DAY_S, YEAR_S),
    random_walk_adev_1day=deviations,
    white_adev_1s=deviations,
)
environments: st.SearchStrategy[Environment] = (
    st.sampled_from(list(PLACES.values()))
    | st.builds(Constant, st.floats(-20, 50))
    | st.builds(DailyCycle, st.floats(-10, 40), st.floats(-25, 25), st.floats(0, 24))
)
times = st.floats(BORN_S, BORN_S + 40 * YEAR_S)


@st.composite
def histories(draw: st.DrawFn) -> list[ClockEvent]:
    events: list[ClockEvent] = []
    at_s = BORN_S
    for _ in range(draw(st.integers(0, 4))):
        at_s += draw(st.floats(0, 4 * YEAR_S))
        lasts_s = draw(st.sampled_from([0.0, 120.0]) | st.floats(0, YEAR_S))
        match draw(st.integers(0, 3)):
            case 0:
                events.append(Step(at_s, draw(st.floats(-1e4, 1e4))))
            case 1:
                events.append(BatteryChange(at_s, lasts_s))
                at_s += lasts_s
            case 2:
                events.append(Stuck(at_s, at_s + lasts_s))
                at_s += lasts_s
            case _:
                events.append(Stuck(at_s))
        at_s = math.nextafter(at_s, math.inf)  # at + outage may be rounded up
    return events


@st.composite
def tokens(draw: st.DrawFn) -> Both:
    moves = sorted(draw(st.lists(times, max_size=5)))
    return Both(
        spec(
            draw(crystals),
            draw(st.binary(min_size=1, max_size=64)),
            draw(st.sampled_from([30, 60])),
        ),
        [(at_s, draw(environments)) for at_s in [BORN_S, *moves]],
        draw(histories()),
    )


@given(tokens(), st.lists(times, min_size=1, max_size=12))
def test_it_is_the_object_models_clock(both: Both, asked: list[float]) -> None:
    both.check(asked)


@given(tokens(), st.lists(times, min_size=1), st.randoms())
def test_the_order_of_questions_does_not_matter(
    both: Both, asked: list[float], random: Any
) -> None:
    first = dict(zip(asked, zip(*both.compiled(asked), strict=True), strict=True))
    random.shuffle(asked)
    assert dict(zip(asked, zip(*both.compiled(asked), strict=True), strict=True)) == first
    # at once, with other questions and other places of the tree between
    alone = [both.compiled([true_s])[0][0] for true_s in asked]
    assert alone == [first[true_s][0] for true_s in asked]


@pytest.mark.parametrize("place", PLACES)
def test_daily_for_years(place: str) -> None:
    for number, made in enumerate(World(place, BORN_S).make_batch("TKTEST", 3).tokens):
        both = Both(made, [(BORN_S, PLACES[place])], [])
        asked = [BORN_S + n * DAY_S + 977.7 * (n + number) % DAY_S for n in range(1500)]
        assert both.compiled(asked, errors=False)[0] == both.counters(asked)


def test_edges_of_time_steps_are_where_the_object_model_has_them() -> None:
    """To the last bit of true time that a float has."""
    for number, made in enumerate(World("edges", BORN_S).make_batch("TKTEST", 12).tokens):
        moved_s = BORN_S + 300.4 * DAY_S
        both = Both(
            made,
            [(BORN_S, PLACES["drawer"]), (moved_s, PLACES["car"])],
            [Step(BORN_S + 200 * DAY_S, 17.3)],
        )
        before_s = BORN_S + (number + 1) * 101.1 * DAY_S
        after_s = before_s + both.period_s
        [counter] = both.counters([before_s])
        while (middle_s := (before_s + after_s) / 2) not in (before_s, after_s):
            if both.counters([middle_s])[0] == counter:
                before_s = middle_s
            else:
                after_s = middle_s
        near = [before_s + n * math.ulp(before_s) for n in range(-40, 41)]
        assert both.compiled(near, errors=False)[0] == both.counters(near)


def test_perfect_clocks_stand_at_edges() -> None:
    perfect = Crystal(0.0, 0.0, 25.0, 0.0, DAY_S, 0.0, 0.0)
    both = Both(spec(perfect), [(BORN_S, PLACES["desk"])], [])
    edges = [BORN_S + 10.0 + 30.0 * n for n in range(200)]
    assert both.compiled(edges)[0] == [int(true_s // 30) for true_s in edges]


@pytest.mark.parametrize("bad", [BORN_S - 1.0, BORN_S + 10_001 * YEAR_S, math.nan, math.inf])
def test_times_outside_a_clocks_life_are_refused(bad: float) -> None:
    both = Both(spec(Crystal()), [(BORN_S, PLACES["desk"])], [])
    with pytest.raises(ValueError, match="before it was set, or past its life"):
        both.compiled([BORN_S + 1.0, bad])
    both.check([BORN_S, BORN_S + 9_000 * YEAR_S])


# What it rests on: the generator, the Gaussians, the limit of the tree.


def _philox(low: Any, high: Any, key: Any) -> Any:
    return philox2x64(low, high, key)


def test_known_answers_of_the_compiled_generator() -> None:
    """Of Random123, as in tests/firmware_sim/world/test_philox.py."""
    philox, ones = compiled(_philox), 2**64 - 1
    for counter_and_key, answer in (
        ((0, 0, 0), (0xCA00A0459843D731, 0x66C24222C9A845B5)),
        ((ones, ones, ones), (0x65B021D60CD8310F, 0x4D02F3222F86DF20)),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0),
            (0x0A5E742C2997341C, 0xB0F883D38000DE5D),
        ),
    ):
        assert tuple(map(int, philox(*map(np.uint64, counter_and_key)))) == answer


def _inv_cdf(p: float) -> float:
    return inv_cdf(p)


gaussian = compiled(_inv_cdf)


@settings(max_examples=1000)
@given(st.integers(0, 2**52 - 1) | st.integers(0, 2**20) | st.integers(2**52 - 2**20, 2**52 - 1))
def test_the_inverse_of_the_normal_distribution_is_the_librarys(number: int) -> None:
    p = (number + 0.5) * 2.0**-52
    found = gaussian(p)
    assert found == NormalDist().inv_cdf(p)
    assert abs(found) < FARTHEST


def _deviations(
    clock: Any, leaves: Any, level: int, white: float, random_walk: float, off: Any
) -> Any:
    """How far the phase is from the line of its interval at ``level``, and the line's limit."""
    tree = clock.tree
    plant(tree, np.uint64(level), white, random_walk)
    limit_s = 0.0
    for index in range(leaves.size):
        within_s = leaves[index] * LEAF_S
        inside_s = phase_s(tree, within_s)
        descend(tree, leaves[index], level)
        from_s, start_s, slope, limit_s = line(tree, level)
        off[index] = inside_s - start_s - slope * (within_s - from_s)
    return limit_s


deviate = compiled(_deviations)


@pytest.mark.parametrize("level", range(6, LEVELS))
@pytest.mark.parametrize(("white", "random_walk"), [(1e-16, 0.0), (0.0, 1e-20), (1e-10, 1e-20)])
def test_no_phase_is_farther_from_the_line_than_its_limit(
    level: int, white: float, random_walk: float
) -> None:
    below = 2 ** (LEVELS - level)
    leaves = 3 * below + np.arange(0, below, max(1, below // 512))
    off = np.zeros(len(leaves))
    limit_s = deviate(new_clock(), leaves, level, white, random_walk, off)
    assert abs(off).max() <= limit_s
    # and it is no idle limit: what is likely is some thirtieth of it
    assert abs(off).max() > limit_s / 100


def test_places_before_it_was_made_do_not_count() -> None:
    desk, car = PLACES["desk"], PLACES["car"]
    rows = stay_rows(BORN_S, [(0.0, desk), (BORN_S - 9.0, car), (BORN_S + 9.0, desk)])
    assert rows["from_s"].tolist() == [BORN_S, BORN_S, BORN_S + 9.0]
    assert (rows["first"][2], rows["second"][2]) == car.moments(BORN_S, BORN_S + 9.0)


def test_rows_are_refused_that_are_none() -> None:
    with pytest.raises(TokenkitError, match="constant temperatures and daily cycles"):
        stay_rows(BORN_S, [(BORN_S, Schedule(Constant(1.0)))])
    with pytest.raises(TokenkitError, match="moved later"):
        stay_rows(
            BORN_S, [(BORN_S, Constant(1.0)), (BORN_S + 9, Constant(1.0)), (BORN_S, Constant(2.0))]
        )
