"""The verifier's clock: events as one expects them, and properties of all clocks."""

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.server_clock import (
    Base,
    Event,
    FreeRunning,
    LeapSecond,
    Ntp,
    Pause,
    Restore,
    ServerClock,
    ServerClockError,
    Slew,
    Step,
)

NOON_S = 1_767_268_800.0  # 2026-01-01T12:00:00Z
DAY_S = 86_400.0
MINUTE_S = 60.0
KEY = b"a key"


def test_by_default_it_is_perfect() -> None:
    clock = ServerClock()
    assert [clock.read(t) for t in (-1.5, 0.0, NOON_S, 253_402_300_799.0)] == [
        -1.5,
        0.0,
        NOON_S,
        253_402_300_799.0,
    ]
    assert clock.pieces(0.0, NOON_S) == [(0.0, 0.0, 1.0)]


def test_a_free_running_clock_gains_evenly() -> None:
    clock = ServerClock(FreeRunning(rate_ppm=20.0, offset_s=-1.0, since_s=NOON_S))
    assert clock.error_s(NOON_S) == -1.0
    assert clock.error_s(NOON_S + DAY_S) == pytest.approx(-1.0 + 1.728)
    assert clock.error_s(NOON_S - DAY_S) == pytest.approx(-1.0 - 1.728)


def test_a_step_lasts_until_it_is_mended() -> None:
    clock = ServerClock(events=(Step(NOON_S, 3600.0, mended_after_s=600.0),))
    times_s = (NOON_S - 0.001, NOON_S, NOON_S + 599.999, NOON_S + 600.0)
    assert [clock.error_s(t) for t in times_s] == [0.0, 3600.0, 3600.0, 0.0]
    assert ServerClock(events=(Step(NOON_S, -5.0),)).error_s(NOON_S + 1e9) == -5.0


def test_a_slew_goes_no_faster_than_adjtime() -> None:
    clock = ServerClock(events=(Slew(NOON_S, -3.0),))
    assert clock.error_s(NOON_S + 3000.0) == pytest.approx(-1.5)
    assert clock.error_s(NOON_S + 6000.0) == clock.error_s(NOON_S + 1e6) == -3.0


def test_a_leap_second_is_shown_twice() -> None:
    midnight_s = NOON_S + DAY_S / 2
    clock = ServerClock(events=(LeapSecond(midnight_s),))
    assert clock.read(midnight_s - 0.25) == midnight_s - 0.25
    assert clock.read(midnight_s) == midnight_s - 1.0
    assert clock.read(midnight_s + 0.75) == midnight_s - 0.25
    assert clock.read(midnight_s + 1.0) == midnight_s


def test_a_smear_is_linear_from_noon_to_noon() -> None:
    midnight_s = NOON_S + DAY_S / 2
    clock = ServerClock(events=(LeapSecond(midnight_s, smeared=True),))
    assert clock.error_s(NOON_S) == 0.0
    # amid the leap second: as far from the one noon as from the other
    assert clock.error_s(midnight_s + 0.5) == pytest.approx(-0.5)
    assert clock.read(midnight_s + 0.5) == pytest.approx(midnight_s)
    assert clock.read(NOON_S + DAY_S + 1.0) == NOON_S + DAY_S
    assert clock.error_s(NOON_S + 2 * DAY_S) == -1.0


def test_two_leap_seconds_add_up() -> None:
    clock = ServerClock(events=(LeapSecond(NOON_S), LeapSecond(NOON_S + 180 * DAY_S)))
    assert clock.error_s(NOON_S + 181 * DAY_S) == -2.0


def test_a_paused_clock_stands_and_catches_up() -> None:
    clock = ServerClock(Ntp(KEY), (Pause(NOON_S, 300.0),))
    shown_s = clock.read(NOON_S)
    assert clock.read(NOON_S + 299.0) == shown_s
    assert clock.error_s(NOON_S + 299.0) == pytest.approx(-299.0, abs=0.01)
    assert abs(clock.error_s(NOON_S + 300.0)) <= 0.005


@pytest.mark.parametrize("mended_after_s", [None, 900.0])
def test_a_paused_clock_may_stay_behind(mended_after_s: float | None) -> None:
    clock = ServerClock(Ntp(KEY), (Pause(NOON_S, 300.0, False, mended_after_s),))
    assert clock.read(NOON_S + 300.0) == pytest.approx(clock.read(NOON_S), abs=1e-6)
    assert clock.error_s(NOON_S + 1199.0) == pytest.approx(-300.0, abs=0.02)
    assert abs(clock.error_s(NOON_S + 1200.0)) <= 0.005 or mended_after_s is None


