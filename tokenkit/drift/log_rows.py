"""Rows of a log of codes, by whatever names their columns or members have."""

import io
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from tokenkit.drift.server_time import Unit
from tokenkit.tables import TableError, named, open_table, plain
from tokenkit.verifier.chain import LogLine

LogRow: TypeAlias = dict[str, str] | LogLine | str
"""Fields by our names, a line of the verifier's own log, or why it is neither."""

TIMES: dict[str, Unit] = {"time": None, "time_s": "s", "time_ms": "ms"}
_NAMES = {
    "serial": "serial, serial number, serial no, sn, token, token serial, device",
    "code": "code, otp, passcode, token code, otp code, mfa code",
    "time": "time, timestamp, server time, date, datetime, when, at, unix, unix time, epoch",
    "time_s": "time s, timestamp s, server time s, server s, at s, unix s, epoch s",
    "time_ms": "time ms, timestamp ms, server time ms, server ms, at ms, unix ms, epoch ms",
    "accepted": "accepted, result, outcome, status, success",
}
_ALIASES = {name: aliases.split(", ") for name, aliases in _NAMES.items()}


def log_rows(text: str) -> Iterator[tuple[int, LogRow]]:
    """Each row of CSV or JSON Lines after its line. TableError for a text that is neither."""
    begin = text.lstrip()[:1]
    if begin == "[":
        raise TableError("a JSON array: write one object a line, as jq -c '.[]' does")
    if begin == "<":
        raise TableError("XML or HTML: export the log as CSV or JSON Lines")
    return _json_rows(text) if begin == "{" else _csv_rows(text)


def _csv_rows(text: str) -> Iterator[tuple[int, LogRow]]:
    table = open_table(text, _ALIASES)
    if missing := _missing(table.columns):
        raise TableError(f"{missing}: the first line names the columns: {named(table.header)}")
    yield from table.rows()


def _json_rows(text: str) -> Iterator[tuple[int, LogRow]]:
    names = {plain(each): name for name, aliases in _ALIASES.items() for each in aliases}
    decoder = msgspec.json.Decoder(dict[str, Any])
    for line, each in enumerate(io.StringIO(text), 1):
        if not each.strip():
            continue
        try:
            members = decoder.decode(each)
            if "hash" in members and "event" in members:
                yield line, msgspec.convert(members, LogLine)
                continue
        except (msgspec.MsgspecError, RecursionError) as error:
            yield line, f"no JSON object of an observation: {error}"
            continue
        row: dict[str, str] = {}
        wrong = ""
        for member, value in members.items():
            name = names.get(plain(member))
            if name is None:
                continue
            if name in row:
                wrong = f"{member!r} says the {name} once more"
            elif isinstance(value, dict | list) or (isinstance(value, bool) and name != "accepted"):
                wrong = f"{member!r} is neither text nor a number"
            row[name] = "" if value is None else str(value).strip()
        if missing := _missing(row):
            wrong = wrong or f"{missing}: the members are {named(members)}"
        yield line, wrong or row


def _missing(row: Mapping[str, str]) -> str:
    """What a row lacks, and how it may be called."""
    for name, what in (("serial", "serial number"), ("code", "code")):
        if name not in row:
            return f"no {what}, such as {_ALIASES[name][0]!r} or {_ALIASES[name][1]!r}"
    times = row.keys() & TIMES.keys()
    if not times:
        return "no time, such as 'time', 'timestamp' or 'time ms'"
    return "" if len(times) == 1 else "more than one time: keep one"
