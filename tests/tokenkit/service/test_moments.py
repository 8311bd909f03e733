"""Durations and times as they are written to a clock that can be moved."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.scenario.durations import YEAR_S
from tokenkit.service.moments import duration_s, iso, moment_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P2Y", 2 * YEAR_S),
        ("P1M", YEAR_S / 12),
        ("P1W", 604_800),
        ("P1DT12H", 129_600),
        ("PT1M30.5S", 90.5),
        ("PT0,5H", 1800),
        ("P1Y2M3W4DT5H6M7S", YEAR_S * 14 / 12 + 25 * 86_400 + 18_367),
        ("2 years", 2 * YEAR_S),
        ("1 h 30 min", 5400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["P", "PT", "", "P1", "1Y", "-P1Y", "P1Y1Y", "PT1D", "P٣D"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|unknown unit|longer than nothing"):
        duration_s(text)


@given(st.floats() | st.text(max_size=20))
def test_any_duration_is_bounded_or_refused(said: float | str) -> None:
    try:
        seconds = duration_s(said)
    except ValueError:
        return
    assert 0 < seconds <= 1000 * YEAR_S


@given(st.floats() | st.text(max_size=30) | st.datetimes(timezones=st.just(UTC)).map(str))
def test_any_time_can_be_written_or_is_refused(said: float | str) -> None:
    try:
        true_s = moment_s(said)
    except ValueError:
        return
    assert math.isclose(moment_s(iso(true_s)), true_s, abs_tol=0.001)


def test_a_time_with_a_zone() -> None:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
    assert moment_s("2026-11-24T13:00:00+01:00") == at
    assert iso(at) == "2026-11-24T12:00:00.000Z"
