"""msgspec's validation errors in the words of a scenario file, with suggestions."""

import difflib
import re
from datetime import date, datetime
from typing import Any, get_args

import msgspec

from tokenkit.scenario.lines import Path
from tokenkit.scenario.schema import Policy, Scenario
from tokenkit.scenario.steps import AnyStep

STEPS: dict[str, type[msgspec.Struct]] = {
    str(step.__struct_config__.tag): step for step in get_args(AnyStep)
}

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


def explain(message: str, data: dict[str, Any]) -> tuple[Path, str]:
    """Where in ``data`` msgspec's ``message`` is about, and what to tell the user."""
    message, _, where = message.partition(" - at `$")
    path: Path = tuple(
        int(index) if index else key
        for key, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", where)
    )
    value = _value_at(data, path)
    key = str(path[-1]) if path else ""
    if match := _UNKNOWN.fullmatch(message):
        struct = _struct(data, path)
        known = list(struct.__struct_encode_fields__)
        if struct.__struct_config__.tag_field:
            known.append(struct.__struct_config__.tag_field)
        return (*path, match[1]), f"unknown key {match[1]!r}; {_hint(match[1], known)}"
    if match := _MISSING.fullmatch(message):
        return path, f"{_called(value)} needs {match[1]!r}"
    if key == "do" and message.startswith("Invalid value"):
        return path, f"no step {value!r}; {_hint(str(value), list(STEPS))}"
    if message.startswith("Invalid enum value"):
        return path, f"{key!r} cannot be {value!r}; {_hint(value, _choices(data, path))}"
    if isinstance(value, date) and getattr(value, "tzinfo", None) is None:
        example = value.isoformat() if isinstance(value, datetime) else f"{value}T00:00:00"
        return path, f"{key!r} needs a time zone: write {example}Z for UTC"
    message = message[:1].lower() + message[1:]
    return path, f"{key!r}: {message}" if key and isinstance(path[-1], str) else message


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _struct(data: dict[str, Any], path: Path) -> type[msgspec.Struct]:
    """The class of the table at ``path``."""
    if path[:1] == ("step",):
        return STEPS[_value_at(data, path[:2])["do"]]
    return Policy if path[:1] == ("policy",) else Scenario


def _choices(data: dict[str, Any], path: Path) -> list[Any]:
    """What a Literal at ``path`` may be."""
    for field in msgspec.inspect.type_info(_struct(data, path[:-1])).fields:  # type: ignore[attr-defined]  # a StructType
        if field.encode_name == path[-1] and isinstance(field.type, msgspec.inspect.LiteralType):
            return list(field.type.values)
    return []


def _called(table: Any) -> str:
    return (
        f"the step {table['do']!r}" if isinstance(table, dict) and "do" in table else "this table"
    )


def _hint(value: Any, choices: list[Any]) -> str:
    close = difflib.get_close_matches(str(value), [str(choice) for choice in choices], 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(str(choice) for choice in sorted(choices))}"
