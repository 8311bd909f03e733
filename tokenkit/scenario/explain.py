"""What is wrong with a TOML file of structs, in the words of its writer and with suggestions."""

import difflib
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from tokenkit.scenario.lines import Path
from tokenkit.scenario.syntax import how_to_write

_MISSING = re.compile(r"Object missing required field `(.*)`")
_WRONG_TYPE = re.compile(r"Expected `(\w+)(?: \| null)?`, got ")
_OUT_OF_RANGE = re.compile(r"Expected `(\w+)` (?:of length )?(<|>|<=|>=) (\d+(?:\.\d+)?)")
_LENGTH = re.compile(r"Expected `array` of length (\d+)(?:, got \d+)?")
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
_ASKED = _TYPES | {"float": "a number"}
_COUNTED = {"array": "element", "str": "character"}
_BOUNDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}

_Kind = type[msgspec.Struct]


def unknown_key(data: dict[str, Any], kind: _Kind) -> tuple[Path, str] | None:
    """Where in ``data`` the first key is that no ``kind`` has, and what to tell the user.

    Looked for before msgspec, whose messages are text: a key may hold anything, also their end.
    """
    for path, table, struct in _walk(data, _type(kind)):
        if not isinstance(struct, inspect.StructType) or not isinstance(table, dict):
            continue
        known = [field.encode_name for field in struct.fields]
        known += [struct.tag_field] if struct.tag_field else []
        for key in table:
            if key not in known:
                return (*path, key), f"unknown key {key!r}; {hint(key, known)}"
    return None


def arrays_of(kind: _Kind) -> list[str]:
    """The members of ``kind`` that are arrays of tables."""
    struct = _type(kind)
    assert isinstance(struct, inspect.StructType)
    return [field.encode_name for field in struct.fields if _is_array_of_tables(field.type)]


def explain(message: str, data: dict[str, Any], kind: _Kind) -> tuple[Path, str]:
    """Where in ``data`` msgspec's ``message`` is about, and what to tell the user."""
    message, path = located(message)
    value = _value_at(data, path)
    types = {at: its for at, _, its in _walk(data, _type(kind))}
    if match := _MISSING.fullmatch(message):
        how = f": {how_to_write(match[1])}" if not path and match[1] in arrays_of(kind) else ""
        return path, f"{_called(path, value)} needs {match[1]!r}{how}"
    if message.startswith("Expected `"):
        for at in (path, path[:-1]):
            if _is_array_of_tables(types.get(at)):
                return path, how_to_write(".".join(key for key in at if isinstance(key, str)))
    if message.startswith("Invalid value") and (tags := _tags(types.get(path[:-1]), path[-1])):
        return path, f"no {path[-3]} {value!r}; {hint(value, tags)}"
    its = types.get(path)
    choices = list(its.values) if isinstance(its, inspect.LiteralType) else []
    return path, wrong_value(message, path, value, choices) + _as_list(value, its)


def _as_list(value: Any, its: inspect.Type | None) -> str:
    """How to write the one ``value`` that stands where a list must."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(its, inspect.TupleType):
        count = len(its.item_types)
    elif isinstance(its, inspect.ListType):
        count = 1
    else:
        return ""
    text = json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))
    return f": write [{', '.join([text] * count)}]"


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
    if isinstance(value, dict) and not message.startswith("Expected `"):
        return f"{_called(path, value)}: {message}"
    name = f"{key!r}" if isinstance(path[-1], str) else f"each of {path[-2]!r}"
    if match := _WRONG_TYPE.match(message):
        return f"{name} must be {_ASKED[match[1]]}, not {_TYPES[type(value).__name__]}"
    if match := _OUT_OF_RANGE.fullmatch(message):
        kind, sign, limit = match.groups()
        bound = f"{_BOUNDS[sign]} {limit.removesuffix('.0')}"
        if kind in _COUNTED:
            return f"{name} must have {bound} {_COUNTED[kind]}{'' if limit == '1' else 's'}"
        return f"{name} must be {bound}"
    if match := _LENGTH.fullmatch(message):
        return f"{name} must have {match[1]} elements"
    if message.startswith("Invalid RFC3339"):
        return f"{key!r} must be a date and time like 2026-01-01T08:00:00Z, not {value!r}"
    return f"{name}: {message}"


@cache
def _type(kind: _Kind) -> inspect.Type:
    return inspect.type_info(kind)


def _walk(value: Any, its: inspect.Type, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """All values whose type is known, with their types: the outer ones first."""
    its = _meant(its, value)
    yield path, value, its
    if isinstance(its, inspect.StructType) and isinstance(value, dict):
        for field in its.fields:
            if field.encode_name in value:
                name = field.encode_name
                yield from _walk(value[name], field.type, (*path, name))
    elif isinstance(its, inspect.ListType) and isinstance(value, list):
        for number, element in enumerate(value):
            yield from _walk(element, its.item_type, (*path, number))


def _meant(its: inspect.Type, value: Any) -> inspect.Type:
    """Which of several types the ``value`` is to have, if that can be told."""
    if not isinstance(its, inspect.UnionType):
        return its
    types = [each for each in its.types if not isinstance(each, inspect.NoneType)]
    for each in types:
        if isinstance(each, inspect.StructType) and each.tag_field and isinstance(value, dict):
            tag = value.get(each.tag_field)
            if type(tag) is type(each.tag) and tag == each.tag:
                return each
    return types[0] if len(types) == 1 else its


def _is_array_of_tables(its: inspect.Type | None) -> bool:
    if not isinstance(its, inspect.ListType):
        return False
    of = its.item_type.types if isinstance(its.item_type, inspect.UnionType) else [its.item_type]
    return all(isinstance(each, inspect.StructType) for each in of)


def _tags(its: inspect.Type | None, key: str | int) -> list[str]:
    """What ``key`` may be, if it says of which of several types a table is."""
    types = its.types if isinstance(its, inspect.UnionType) else ()
    tagged = [each for each in types if isinstance(each, inspect.StructType)]
    return [str(each.tag) for each in tagged if each.tag_field == key]


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _called(path: Path, table: dict[str, Any]) -> str:
    if not path:
        return "the file"
    if isinstance(path[-1], str):
        return f"{path[-1]!r}"
    names = [table[key] for key in ("do", "name") if isinstance(table.get(key), str)]
    return f"the {path[-2]} {names[0]!r}" if names else f"this {path[-2]}"


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
