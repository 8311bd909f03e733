"""The token's clock and what happens to it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world.environment import Schedule, place
from firmware_sim.world.oscillator import YEAR_S, Crystal, Oscillator
from firmware_sim.world.token_clock import (
    BatteryChange,
    ClockEvent,
    RateChange,
    Step,
    Stuck,
    TokenClock,
)

BORN_S = 1_700_000_000.0
END_S = BORN_S + 5 * YEAR_S

times = st.floats(BORN_S, END_S)
gaps = st.floats(0, YEAR_S / 4)


@st.composite
def histories(draw: st.DrawFn) -> list[ClockEvent]:
    """Up to eight events in order, none beginning before the last has ended."""
    events: list[ClockEvent] = []
    at_s = BORN_S
    for kind in draw(
        st.lists(st.sampled_from(["battery", "step", "stuck", "rate", "for good"]), max_size=8)
    ):
        at_s += draw(gaps)
        if kind == "battery":
            events.append(BatteryChange(at_s, draw(gaps)))
            at_s += events[-1].outage_s
        elif kind == "step":
            events.append(Step(at_s, draw(st.floats(-1e6, 1e6))))
        elif kind == "rate":
            events.append(RateChange(at_s, draw(st.floats(-100, 100))))
        elif kind == "stuck":
            events.append(Stuck(at_s, at_s + draw(gaps)))
            at_s = events[-1].until_s or at_s
        else:
            events.append(Stuck(at_s))
    return events


def oscillator(environment: Schedule | None = None) -> Oscillator:
    return Oscillator(Crystal(5.0), environment or Schedule(place("desk")), b"key", BORN_S)


def clock_with(events: list[ClockEvent], set_error_s: float = 0.0) -> TokenClock:
    clock = TokenClock(oscillator(), set_error_s)
    for event in events:
        clock.add(event)
    return clock


def slow_error_s(events: list[ClockEvent], true_s: float, set_error_s: float) -> float:
    """Count the ticks of each stretch in which the clock ran, event after event."""
    crystal = oscillator()
    error_s, now_s, runs, ppm = set_error_s, BORN_S, True, 0.0

    def go_to(then_s: float) -> None:
        nonlocal error_s, now_s
        if then_s > now_s:
            if runs:
                error_s += crystal.error_s(then_s) - crystal.error_s(now_s)
                error_s += 1e-6 * ppm * (then_s - now_s)
            else:
                error_s -= then_s - now_s
            now_s = then_s

    for event in events:
        if event.at_s > true_s:
            break
        go_to(event.at_s)
        match event:
            case Step(by_s=by_s):
                error_s += by_s
            case RateChange(by_ppm=by_ppm):
                ppm += by_ppm
            case BatteryChange(at_s=at_s, outage_s=outage_s):
                runs = False
                go_to(min(true_s, at_s + outage_s))
                runs = true_s >= at_s + outage_s
            case Stuck(until_s=until_s):
                runs = False
                if until_s is not None:
                    go_to(min(true_s, until_s))
                    runs = true_s >= until_s
    go_to(true_s)
    return error_s


@given(histories(), st.lists(times, min_size=1), st.floats(-100, 100))
def test_reads_as_the_slow_count_does(
    events: list[ClockEvent], asked: list[float], set_error_s: float
) -> None:
    clock = clock_with(events, set_error_s)
    for true_s in [*asked, *(event.at_s for event in events)]:
        expected_s = slow_error_s(events, true_s, set_error_s)
        assert clock.error_s(true_s) == pytest.approx(expected_s, rel=1e-12, abs=1e-6)
        assert clock.read(true_s) == pytest.approx(true_s + expected_s, rel=0, abs=2e-6)
    assert clock.events == tuple(events)


@given(histories(), st.lists(times, min_size=1))
def test_an_event_leaves_the_past_as_it_was(events: list[ClockEvent], asked: list[float]) -> None:
    """Also asked while the events happen: the same to the last bit as asked afterwards."""
    clock = clock_with([])
    seen: dict[float, float] = {}
    for event in events:
        seen |= {t: clock.error_s(t) for t in asked if t < event.at_s}
        clock.add(event)
    seen |= {t: clock.error_s(t) for t in asked}
    fresh = clock_with(events)
    assert {t: fresh.error_s(t) for t in reversed(asked)} == {t: seen[t] for t in asked}
    assert {t: clock.read(t) for t in asked} == {t: fresh.read(t) for t in reversed(asked)}


@given(times, st.floats(0, YEAR_S), st.floats(0, YEAR_S))
def test_a_battery_change_loses_its_outage(at_s: float, outage_s: float, later_s: float) -> None:
    clock = clock_with([BatteryChange(at_s, outage_s)])
    crystal = clock.oscillator
    restart_s = at_s + outage_s
    assert clock.read(restart_s) == pytest.approx(clock.read(at_s), rel=0, abs=1e-6)
    lost_s = crystal.error_s(restart_s + later_s) - clock.error_s(restart_s + later_s)
    missed_s = crystal.error_s(restart_s) - crystal.error_s(at_s)  # ticks that never happened
    assert lost_s == pytest.approx(outage_s + missed_s, rel=0, abs=1e-6)


@given(times, st.floats(1.0, YEAR_S), st.floats(0, 1))
def test_a_stuck_clock_stands(at_s: float, duration_s: float, part: float) -> None:
    until_s = at_s + duration_s
    clock = clock_with([Stuck(at_s, until_s)])
    stood = clock.read(at_s)
    assert clock.read(at_s + part * duration_s * 0.999) == stood
    assert clock.read(until_s) == pytest.approx(stood, rel=0, abs=1e-6)
    assert clock.read(until_s + 60.0) == pytest.approx(stood + 60.0, rel=0, abs=0.01)


def test_a_clock_stuck_for_good_goes_on_after_a_battery_change() -> None:
    for stuck in (Stuck(BORN_S + 10.0), Stuck(BORN_S + 10.0, math.inf)):
        clock = clock_with([stuck])
        assert clock.read(END_S) == clock.read(BORN_S + 10.0)
        clock.add(Step(BORN_S + 20.0, 5.0))
        assert clock.read(END_S) == pytest.approx(BORN_S + 15.0, rel=0, abs=1e-3)
        clock.add(BatteryChange(BORN_S + 30.0, 40.0))
        assert clock.error_s(BORN_S + 100.0) == pytest.approx(5.0 - 60.0, abs=1e-2)


@given(times, st.floats(-1e9, 1e9))
def test_a_step_is_a_step_by_any_number_of_seconds(at_s: float, by_s: float) -> None:
    stepped, plain = clock_with([Step(at_s, by_s)]), clock_with([])
    assert stepped.error_s(at_s) == pytest.approx(plain.error_s(at_s) + by_s, abs=1e-6)
    before_s = math.nextafter(at_s, 0.0)
    if before_s >= BORN_S:
        assert stepped.error_s(before_s) == plain.error_s(before_s)


def test_where_it_lies_while_it_stands_does_not_matter() -> None:
    """The end of the standing was known before the token was moved."""
    moved_before, moved_after = Schedule(place("desk")), Schedule(place("desk"))
    first, second = TokenClock(oscillator(moved_before)), TokenClock(oscillator(moved_after))
    stuck = Stuck(BORN_S + 100.0, BORN_S + YEAR_S)
    moved_before.move(BORN_S + 200.0, place("warehouse"))
    first.add(stuck)
    second.add(stuck)
    assert second.error_s(BORN_S + YEAR_S) < 0.0
    moved_after.move(BORN_S + 200.0, place("warehouse"))
    for true_s in (BORN_S + 150.0, BORN_S + YEAR_S, BORN_S + YEAR_S + 1e6):
        assert first.error_s(true_s) == second.error_s(true_s)
    stood_s = second.read(BORN_S + 100.0)
    assert second.read(BORN_S + YEAR_S) == pytest.approx(stood_s, rel=0, abs=1e-6)


def test_a_refused_event_changes_nothing() -> None:
    clock = clock_with([BatteryChange(BORN_S + 100.0, 50.0)])
    before = clock.error_s(END_S)
    for event in (
        Step(BORN_S + 149.0, 1.0),
        Step(math.nan, 1.0),
        Step(math.inf, 1.0),
        BatteryChange(BORN_S - 1.0, 0.0),
        Stuck(BORN_S + 160.0, BORN_S + 10_001 * YEAR_S),
    ):
        with pytest.raises(ValueError, match=r"lasts until|outside"):
            clock.add(event)
    assert len(clock.events) == 1
    assert clock.error_s(END_S) == before


def test_impossible_events_and_times_are_refused() -> None:
    for make in (
        lambda: BatteryChange(BORN_S, -1.0),
        lambda: BatteryChange(BORN_S, math.inf),
        lambda: Step(BORN_S, math.nan),
        lambda: Stuck(BORN_S, BORN_S - 1.0),
        lambda: Stuck(BORN_S, math.nan),
        lambda: TokenClock(oscillator(), math.inf),
        lambda: clock_with([]).read(BORN_S - 1.0),
        lambda: clock_with([Stuck(BORN_S)]).error_s(math.nan),
    ):
        with pytest.raises(ValueError, match=r"outage|finite|cannot end|was set at"):
            make()
