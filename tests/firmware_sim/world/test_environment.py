"""Temperatures and their integrals."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world.environment import (
    PLACES,
    Constant,
    DailyCycle,
    Environment,
    Schedule,
    place,
)

START_S = 1.7e9
YEAR_S = 365.25 * 86_400

temperatures = st.floats(-40, 60)
simple: st.SearchStrategy[Environment] = st.one_of(
    st.builds(Constant, temperatures),
    st.builds(DailyCycle, temperatures, st.floats(0, 20), st.floats(0, 24)),
)
times = st.floats(START_S, START_S + 15 * YEAR_S)
moves = st.lists(st.tuples(times, simple), max_size=5).map(lambda m: sorted(m, key=lambda x: x[0]))


def schedule(start: Environment, moves: list[tuple[float, Environment]]) -> Schedule:
    made = Schedule(start)
    for at_s, environment in moves:
        made.move(at_s, environment)
    return made


environments = st.one_of(simple, st.builds(schedule, simple, moves))


def integral(f: Callable[[float], float], from_s: float, to_s: float, pieces: int = 400) -> float:
    """Simpson's rule."""
    h = (to_s - from_s) / pieces
    total = f(from_s) + f(to_s)
    total += sum((4 if n % 2 else 2) * f(from_s + n * h) for n in range(1, pieces))
    return total * h / 3


@given(environments, times, times, times)
def test_moments_of_adjoining_intervals_add_up(
    environment: Environment, a: float, b: float, c: float
) -> None:
    ab, bc, ac = (environment.moments(*ends) for ends in ((a, b), (b, c), (a, c)))
    scale_s = max(abs(b - a), abs(c - b), 1.0)
    for power in (0, 1):
        assert ab[power] + bc[power] == pytest.approx(
            ac[power], rel=1e-12, abs=1e-12 * scale_s * 6400
        )


@given(environments, times, times)
def test_swapped_limits_swap_the_sign(environment: Environment, a: float, b: float) -> None:
    first, second = environment.moments(a, b)
    assert environment.moments(b, a) == pytest.approx((-first, -second), rel=1e-12, abs=1e-9)


@given(simple, times, st.floats(0, 2 * 86_400))
def test_moments_are_the_integrals_of_the_temperature(
    environment: Environment, from_s: float, duration_s: float
) -> None:
    to_s = from_s + duration_s
    first, second = environment.moments(from_s, to_s)
    temperature = environment.temperature_c
    assert first == pytest.approx(integral(temperature, from_s, to_s), rel=1e-6, abs=1e-2)
    assert second == pytest.approx(
        integral(lambda t: temperature(t) ** 2, from_s, to_s), rel=1e-6, abs=1e-1
    )


@given(simple, moves, times, times)
def test_a_schedule_is_the_sum_of_its_stays(
    start: Environment, moves: list[tuple[float, Environment]], a: float, b: float
) -> None:
    a, b = min(a, b), max(a, b)
    whole = schedule(start, moves)
    first = second = 0.0
    begins = [-math.inf, *(at_s for at_s, _ in moves)]
    ends = [*begins[1:], math.inf]
    stays = [start, *(environment for _, environment in moves)]
    for begin, end, environment in zip(begins, ends, stays, strict=True):
        low, high = max(a, begin), min(b, end)
        if low < high:
            part = environment.moments(low, high)
            first, second = first + part[0], second + part[1]
        if begin <= a < end:
            assert whole.temperature_c(a) == environment.temperature_c(a)
    assert whole.moments(a, b) == pytest.approx((first, second), rel=1e-9, abs=1e-3)


@given(simple, moves, simple, st.data())
def test_a_move_leaves_the_past_as_it_was_to_the_last_bit(
    start: Environment,
    moves: list[tuple[float, Environment]],
    new: Environment,
    data: st.DataObject,
) -> None:
    lived = schedule(start, moves)
    now_s = data.draw(st.floats(moves[-1][0] if moves else START_S, START_S + 15 * YEAR_S))
    past = data.draw(st.lists(st.floats(START_S, now_s), min_size=2))

    def record() -> list[object]:
        seen: list[object] = [lived.moments(a, b) for a in past for b in past]
        return seen + [lived.temperature_c(t) for t in past if t < now_s]

    before, revision = record(), lived.revision
    lived.move(now_s, new)
    assert record() == before
    assert lived.temperature_c(now_s) == new.temperature_c(now_s)
    assert lived.environment_at(now_s) is new
    assert lived.revision > revision


def test_only_the_future_can_be_scheduled() -> None:
    moved = schedule(place("desk"), [(100.0, place("car"))])
    with pytest.raises(ValueError, match="in its past"):
        moved.move(99.0, place("drawer"))
    assert moved.environment_at(99.0) is place("desk")
    moved.move(100.0, place("pocket"))
    assert moved.environment_at(100.0) is place("pocket")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_bad_numbers_are_refused(bad: float) -> None:
    for make in (
        lambda: Constant(bad),
        lambda: DailyCycle(20.0, bad),
        lambda: DailyCycle(20.0, 1.0, bad),
        lambda: Schedule(place("desk")).move(bad, place("car")),
    ):
        with pytest.raises(ValueError, match="finite"):
            make()


def test_a_day_is_warmest_at_its_hour() -> None:
    day = DailyCycle(20.0, 5.0, warmest_hour=15.0)
    assert day.temperature_c(15 * 3600.0) == 25.0
    assert day.temperature_c(3 * 3600.0) == pytest.approx(15.0)
    assert day.temperature_c(20_000 * 86_400.0 + 15 * 3600.0) == 25.0
    assert day.temperature_c(-9 * 3600.0) == pytest.approx(25.0)


def test_places_have_names_and_a_wrong_name_a_suggestion() -> None:
    assert {"desk", "pocket", "drawer", "car", "warehouse"} <= set(PLACES)
    assert 4.0 <= place("warehouse").temperature_c(START_S) <= 5.0
    with pytest.raises(ValueError, match="did you mean warehouse"):
        place("warehous")
    with pytest.raises(ValueError, match="there are: desk"):
        place("moon")
