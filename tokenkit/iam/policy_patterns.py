"""Patterns of policies: ``*`` and ``?``, and policy variables such as ``${aws:username}``.

IAM user guide, "IAM policy elements: variables and tags".
"""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

Context = Mapping[str, tuple[str, ...]]  # keys in lower case: IAM does not tell them apart

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_WITH_DEFAULT = re.compile(r"\s*([^,\s]+)\s*,\s*'([^']*)'\s*", re.ASCII)
_AS_THEY_ARE = ("*", "?", "$")  # ${*} is an asterisk and no wildcard


def matches(pattern: str, text: str, context: Context, *, variables: bool = True) -> bool:
    """Whether ``pattern`` covers ``text``, which has the case of letters that it should have.

    Values of variables are text and no patterns. One without a value matches nothing.
    """
    if "${" in pattern and variables:
        filled = _fill(pattern, context, _wild, _literal)
        return filled is not None and _compiled(filled)(text)
    return pattern == "*" or _compiled(_wild(pattern))(text)


def arn_matches(pattern: str, arn: str, context: Context, *, variables: bool = True) -> bool:
    """The same for ARNs in conditions: each of their six parts by itself."""
    parts, given = _arn_parts(pattern), arn.split(":", 5)
    return len(parts) == len(given) == 6 and all(
        matches(part, text, context, variables=variables)
        for part, text in zip(parts, given, strict=True)
    )


def filled_in(text: str, context: Context, *, variables: bool = True) -> str | None:
    """``text`` with the values of its variables; None if one has none."""
    if "${" not in text or not variables:
        return text
    return _fill(text, context, _same, _same)


def variable_keys(text: str) -> Iterator[str]:
    """The keys whose values ``text`` asks for, in lower case."""
    for match in _VARIABLE.finditer(text):
        if match[1] not in _AS_THEY_ARE:
            yield _split(match[1])[0]


def _fill(
    text: str, context: Context, outside: Callable[[str], str], value: Callable[[str], str]
) -> str | None:
    parts: list[str] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts.append(outside(text[end : match.start()]))
        end = match.end()
        if match[1] in _AS_THEY_ARE:
            parts.append(value(match[1]))
            continue
        key, default = _split(match[1])
        values = context.get(key, ())
        if len(values) == 1:
            parts.append(value(values[0]))
        elif default is not None and not values:
            parts.append(value(default))
        else:
            return None
    return "".join(parts) + outside(text[end:])


def _split(inside: str) -> tuple[str, str | None]:
    match = _WITH_DEFAULT.fullmatch(inside)
    return (inside.lower(), None) if match is None else (match[1].lower(), match[2])


def _arn_parts(pattern: str) -> list[str]:
    """The parts between colons, of which those in variables are none."""
    parts, depth = [""], 0
    for n, character in enumerate(pattern):
        depth += (pattern[n : n + 2] == "${") - (character == "}" and depth > 0)
        if character == ":" and depth == 0 and len(parts) < 6:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _same(text: str) -> str:
    return text


def _wild(text: str) -> str:
    """As fnmatch has it, to which brackets mean something, too."""
    return text.replace("[", "[[]")


def _literal(text: str) -> str:
    return re.sub(r"[*?\[]", r"[\g<0>]", text)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Callable[[str], bool]:
    # fnmatch's expressions never backtrack over an asterisk: no pattern takes long
    fullmatch = re.compile(fnmatch.translate(pattern)).fullmatch
    return lambda text: fullmatch(text) is not None
