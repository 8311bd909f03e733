"""The clocks of true time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world import clock as clock_module
from firmware_sim.world.clock import SimulatedClock, SystemClock

seconds = st.floats(0, 1e6)


@given(st.lists(seconds), seconds)
def test_waiters_are_called_in_the_order_of_their_times_and_of_their_coming(
    times: list[float], end_s: float
) -> None:
    clock = SimulatedClock(0.0)
    called: list[tuple[float, int, float]] = []
    for number, true_s in enumerate(times):
        clock.call_at(true_s, lambda t=true_s, n=number: called.append((t, n, clock.now())))
    clock.set(end_s)
    expected = sorted((t, n) for n, t in enumerate(times) if t <= end_s)
    assert called == [(t, n, t) for t, n in expected]
    assert clock.now() == end_s


@given(st.lists(seconds, min_size=1), st.data())
def test_the_size_of_the_steps_changes_nothing(times: list[float], data: st.DataObject) -> None:
    end_s = max(times)
    logs: list[list[float]] = []
    for stops in ([end_s], [*sorted(data.draw(st.lists(st.floats(0, end_s)))), end_s]):
        clock, log = SimulatedClock(0.0), []
        for true_s in times:
            clock.call_at(true_s, lambda clock=clock, log=log: log.append(clock.now()))
        for stop_s in stops:
            clock.set(stop_s)
        logs.append(log)
    assert logs[0] == logs[1]


def test_a_waiter_may_move_the_clock_and_wake_others() -> None:
    clock = SimulatedClock(0.0)
    log: list[tuple[str, float]] = []

    def first() -> None:
        clock.advance(5.0)
        log.append(("first", clock.now()))

    clock.call_at(1.0, first)
    clock.call_at(4.0, lambda: log.append(("second", clock.now())))
    clock.set(2.0)
    assert log == [("second", 4.0), ("first", 6.0)]
    assert clock.now() == 6.0


def test_a_waiter_may_make_another_for_the_same_movement() -> None:
    clock = SimulatedClock(0.0)
    log: list[float] = []
    clock.call_at(1.0, lambda: clock.call_at(2.0, lambda: log.append(clock.now())))
    clock.set(3.0)
    assert log == [2.0]


def test_a_waiter_in_the_past_is_called_at_the_next_movement() -> None:
    clock = SimulatedClock(10.0)
    log: list[float] = []
    clock.call_at(3.0, lambda: log.append(clock.now()))
    assert log == []
    clock.advance(0.0)
    assert log == [10.0]


def test_a_cancelled_waiter_is_not_called() -> None:
    clock = SimulatedClock(0.0)
    log: list[str] = []
    waiter = clock.call_at(1.0, lambda: log.append("cancelled"))
    clock.call_at(1.0, lambda: log.append("kept"))
    waiter.cancel()
    clock.set(2.0)
    assert log == ["kept"]


def test_time_does_not_go_back() -> None:
    clock = SimulatedClock(10.0)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(9.0)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1.0)
    clock.wait_until(9.0)
    assert clock.now() == 10.0
    clock.wait_until(11.0)
    assert clock.now() == 11.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_times_are_finite(bad: float) -> None:
    clock = SimulatedClock(0.0)
    attempts = [
        lambda: SimulatedClock(bad),
        lambda: clock.set(bad),
        lambda: clock.advance(bad),
        lambda: clock.wait_until(bad),
        lambda: clock.call_at(bad, lambda: None),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="finite"):
            attempt()
    assert clock.now() == 0.0


def test_the_system_clock_sleeps_until_the_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedClock(100.0)
    naps: list[float] = []

    def sleep(duration_s: float) -> None:
        naps.append(duration_s)
        simulated.advance(duration_s / 2)  # woken early

    monkeypatch.setattr(clock_module.time, "time", simulated.now)
    monkeypatch.setattr(clock_module.time, "sleep", sleep)
    clock = SystemClock()
    assert clock.now() == 100.0
    clock.wait_until(99.0)
    assert naps == []
    clock.wait_until(100.0 + 2.0**-20)
    assert clock.now() >= 100.0 + 2.0**-20
    assert len(naps) > 1
