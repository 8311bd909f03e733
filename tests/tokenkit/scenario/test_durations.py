"""Durations as text."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.scenario.durations import Duration, PositiveDuration, clock_text, in_words

UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "S": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hours": 3600.0,
    "d": 86_400.0,
    "days": 86_400.0,
    "week": 604_800.0,
    "months": 30.436875 * 86_400,
    "years": 365.2425 * 86_400,
}
parts = st.tuples(st.integers(0, 99), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))


@given(st.lists(parts, min_size=1, max_size=4), st.sampled_from(["", "-", "+"]))
def test_is_the_sum_of_its_parts(parts: list[tuple[int, str, str]], sign: str) -> None:
    text = sign + " ".join(f"{number}{space}{unit}" for number, unit, space in parts)
    expected = sum(number * UNITS[unit] for number, unit, _ in parts)
    assert Duration.of(text) == pytest.approx(-expected if sign == "-" else expected)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    seconds = 0.0
    with suppress(ValueError):
        seconds = Duration.of(text)
    assert abs(seconds) <= 1000 * UNITS["years"]


@given(st.integers(1, 500), st.sampled_from(["month", "day", "h", "min", "s", "ms"]))
def test_words_can_be_read_back(number: int, unit: str) -> None:
    seconds = Duration.of(f"{number} {unit}")
    # in larger units there are two digits after the point
    assert Duration.of(in_words(seconds)) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write it like"),
        ("month", "write it like"),
        ("3", "write it like"),
        ("3 weks", "did you mean weeks?"),
        ("3 fortnights", "there are: ms, s, min, h, days, weeks, months, years"),
        ("1e9 s", "there are: ms, s, min, h, days, weeks, months, years"),
        ("5 m", "did you mean ms or min or months?"),
        ("5 Mi", "did you mean ms or min?"),
        ("5 y", "did you mean years?"),
        ("5 hrs", "did you mean h?"),
        ("5\n s", "write it like"),
        ("1 day!", "write it like"),
        ("1001 years", "longer than 1000 years"),
        (5, 'like "5 s"'),
        (-1.5, 'like "-1.5 s"'),
        (True, 'like "90 s"'),
        (["1 s"], 'like "90 s"'),
        (1e300, 'like "90 s"'),
        ([16**5000], 'like "90 s"'),
        (float("nan"), 'like "90 s"'),
    ],
)
def test_says_how_to_write_it(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Duration.of(text)


@pytest.mark.parametrize("text", ["0 s", "-1 day"])
def test_a_positive_duration_is_longer_than_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        PositiveDuration.of(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (63_113_904, "24 months"),
        (90, "90 s"),
        (86_400, "1 day"),
        (5400, "90 min"),
        (0, "0 s"),
        (0.001, "1 ms"),
    ],
)
def test_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.01, "0 s"),
        (12.34, "+12.3 s"),
        (-99.0, "-99.0 s"),
        (180, "+3 min"),
        (-312, "-5 min 12 s"),
        (7199, "+119 min 59 s"),
        (-7260, "-2 h 1 min"),
        (172_799, "+48 h"),
        (180_000, "+2 days 2 h"),
    ],
)
def test_clock_errors_are_signed(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
