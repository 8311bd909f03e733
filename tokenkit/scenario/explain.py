"""What is wrong with a scenario's TOML, in the words of a scenario file and with suggestions."""

import difflib
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, get_args

import msgspec

from tokenkit.scenario.lines import Path
from tokenkit.scenario.schema import Policy, Scenario
from tokenkit.scenario.server import Server, ServerEvent
from tokenkit.scenario.steps import AnyStep
from tokenkit.scenario.syntax import HOW_STEPS

STEPS: dict[str, type[msgspec.Struct]] = {
    str(step.__struct_config__.tag): step for step in get_args(AnyStep)
}

_MISSING = re.compile(r"Object missing required field `(.*)`")
_WRONG_TYPE = re.compile(r"Expected `(\w+)(?: \| null)?`, got ")
_OUT_OF_RANGE = re.compile(r"Expected `(\w+)` (?:of length )?([<>])= (\d+)")
_TYPES = {  # msgspec's names, and those of what tomllib makes
    "array": "a list",
    "bool": "true or false",
    "date": "a date",
    "datetime": "a date and time",
    "dict": "a table",
    "float": "a number with a point",
    "int": "a whole number",
    "list": "a list",
    "object": "a table",
    "str": "text in quotes",
    "time": "a time of day",
}
_COUNTED = {"array": "element", "str": "character"}


def unknown_key(data: dict[str, Any]) -> tuple[Path, str] | None:
    """Where the first key is that no scenario has, and what to tell the user.

    Looked for before msgspec, whose messages are text: a key may hold anything, also their end.
    """
    for path, table, struct in _tables(data):
        known = list(struct.__struct_encode_fields__)
        if struct.__struct_config__.tag_field:
            known.append(struct.__struct_config__.tag_field)
        for key in table:
            if key not in known:
                return (*path, key), f"unknown key {key!r}; {hint(key, known)}"
    return None


def _tables(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any], type[msgspec.Struct]]]:
    """All tables whose class is known."""
    yield (), data, Scenario
    if isinstance(policy := data.get("policy"), dict):
        yield ("policy",), policy, Policy
    if isinstance(server := data.get("server"), dict):
        yield ("server",), server, Server
        events = server.get("event")
        for number, event in enumerate(events if isinstance(events, list) else []):
            if isinstance(event, dict):
                yield ("server", "event", number), event, ServerEvent
    steps = data.get("step")
    for number, step in enumerate(steps if isinstance(steps, list) else []):
        kind = step.get("do") if isinstance(step, dict) else None
        if isinstance(kind, str) and kind in STEPS:
            yield ("step", number), step, STEPS[kind]


def explain(message: str, data: dict[str, Any]) -> tuple[Path, str]:
    """Where in ``data`` msgspec's ``message`` is about, and what to tell the user."""
    message, path = located(message)
    value = _value_at(data, path)
    key = str(path[-1]) if path else ""
    if match := _MISSING.fullmatch(message):
        how = f": {HOW_STEPS}" if match[1] == "step" else ""
        return path, f"{_called(path, value)} needs {match[1]!r}{how}"
    if path[:1] == ("step",) and len(path) <= 2:
        return path, HOW_STEPS
    if key == "do" and message.startswith("Invalid value"):
        return path, f"no step {value!r}; {hint(value, list(STEPS))}"
    choices = _choices(data, path) if message.startswith("Invalid enum value") else []
    return path, wrong_value(message, path, value, choices)


def located(message: str) -> tuple[str, Path]:
    """msgspec's ``message`` without the place at its end, and the place."""
    said, at, where = message.rpartition(" - at `$")  # a value before it may hold the same text
    path: Path = tuple(
        int(index) if index else key
        for key, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", where if at else "")
    )
    return (said if at else message), path


def wrong_value(message: str, path: Path, value: Any, choices: list[Any]) -> str:
    """What to tell the user of the ``value`` at ``path``, of which msgspec says ``message``.

    ``choices`` are what a value may be that is one of several words.
    """
    key = str(path[-1]) if path else ""
    if message.startswith("Invalid enum value"):
        return f"{key!r} cannot be {value!r}; {hint(value, choices)}"
    if message.startswith("Expected `datetime") and isinstance(value, date | str):
        return f"{key!r} needs a time zone: write {_with_time(value)}Z for UTC"
    name = f"{key!r}" if isinstance(path[-1], str) else f"each of {path[-2]!r}"
    if match := _WRONG_TYPE.match(message):
        return f"{name} must be {_TYPES[match[1]]}, not {_TYPES[type(value).__name__]}"
    if match := _OUT_OF_RANGE.fullmatch(message):
        kind, sign, limit = match.groups()
        bound = f"at {'most' if sign == '<' else 'least'} {limit}"
        if kind in _COUNTED:
            return f"{name} must have {bound} {_COUNTED[kind]}{'' if limit == '1' else 's'}"
        return f"{name} must be {bound}"
    if message.startswith("Invalid RFC3339"):
        return f"{key!r} must be a date and time like 2026-01-01T08:00:00Z, not {value!r}"
    return f"{name}: {message}"


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _choices(data: dict[str, Any], path: Path) -> list[Any]:
    """What a Literal at ``path`` may be."""
    struct = next(struct for at, _, struct in _tables(data) if at == path[:-1])
    for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined]  # a StructType
        if field.encode_name == path[-1] and isinstance(field.type, msgspec.inspect.LiteralType):
            return list(field.type.values)
    return []


def _called(path: Path, table: dict[str, Any]) -> str:
    if not path:
        return "the file"
    return f"the step {table['do']!r}" if "do" in table else "this step"


def _with_time(day: date | str) -> str:
    if isinstance(day, str):
        return day
    return day.isoformat() if isinstance(day, datetime) else f"{day}T00:00:00"


def hint(value: Any, choices: list[Any]) -> str:
    """The choice that may be meant, or all."""
    close = difflib.get_close_matches(str(value), [str(choice) for choice in choices], 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(str(choice) for choice in sorted(choices))}"
