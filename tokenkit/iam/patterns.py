"""Patterns of policies: * is any text, ? any character, ${…} what the request says.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ANY, _ONE = "any", "one"  # longer than a character, so they are none
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_WITH_DEFAULT = re.compile(r"\s*([^,]+?)\s*(?:,\s*'([^']*)'\s*)?")


@dataclass(frozen=True)
class Pattern:
    """Characters, marks, and names of variables (with their defaults) in their places."""

    parts: tuple[str | tuple[str, str | None], ...]

    def matches(self, text: str, context: Mapping[str, object]) -> bool:
        """Whether it is ``text``; not if a variable is not in ``context`` and has no default."""
        wanted: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                wanted.append(part)
                continue
            name, default = part
            value = context.get(name, default)
            if not isinstance(value, str):
                return False
            wanted.extend(value)
        return _fits(wanted, text)


def read_pattern(text: str, *, variables: bool, wildcards: bool = True) -> Pattern:
    """The pattern that ``text`` writes, with or without variables and wildcards."""
    parts: list[str | tuple[str, str | None]] = []
    place = 0
    for match in _VARIABLE.finditer(text) if variables else ():
        parts += _characters(text[place : match.start()], wildcards)
        parts += _variable(match[1])
        place = match.end()
    return Pattern((*parts, *_characters(text[place:], wildcards)))


def _characters(text: str, wildcards: bool) -> list[str]:
    marks = {"*": _ANY, "?": _ONE} if wildcards else {}
    return [marks.get(each, each) for each in text]


def _variable(name: str) -> list[str | tuple[str, str | None]]:
    if name in ("*", "?", "$"):  # the character itself
        return [name]
    match = _WITH_DEFAULT.fullmatch(name)
    return [(name.lower(), None) if match is None else (match[1].lower(), match[2])]


def _fits(wanted: list[str], text: str) -> bool:
    """In time proportional to the product of both lengths, at worst: no backtracking but one."""
    at = place = 0
    last_any, resume = -1, 0
    while place < len(text):
        if at < len(wanted) and wanted[at] == _ANY:
            last_any, resume = at, place
            at += 1
        elif at < len(wanted) and wanted[at] in (_ONE, text[place]):
            at += 1
            place += 1
        elif last_any >= 0:
            resume += 1
            at, place = last_any + 1, resume
        else:
            return False
    return all(each == _ANY for each in wanted[at:])