def test_a_restored_clock_goes_on_from_the_snapshot() -> None:
    taken_s = NOON_S - 2 * DAY_S
    restored = Restore(NOON_S, taken_s, mended_after_s=900.0)
    for base in (FreeRunning(), Ntp(KEY), FreeRunning(30.0)):
        clock = ServerClock(base, (Step(taken_s - DAY_S, 7.0), restored))
        assert clock.read(NOON_S) == pytest.approx(clock.read(taken_s), abs=1e-6)
        assert clock.error_s(NOON_S + 900.0) == base.error_s(NOON_S + 900.0) + 7.0


def test_a_curve_shows_both_sides_of_a_jump() -> None:
    clock = ServerClock(events=(Step(NOON_S, 5.0, 10.0), Slew(NOON_S + 20.0, 0.01, 1000.0)))
    assert clock.curve(NOON_S - 10.0, NOON_S + 40.0, 1) == [
        (NOON_S - 10.0, 0.0),
        (NOON_S, 0.0),
        (NOON_S, 5.0),
        (NOON_S + 10.0, 5.0),
        (NOON_S + 10.0, 0.0),
        (NOON_S + 20.0, 0.0),
        (NOON_S + 30.0, 0.01),
        (NOON_S + 40.0, 0.01),
    ]


def test_events_may_be_told_in_any_order() -> None:
    events = (Step(NOON_S, 2.0), LeapSecond(NOON_S - DAY_S), Slew(NOON_S + DAY_S, 1.0))
    assert ServerClock(events=events[::-1]).error_s(NOON_S + 2 * DAY_S) == 2.0
    told = ServerClock().with_event(events[0]).with_event(events[1])
    assert told.error_s(NOON_S) == 1.0


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"rate_ppm": math.nan}, "rate_ppm must be finite, not nan"),
        ({"rate_ppm": 1e6}, "at most 100000 ppm"),
    ],
)
def test_what_no_free_running_clock_does(base: dict[str, Any], said: str) -> None:
    with pytest.raises(ServerClockError, match=said):
        FreeRunning(**base)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"key": b""}, "1 to 64 bytes, not 0"),
        ({"key": KEY, "poll_s": 0.5}, "NTP polls every 1 to 131072 s"),
        ({"key": KEY, "poll_s": 64.0, "residual_s": 0.1}, "from 0 s to 0.016 s, not 0.1 s"),
    ],
)
def test_what_ntp_does_not_do(base: dict[str, Any], said: str) -> None:
    with pytest.raises(ServerClockError, match=said):
        Ntp(**base)


@pytest.mark.parametrize(
    ("events", "index", "said"),
    [
        (
            (Step(NOON_S, 1.0, 60.0), Step(NOON_S + 59.0, 1.0)),
            1,
            "not over yet: that takes 1 s more",
        ),
        ((LeapSecond(NOON_S, smeared=True), Step(NOON_S - 60.0, 1.0)), 0, "takes 43140 s more"),
        ((Slew(NOON_S, 1.0, 0.0),), 0, "more than 0 ppm"),
        ((Pause(NOON_S, 0.0),), 0, "longer than nothing"),
        ((Step(NOON_S, 1.0, 0.0),), 0, "later than at once"),
        ((Restore(NOON_S, NOON_S + 1.0),), 0, "before it is restored"),
        ((Step(NOON_S, math.inf),), 0, "by_s must be finite"),
    ],
)
def test_what_cannot_happen(events: tuple[Event, ...], index: int, said: str) -> None:
    with pytest.raises(ServerClockError, match=said) as raised:
        ServerClock(events=events)
    assert raised.value.event == index


def test_a_time_is_finite() -> None:
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            ServerClock().read(wrong)
    with pytest.raises(ValueError, match="pieces are from"):
        ServerClock().pieces(1.0, 1.0)


# properties of all clocks

SECONDS = st.floats(-5000.0, 5000.0).map(lambda s: round(s, 3))
LATER = st.floats(0.001, 50_000.0).map(lambda s: round(s, 3))
MENDED = st.none() | LATER


