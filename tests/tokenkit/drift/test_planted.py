"""Clocks through given codes, and the least that still shows something."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tokenkit.drift.minimise import minimised
from tokenkit.drift.planted import Gate, through

START_S = 1_767_225_600.0


@st.composite
def gates(draw: st.DrawFn) -> list[Gate]:
    """Codes of a clock that drifts and jumps, now and then."""
    at_s, offset_s, rate = START_S, draw(st.floats(-1000.0, 1000.0)), draw(st.floats(-3e-5, 3e-5))
    made = []
    for _ in range(draw(st.integers(1, 40))):
        wait_s = draw(st.floats(0.001, 60.0) | st.floats(60.0, 5e6))
        at_s += wait_s
        offset_s += rate * wait_s
        if draw(st.integers(0, 9)) == 0:
            rate = draw(st.floats(-3e-5, 3e-5))
        if draw(st.integers(0, 9)) == 0:
            offset_s += draw(st.floats(-500.0, 500.0))
        low_s = offset_s - draw(st.floats(0.5, 41.5))
        made.append(Gate(at_s, low_s, low_s + 42.0))
    return made


@given(gates())
def test_a_path_goes_through_all_gates(through_these: list[Gate]) -> None:
    path = through(through_these, START_S)
    for gate in through_these:
        assert gate.low_s < path.at(gate.true_s) < gate.high_s
    assert all(abs(line.ppm) <= 100.0 for line in path.lines)
    assert len(path.lines) <= 2 * len(through_these)


@given(st.floats(-500.0, 500.0), st.floats(-50.0, 50.0), st.integers(2, 60))
def test_a_straight_clock_is_one_line(offset_s: float, ppm: float, codes: int) -> None:
    made = []
    for number in range(1, codes):
        at_s = START_S + number * 86_400.0
        here_s = offset_s + 1e-6 * ppm * number * 86_400.0
        made.append(Gate(at_s, here_s - 15.0, here_s + 27.0))
    path = through(made, START_S)
    assert len(path.lines) == 1


@given(gates())
def test_the_path_of_a_few_keeps_close_to_that_of_all(all_of_them: list[Gate]) -> None:
    path = through(all_of_them, START_S)
    few = all_of_them[::3]
    again = through(few, START_S, path.at)
    for gate in few:
        assert gate.low_s < again.at(gate.true_s) < gate.high_s


@given(st.integers(0, 60), st.sets(st.integers(0, 59), max_size=5))
def test_the_least_that_shows_it(count: int, needed: set[int]) -> None:
    wanted = {each for each in needed if each < count}
    trials = 0

    def shows(some: Sequence[int]) -> bool:
        nonlocal trials
        trials += 1
        return wanted <= set(some)

    assert minimised(range(count), shows) == sorted(wanted)
    assert trials <= 1 + 60 * max(1, len(wanted))


def test_it_stops_in_the_end() -> None:
    asked: list[int] = []

    def shows(some: Sequence[int]) -> bool:
        asked.append(len(some))
        return len(some) == 50

    assert minimised(range(50), shows, most=20) == list(range(50))
    assert len(asked) == 21
