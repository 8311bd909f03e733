"""Measurements of one crystal: temperature, and rate or clock error, at true times."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from tokenkit.drift.server_time import Unit, server_time_s
from tokenkit.errors import TokenkitError
from tokenkit.tables import TableError, listed, open_table, text_of

Kind = Literal["rate", "offset"]

_MOST_BYTES = 2**28
_TEMPERATURES_C = (-60.0, 125.0)
_MOST: dict[Kind, tuple[float, str]] = {"rate": (10_000.0, "ppm"), "offset": (1e7, "s")}
_TIMES: dict[str, Unit] = {"time": None, "time_s": "s", "time_ms": "ms"}
_NAMES = {
    "time": "time, timestamp, date, datetime, true time, when, at, unix, unix time, epoch",
    "time_s": "time s, timestamp s, true time s, true s, at s, unix s, epoch s",
    "time_ms": "time ms, timestamp ms, true time ms, unix ms, epoch ms",
    "temperature": "temperature, temp, temperature c, temp c, t c, c",
    "rate_ppm": "rate, rate ppm, ppm, frequency error, frequency error ppm",
    "rate_s_per_day": "s per day, seconds per day, rate s per day, s d",
    "offset_s": "offset, offset s, error, error s, clock error, clock error s",
    "offset_ms": "offset ms, error ms, clock error ms",
}
_ALIASES = {name: aliases.split(", ") for name, aliases in _NAMES.items()}
# what a value is: in ppm or seconds, a unit is so many
_VALUES: dict[str, tuple[Kind, float]] = {
    "rate_ppm": ("rate", 1.0),
    "rate_s_per_day": ("rate", 1e6 / 86_400),
    "offset_s": ("offset", 1.0),
    "offset_ms": ("offset", 1e-3),
}


class MeasurementsError(TokenkitError):
    """A file of measurements that cannot be read; nothing of it was."""


@dataclass(frozen=True)
class Measurements:
    """In the order of time: true times, temperatures, and rates in ppm or clock errors in s.

    ``faults`` are the lines that were left out.
    """

    kind: Kind
    times_s: list[float]
    temperatures_c: list[float]
    values: list[float]
    faults: list[str]


def read_measurements(
    path: str | Path, *, zone: ZoneInfo | None = None, skip_faulty: bool = False
) -> Measurements:
    """From CSV with a header line: a time, a temperature in °C, and a rate or a clock error.

    The columns' names are in docs/crystals.md. Times without an offset are local times of ``zone``.
    MeasurementsError, with its faults, unless ``skip_faulty`` leaves those out.
    """
    try:
        with open(path, "rb") as file:
            contents = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise MeasurementsError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no name that a file can have
        raise MeasurementsError(f"{str(path)!r}: {error}") from None
    try:
        if len(contents) > _MOST_BYTES:
            raise TableError(f"over {_MOST_BYTES // 2**20} MiB: average it first")
        table = open_table(text_of(contents), _ALIASES)
        time, value = _columns(table.columns)
        rows: list[tuple[float, float, float]] = []
        faults: list[str] = []
        for line, row in table.rows():
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                rows.append(_measurement(row, time, value, zone))
            except ValueError as error:
                faults.append(f"line {line}: {error}")
    except TableError as error:
        raise MeasurementsError(f"{path}: {error}") from None
    if faults and not (skip_faulty and rows):
        raise MeasurementsError(listed(str(path), faults, "nothing was read"))
    if not rows:
        raise MeasurementsError(f"{path}: no measurement in it")
    rows.sort(key=lambda row: row[0])
    kind, _ = _VALUES[value]
    times_s, temperatures_c, values = map(list, zip(*rows, strict=True))
    return Measurements(kind, times_s, temperatures_c, values, faults)


def _columns(columns: Mapping[str, str]) -> tuple[str, str]:
    """Which are the time's and the value's. TableError unless there is one of each."""

    def one(names: Iterator[str], what: str, such: str) -> str:
        there = [name for name in names if name in columns]
        if len(there) != 1:
            problem = "no" if not there else "more than one"
            raise TableError(f"{problem} {what}, such as {such}: the first line names the columns")
        return there[0]

    time = one(iter(_TIMES), "time", "'time'")
    one(iter(["temperature"]), "temperature", "'temperature'")
    return time, one(iter(_VALUES), "rate or clock error", "'rate ppm' or 'offset s'")


def _measurement(
    row: Mapping[str, str], time: str, value: str, zone: ZoneInfo | None
) -> tuple[float, float, float]:
    time_s = server_time_s(row[time], _TIMES[time], zone)
    temperature_c = _number(row["temperature"], "temperature")
    low, high = _TEMPERATURES_C
    if not low <= temperature_c <= high:
        raise ValueError(
            f"temperature {row['temperature']!r} is not between {low:g} and {high:g} °C:"
            " is it in another unit?"
        )
    kind, unit = _VALUES[value]
    number, (most, name) = unit * _number(row[value], kind), _MOST[kind]
    if abs(number) > most:
        raise ValueError(f"{kind} {row[value]!r} is over {most:g} {name}: no crystal has it")
    return time_s, temperature_c, number


def _number(text: str, what: str) -> float:
    plain = text.replace(",", ".") if re.fullmatch(r"[+-]?\d*,\d+", text, re.ASCII) else text
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise ValueError(f"{what} {text[:40]!r} is no number")
    return number
