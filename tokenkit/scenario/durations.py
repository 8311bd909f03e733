"""Durations as people write them: ``24 months``, ``1 min 30 s``, ``-3 minutes``.

A month is a twelfth of the mean Gregorian year, 30.436875 days: how long something takes must
not depend on the date on which it starts.
"""

import difflib
import math
import re
from typing import Any

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S
_UNITS = {  # as hints name them
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "days": DAY_S,
    "weeks": 7 * DAY_S,
    "months": YEAR_S / 12,
    "years": YEAR_S,
}
_SPELLINGS = {  # each also with an s and in capitals
    "ms": "ms",
    "millisecond": "ms",
    "s": "s",
    "sec": "s",
    "second": "s",
    "min": "min",
    "minute": "min",
    "h": "h",
    "hour": "h",
    "d": "days",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years",
}
_PART = re.compile(r" *(\d+(?:\.\d+)?) *([A-Za-z]+) *")
# a simulation over centuries is a slip of the finger
_LONGEST_S = 1000 * YEAR_S


class Duration(float):
    """Seconds, written in a scenario as text."""

    @classmethod
    def of(cls, value: Any) -> "Duration":
        """Parse ``value``; ValueError says how to write it."""
        if not isinstance(value, str):
            plain = type(value) in (int, float) and 0.001 <= abs(value) < 1e9
            example = f"{value} s" if plain else "90 s"
            raise ValueError(f'a duration is a number and a unit in quotes, like "{example}"')
        seconds, rest = 0.0, value.strip(" ")
        sign = -1.0 if rest.startswith("-") else 1.0
        rest = rest.removeprefix("-") if sign < 0 else rest.removeprefix("+")
        if not rest:
            raise ValueError(f'{value!r} is no duration; write it like "24 months" or "90 s"')
        while rest:
            part = _PART.match(rest)
            if part is None:
                raise ValueError(f'{value!r} is no duration; write it like "24 months" or "90 s"')
            seconds += float(part[1]) * _unit(part[2])
            rest = rest[part.end() :]
        if seconds > _LONGEST_S:
            raise ValueError(f"{value!r} is longer than 1000 years")
        return cls(sign * seconds)


class PositiveDuration(Duration):
    """A duration that is longer than nothing."""

    @classmethod
    def of(cls, value: Any) -> "PositiveDuration":
        seconds = Duration.of(value)
        if seconds <= 0:
            raise ValueError(f"{value!r} must be longer than nothing")
        return cls(seconds)


def _unit(name: str) -> float:
    low = name.lower()
    spelling = low if low in _SPELLINGS else low.removesuffix("s")
    if spelling not in _SPELLINGS:
        raise ValueError(f"unknown unit {name!r}; {_hint(spelling)}")
    return _UNITS[_SPELLINGS[spelling]]


def _hint(name: str) -> str:
    begun = [unit for spelling, unit in _SPELLINGS.items() if spelling.startswith(name)]
    close = [_SPELLINGS[each] for each in difflib.get_close_matches(name, _SPELLINGS, 1)]
    if meant := begun or close:
        return f"did you mean {' or '.join(dict.fromkeys(meant))}?"
    return f"there are: {', '.join(_UNITS)}"


def in_words(seconds: float) -> str:
    """A duration for people, in the largest unit that fits: ``24 months``, ``90 s``.

    >>> in_words(Duration.of("24 months")), in_words(90), in_words(100_000)
    ('24 months', '90 s', '27.8 h')
    """
    size = abs(seconds)
    units = [("month", YEAR_S / 12), ("day", DAY_S)]
    units += [(name, _UNITS[name]) for name in ("h", "min", "s", "ms")]
    fits = (
        (name, size / unit)
        for name, unit in units
        if size >= 10 * unit or (size > 0.99 * unit and _is_whole(size / unit))
    )
    name, number = next(fits, ("s", size))
    digits = 1 if number >= 10 else 2
    text = f"{math.copysign(number, seconds):.{digits}f}".rstrip("0").rstrip(".")
    plural = "s" if name in ("month", "day") and text not in ("1", "-1") else ""
    return f"{text} {name}{plural}"


def _is_whole(number: float) -> bool:
    return math.isclose(number, round(number), rel_tol=1e-9)


def clock_text(offset_s: float) -> str:
    """A clock error for people, always signed: ``+12.3 s``, ``-4 min 31 s``, ``+3 days 2 h``."""
    if abs(offset_s) < 0.05:
        return "0 s"
    sign = "-" if offset_s < 0 else "+"
    if abs(offset_s) < 100:
        return f"{sign}{abs(offset_s):.1f} s"
    whole_s = round(abs(offset_s))
    units = [(86_400, "days", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")]
    large_s, large, small_s, small = next((u for u in units if whole_s >= 2 * u[0]), units[-1])
    count, rest = divmod(round(whole_s / small_s), large_s // small_s)
    return f"{sign}{count} {large}" + (f" {rest} {small}" if rest else "")
