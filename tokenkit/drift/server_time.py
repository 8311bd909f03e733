"""Server times as logs have them: ISO 8601 with a zone, Unix seconds or milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tokenkit.errors import TokenkitError
from tokenkit.tables import SPREADSHEET_NUMBER

Unit = Literal["s", "ms", None]

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)
_END_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
# As seconds they lie in the years 1973 to 5138, as milliseconds in 1973 and later: never both.
_LEAST_S, _LEAST_MS = 1e8, 1e11
# 06.01.2025 is June or January: not guessed
_OF_A_SPREADSHEET = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b", re.ASCII)
_LEAP_SECOND = re.compile(r"([T\s]\d\d:?59:?)60(?=$|\D)")


def time_zone(name: str) -> ZoneInfo:
    """A zone of the IANA database, such as Europe/Berlin. TokenkitError if there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise TokenkitError(
            f"there is no time zone {name!r}: write one such as Europe/Berlin or UTC"
        ) from None


def server_time_s(text: str, unit: Unit = None, zone: ZoneInfo | None = None) -> float:
    """Server time in seconds since the Unix epoch. ValueError says what to write instead.

    A number is in ``unit``; without one, seconds and milliseconds are told apart by their size,
    and numbers below 10^8 are refused, for spreadsheets count days. ISO 8601 without an offset is
    read as local time of ``zone``, if it is given. A leap second is the second after it, as in
    POSIX time.
    """
    if SPREADSHEET_NUMBER.fullmatch(text):
        raise ValueError(f"time {text!r} lost digits in a spreadsheet: format the column as text")
    time_s = _unix_s(text, unit) if _NUMBER.fullmatch(text) else _iso_s(text, zone)
    if not 0 <= time_s < _END_S:
        raise ValueError(f"time {text!r} is not in one of the years 1970 to 9998")
    return time_s


def _unix_s(text: str, unit: Unit) -> float:
    number = float(text)
    if unit is None and len(text) == 8 and text.isdecimal():
        raise ValueError(f"time {text!r} may be a date: write 2026-01-31T12:00:00Z")
    if unit is None and number < _LEAST_S:
        raise ValueError(
            f"time {text!r} is too small for Unix time: a spreadsheet's day number? Write ISO 8601,"
            " such as 2026-01-31T12:00:00Z, or name the column 'time s'"
        )
    return number / 1000 if unit == "ms" or (unit is None and number >= _LEAST_MS) else number


def _iso_s(text: str, zone: ZoneInfo | None) -> float:
    text = re.sub(r"\s*(UTC|GMT)$", "Z", text)
    plain = _LEAP_SECOND.sub(r"\g<1>59", text, count=1)
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError as error:
        why = ""
        if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            why = f" ({error})"
        elif _OF_A_SPREADSHEET.match(text):
            why = ": format the column as yyyy-mm-dd hh:mm:ss, and say --time-zone Europe/Berlin"
        raise ValueError(
            f"time {text!r} is no ISO 8601 time such as 2026-01-31T12:00:00Z{why}"
        ) from None
    if not re.search(r"[T\s]", text):
        raise ValueError(f"time {text!r} is a date without a time of day")
    if moment.tzinfo is None:
        moment = _local(moment, text, zone)
    try:
        moment = moment.astimezone(UTC) + timedelta(seconds=plain != text)
    except OverflowError:
        raise ValueError(f"time {text!r} is not in one of the years 1970 to 9998") from None
    if plain != text and not _ends_half_year(moment):
        raise ValueError(f"time {text!r}: there was no leap second")
    return moment.timestamp()


def _ends_half_year(moment: datetime) -> bool:
    """Whether the second before ``moment`` ends June or December, as leap seconds do."""
    return moment.strftime("%m-%d %H:%M:%S") in ("01-01 00:00:00", "07-01 00:00:00")


def _local(moment: datetime, text: str, zone: ZoneInfo | None) -> datetime:
    """``moment`` in ``zone``, where the clock showed it once."""
    if zone is None:
        raise ValueError(
            f"time {text!r} has no time zone: add Z for UTC or an offset such as +01:00, or say"
            " --time-zone Europe/Berlin"
        )
    try:
        once, again = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        if once == again:
            return moment.replace(tzinfo=zone)
        there = moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    except OverflowError:
        raise ValueError(f"time {text!r} is not in one of the years 1970 to 9998") from None
    if there.replace(tzinfo=None) == moment:
        raise ValueError(f"time {text!r} was twice in {zone.key}, clocks went back: add the offset")
    raise ValueError(f"time {text!r} never was in {zone.key}: clocks went forward over it")
