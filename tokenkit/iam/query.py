"""The query protocol's requests: parameters by an operation's input shape, and their constraints.

What is wrong is said as AWS says it. A value is never repeated: it may be a code or a password.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import regex
from botocore.model import OperationModel, Shape

from tokenkit.iam.errors import AwsError

_MAX_FIELDS = 2_000
_MAX_ITEMS = 1_000  # of a list; a model's own limit is checked afterwards
_NAMES = "It must contain only alphanumeric characters and/or the following: "
# IAM's own sentences, for patterns that a person meets
_SENTENCES = {
    r"[\w+=,.@-]+": _NAMES + "+=,.@_-",
    r"[\w+=/:,.@-]+": _NAMES + "+=/:,.@_-",
    r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)": (
        "It must begin and end with / and contain only alphanumeric characters and/or / characters."
    ),
    r"\u002F[\u0021-\u007F]*": "It must begin with / and contain no spaces.",
}


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form; MalformedInput if it is none, or names one twice."""
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise AwsError(
            "MalformedInput", f"The request is no form of at most {_MAX_FIELDS} fields in UTF-8."
        ) from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise AwsError("MalformedInput", "The request names a parameter twice.")
    return fields


def read_parameters(operation: OperationModel, fields: Mapping[str, str]) -> dict[str, Any]:
    """Parameters by name, of the types that botocore takes; ValidationError says all that is wrong.

    Fields that the operation does not know are passed over, as AWS does.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    wrong: list[str] = []
    found = _read_structure(shape, "", _tree(fields), wrong)
    if wrong:
        first = [each for each in wrong if not each.startswith("The specified")] or wrong[:1]
        if first[0].startswith("The specified"):
            raise AwsError("ValidationError", first[0])
        count = f"{len(first)} validation error{'s' if first[1:] else ''} detected: "
        raise AwsError("ValidationError", count + "; ".join(first))
    return found


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """Fields by their dotted names: a leaf is text, the rest is what is beneath."""
    root: dict[str, Any] = {}
    for name, value in fields.items():
        node = root
        *above, last = name.split(".")[:16]
        for part in above:
            child = node.get(part)
            if not isinstance(child, dict):
                child = node[part] = {}
            node = child
        if not isinstance(node.get(last), dict):
            node[last] = value
    return root


def _read_structure(shape: Any, where: str, given: Any, wrong: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tree = given if isinstance(given, dict) else {}
    for name, member in shape.members.items():
        place = f"{where}.{_lower(name)}" if where else _lower(name)
        if name in tree:
            found[name] = _read(member, place, tree[name], wrong)
        elif name in shape.required_members:
            wrong.append(_failed(place, "Member must not be null", null=True))
    return found


def _read_list(shape: Any, where: str, given: Any, wrong: list[str]) -> list[Any]:
    members = given.get("member") if isinstance(given, dict) else None
    if not isinstance(members, dict):
        if given not in ("", {"member": ""}):
            wrong.append(_failed(where, "Member must be a list"))
        return []
    numbers = [each for each in members if each.isascii() and each.isdecimal()]
    if len(numbers) != len(members) or len(numbers) > _MAX_ITEMS:
        wrong.append(_failed(where, "Member must be a list, numbered from 1"))
        return []
    return [
        _read(shape.member, f"{where}.{place + 1}.member", members[number], wrong)
        for place, number in enumerate(sorted(numbers, key=lambda each: (len(each), each)))
    ]


def _read(shape: Any, where: str, given: Any, wrong: list[str]) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _read_structure(shape, where, given, wrong)
    if kind == "list":
        value: Any = _read_list(shape, where, given, wrong)
        _check_size(shape, where, value, wrong)
        return value
    if not isinstance(given, str):
        wrong.append(_failed(where, "Member must be a single value"))
        return None
    convert = _SCALARS.get(kind)
    if convert is None:
        wrong.append(_failed(where, f"A {kind} cannot be given here"))
        return None
    try:
        value = convert(given)
    except ValueError:
        wrong.append(_failed(where, f"Member must be of type {kind}"))
        return None
    _check(shape, where, value, wrong)
    return value


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _integer(text: str) -> int:
    if not regex.fullmatch("-?[0-9]{1,18}", text):
        raise ValueError
    return int(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
}


def _check(shape: Shape, where: str, value: Any, wrong: list[str]) -> None:
    """Length or range, enumeration, pattern: in this order, the first that fails."""
    facts = shape.metadata
    if isinstance(value, str):
        if _check_size(shape, where, value, wrong):
            return
        if (words := facts.get("enum")) and value not in words:
            listed = ", ".join(words)
            wrong.append(_failed(where, f"Member must satisfy enum value set: [{listed}]"))
        elif (pattern := facts.get("pattern")) and not _compiled(pattern).fullmatch(value):
            sentence = _SENTENCES.get(pattern)
            if sentence is None:
                rule = f"Member must satisfy regular expression pattern: {pattern}"
                wrong.append(_failed(where, rule))
            else:
                name = where.rpartition(".")[2]
                wrong.append(f"The specified value for {name} is invalid. {sentence}")
    elif isinstance(value, int) and not isinstance(value, bool):
        least, most = facts.get("min"), facts.get("max")
        if least is not None and value < least:
            rule = f"Member must have value greater than or equal to {least}"
            wrong.append(_failed(where, rule))
        elif most is not None and value > most:
            wrong.append(_failed(where, f"Member must have value less than or equal to {most}"))


def _check_size(shape: Shape, where: str, value: str | list[Any], wrong: list[str]) -> bool:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        rule = f"Member must have length greater than or equal to {least}"
    elif most is not None and len(value) > most:
        rule = f"Member must have length less than or equal to {most}"
    else:
        return False
    wrong.append(_failed(where, rule))
    return True


@cache
def _compiled(pattern: str) -> "regex.Pattern[str]":
    r"""A pattern of the model, which is Java's: there \w and \d are ASCII, and \p is Unicode.

    One that goes beyond the basic plane has been written with five digits after \u.
    """
    python = pattern.replace(r"\u10000-\u10FFFF", r"\U00010000-\U0010FFFF")
    python = python.replace(r"\w", "a-zA-Z0-9_" if "[" in python else "[a-zA-Z0-9_]")
    return regex.compile(python.replace(r"\d", "0-9" if "[" in python else "[0-9]"))


def _failed(where: str, rule: str, *, null: bool = False) -> str:
    value = "Value null at" if null else "Value at"
    return f"{value} '{where}' failed to satisfy constraint: {rule}"


def _lower(name: str) -> str:
    """A member's name as AWS's messages have it: UserName is userName, MFAx is mFAx."""
    return name[:1].lower() + name[1:]