@st.composite
def clocks(draw: st.DrawFn) -> ServerClock:
    ntp = st.builds(
        Ntp,
        st.binary(min_size=1, max_size=64),
        st.floats(0.0, 0.016),
        st.sampled_from([1024.0, 10_000.1]),
    )
    rates = st.floats(-100.0, 100.0)
    base: Base = draw(ntp | st.builds(FreeRunning, rates, SECONDS, st.just(NOON_S)))
    events: list[Event] = []
    at_s = NOON_S
    for _ in range(draw(st.integers(0, 4))):
        at_s += draw(st.floats(0.001, 50_000.0))
        kind = draw(st.sampled_from([Step, Slew, LeapSecond, Pause, Restore]))
        ends_s = draw(MENDED)
        if kind is Step:
            events.append(Step(at_s, draw(SECONDS), ends_s))
        elif kind is Slew:
            events.append(Slew(at_s, draw(st.floats(-10.0, 10.0)), draw(st.floats(100.0, 1e5))))
        elif kind is Pause:
            events.append(Pause(at_s, draw(LATER), draw(st.booleans()), ends_s))
        elif kind is Restore:
            events.append(Restore(at_s, at_s - draw(LATER), ends_s))
        else:
            smeared = draw(st.booleans())
            at_s += 43_200.0 if smeared else 0.0
            events.append(LeapSecond(at_s, smeared))
        # past the end of all of them
        at_s += 250_000.0
    return ServerClock(base, tuple(events))


@given(clocks(), st.floats(-20_000.0, 1_500_000.0), st.floats(1.0, 300_000.0), st.data())
def test_reading_is_going_along_the_pieces(
    clock: ServerClock, from_s: float, for_s: float, data: st.DataObject
) -> None:
    from_s += NOON_S
    pieces = clock.pieces(from_s, from_s + for_s)
    starts_s = [piece.true_s for piece in pieces]
    assert starts_s[0] == from_s
    assert starts_s == sorted(set(starts_s))
    chosen = data.draw(st.lists(st.floats(from_s, from_s + for_s, exclude_max=True), max_size=20))
    for true_s in [*starts_s, *chosen]:
        piece = pieces[bisect_right(starts_s, true_s) - 1]
        along_s = piece.server_s + (true_s - piece.true_s) * piece.rate
        assert along_s == pytest.approx(clock.read(true_s), abs=2e-6)
        assert clock.error_s(true_s) == pytest.approx(clock.read(true_s) - true_s, abs=1e-6)


@given(clocks())
def test_it_jumps_only_where_an_event_makes_it_jump(clock: ServerClock) -> None:
    until_s = NOON_S + 1_500_000.0
    jumps_s = set[float]()
    for event in clock.events:
        after_s = getattr(event, "mended_after_s", None) or 0.0
        if isinstance(event, Pause):
            jumps_s |= {event.at_s + event.for_s, event.at_s + event.for_s + after_s}
        elif not isinstance(event, Slew):
            jumps_s |= {event.at_s, event.at_s + after_s}
    pieces = clock.pieces(NOON_S - 1000.0, until_s)
    for piece, following in pairwise(pieces):
        if following.true_s not in jumps_s:
            end_s = piece.server_s + (following.true_s - piece.true_s) * piece.rate
            assert end_s == pytest.approx(following.server_s, abs=2e-6)


@given(st.binary(min_size=1, max_size=64), st.floats(0.0, 0.016), st.floats(-1e11, 3e11))
def test_ntp_keeps_within_its_residual_and_rate(key: bytes, residual_s: float, at_s: float) -> None:
    base = Ntp(key, residual_s, 64.0)
    assert abs(base.error_s(at_s)) <= residual_s
    assert abs(base.rate(at_s)) <= 500e-6
    assert base.error_s(at_s) != base.error_s(at_s + 64.0) or residual_s < 1e-9


@given(clocks(), st.lists(st.floats(-1e6, 2e6), min_size=1, max_size=20), st.randoms())
def test_any_order_of_questions_has_the_same_answers(
    clock: ServerClock, times_s: list[float], random: Any
) -> None:
    first = {t: clock.read(NOON_S + t) for t in times_s}
    again = ServerClock(clock.base, clock.events)
    random.shuffle(times_s)
    assert {t: again.read(NOON_S + t) for t in times_s} == first


@given(clocks(), SECONDS, st.floats(0.0, 1e6))
def test_what_happens_later_changes_nothing_before(
    clock: ServerClock, by_s: float, before_s: float
) -> None:
    later_s = NOON_S + 2_000_000.0
    stepped = clock.with_event(Step(later_s, by_s))
    assert stepped.read(later_s - 0.001 - before_s) == clock.read(later_s - 0.001 - before_s)
    assert stepped.error_s(later_s) == pytest.approx(clock.error_s(later_s) + by_s)
