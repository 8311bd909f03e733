"""Durations and times as people and programs write them to a clock that can be moved."""

import re
from datetime import UTC, datetime

from tokenkit.scenario.document import END_S
from tokenkit.scenario.durations import DAY_S, YEAR_S, PositiveDuration

_N = r"(\d+(?:[.,]\d+)?)"
_ISO = re.compile(
    rf"P(?:{_N}Y)?(?:{_N}M)?(?:{_N}W)?(?:{_N}D)?(?:T(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?", re.ASCII
)
_ISO_S = (YEAR_S, YEAR_S / 12, 7 * DAY_S, DAY_S, 3600.0, 60.0, 1.0)
_LONGEST_S = 1000 * YEAR_S


def duration_s(said: float | str) -> float:
    """Seconds: a number of them, ``2 years``, ``1 h 30 min``, or ISO 8601's ``P2Y`` and ``PT90S``.

    A year is the mean Gregorian year, a month its twelfth. ValueError unless it is longer than
    nothing and at most 1000 years.
    """
    if isinstance(said, str):
        match = _ISO.fullmatch(said.strip())
        if match is None or not any(match.groups()):
            return float(PositiveDuration.of(said))
        numbers = [float((each or "0").replace(",", ".")) for each in match.groups()]
        said = sum(number * unit for number, unit in zip(numbers, _ISO_S, strict=True))
    if not 0 < said <= _LONGEST_S:
        raise ValueError(f"a duration is longer than nothing and at most 1000 years, not {said} s")
    return float(said)


def moment_s(said: float | str) -> float:
    """True time: seconds since the Unix epoch, or ISO 8601 with a time zone. ValueError."""
    if isinstance(said, str):
        try:
            moment = datetime.fromisoformat(said)
        except ValueError:
            raise ValueError(f"{said!r} is no ISO 8601 time such as 2026-11-24T12:00:00Z") from None
        if moment.tzinfo is None:
            raise ValueError(f"{said!r} has no time zone: add Z for UTC, or an offset")
        try:
            said = moment.timestamp()
        except OverflowError:
            said = END_S
    if not 0 <= said < END_S:
        raise ValueError("a time is in one of the years 1970 to 9998")
    return float(said)


def iso(true_s: float) -> str:
    """True time to the millisecond, UTC."""
    text = datetime.fromtimestamp(true_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
