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
_UNITS = {
    ("ms", "millisecond"): 0.001,
    ("s", "sec", "second"): 1.0,
    ("min", "minute"): 60.0,
    ("h", "hour"): 3600.0,
    ("d", "day"): DAY_S,
    ("week",): 7 * DAY_S,
    ("month",): YEAR_S / 12,
    ("year",): YEAR_S,
}
_SECONDS = {name: seconds for names, seconds in _UNITS.items() for name in names}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
# a simulation over centuries is a slip of the finger
_LONGEST_S = 1000 * YEAR_S


class Duration(float):
    """Seconds, written in a scenario as text."""

    @classmethod
    def of(cls, value: Any) -> "Duration":
        """Parse ``value``; ValueError says how to write it."""
        if not isinstance(value, str):
            raise ValueError(f'a duration is a number and a unit in quotes, like "{value} s"')
        seconds, rest = 0.0, value.strip()
        sign = -1.0 if rest.startswith("-") else 1.0
        rest = rest.removeprefix("-") if sign < 0 else rest.removeprefix("+")
        if not rest:
            raise ValueError(f'{value!r} is no duration; write it like "24 months" or "90 s"')
        while rest:
            part = _PART.match(rest)
            if part is None:
                raise ValueError(f'{value!r} is no duration; write it like "24 months" or "90 s"')
            seconds += float(part[1]) * _unit(part[2])
            rest = rest[part.end() :].rstrip()
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
    known = name if name in _SECONDS else name.lower().removesuffix("s")
    if known not in _SECONDS:
        names = [long for long in _SECONDS if len(long) > 2]
        close = difflib.get_close_matches(known, names, 1)
        hint = f"did you mean {close[0]}s?" if close else f"there are: {', '.join(names)}"
        raise ValueError(f"unknown unit {name!r}; {hint}")
    return _SECONDS[known]


def in_words(seconds: float) -> str:
    """A duration for people, in the largest unit that fits: ``24 months``, ``90 s``.

    >>> in_words(Duration.of("24 months")), in_words(90), in_words(100_000)
    ('24 months', '90 s', '27.8 h')
    """
    size = abs(seconds)
    units = [("month", YEAR_S / 12), ("day", DAY_S), ("h", 3600.0), ("min", 60.0), ("s", 1.0)]
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
    """A clock error for people, always signed: ``+12.3 s``, ``-4 min 31 s``."""
    if abs(offset_s) < 0.05:
        return "0 s"
    sign = "-" if offset_s < 0 else "+"
    if abs(offset_s) < 100:
        return f"{sign}{abs(offset_s):.1f} s"
    minutes, seconds = divmod(round(abs(offset_s)), 60)
    return f"{sign}{minutes} min" + (f" {seconds} s" if seconds else "")
