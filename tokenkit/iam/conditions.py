"""Conditions of policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import ipaddress
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tokenkit.iam.errors import AwsError
from tokenkit.iam.patterns import Pattern, read_pattern

# what a request says, by keys in lower case; a list where a key has several values
Context = Mapping[str, str | list[str]]
_Value = tuple[str, Pattern]  # as written, and what it means
_Test = Callable[[str, _Value, Context], bool]


@dataclass(frozen=True)
class Condition:
    """One operator on one key. Several ``values`` are alternatives."""

    key: str
    test: _Test | None  # None for Null
    negated: bool
    if_exists: bool
    over: str  # "ForAnyValue", "ForAllValues" or ""
    values: tuple[_Value, ...]


def holds(condition: Condition, context: Context) -> bool:
    """Whether a condition is met. What cannot be read (no number, no date) is not equal."""
    present = context.get(condition.key)
    if condition.test is None:
        wanted_absent = any(text.lower() == "true" for text, _ in condition.values)
        return (present is None) == wanted_absent
    if present is None:
        if condition.over:
            return condition.over == "ForAllValues"
        return condition.if_exists or condition.negated
    given = present if isinstance(present, list) else [present]
    test = condition.test
    met = [
        any(test(each, value, context) for value in condition.values) != condition.negated
        for each in given
    ]
    return all(met) if condition.over == "ForAllValues" else any(met)


def read_conditions(given: Any, variables: bool) -> Iterator[Condition]:
    """MalformedPolicyDocument for an operator that there is not, or values that are none."""
    if not isinstance(given, dict):
        raise _malformed("Condition is an object.")
    for operator, keys in given.items():
        over, _, name = operator.rpartition(":")
        if over not in ("", "ForAnyValue", "ForAllValues"):
            raise _malformed(f"Invalid Condition type : {operator[:100]}.")
        bare = name.removesuffix("IfExists")
        if (bare != "Null" and bare not in _OPERATORS) or (bare == "Null" and bare != name):
            raise _malformed(f"Invalid Condition type : {operator[:100]}.")
        if not (isinstance(keys, dict) and keys):
            raise _malformed(f"{operator} has no keys.")
        test, negated, wildcards = (None, False, False) if bare == "Null" else _OPERATORS[bare]
        for key, value in keys.items():
            texts = [_text(each) for each in (value if isinstance(value, list) else [value])]
            yield Condition(
                key.lower(),
                test,
                negated,
                bare != name,
                over,
                tuple(
                    (text, read_pattern(text, variables=variables, wildcards=wildcards))
                    for text in texts
                ),
            )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        return str(value)
    raise _malformed("The values of a condition are text, numbers, true or false.")


def _like(given: str, value: _Value, context: Context) -> bool:
    return value[1].matches(given, context)


def _like_ignoring_case(given: str, value: _Value, context: Context) -> bool:
    lowered = Pattern(
        tuple(part.lower() if isinstance(part, str) else part for part in value[1].parts)
    )
    lower = {name: each.lower() for name, each in context.items() if isinstance(each, str)}
    return lowered.matches(given.lower(), lower)


def _boolean(given: str, value: _Value, context: Context) -> bool:
    return given.lower() == value[0].lower()


def _numbers(compare: Callable[[float, float], bool]) -> _Test:
    def test(given: str, value: _Value, context: Context) -> bool:
        left, right = _number(given), _number(value[0])
        return left is not None and right is not None and compare(left, right)

    return test


def _dates(compare: Callable[[float, float], bool]) -> _Test:
    def test(given: str, value: _Value, context: Context) -> bool:
        left, right = _moment_s(given), _moment_s(value[0])
        return left is not None and right is not None and compare(left, right)

    return test


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment_s(text: str) -> float | None:
    """ISO 8601, or seconds since 1970."""
    if (number := _number(text)) is not None:
        return number
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _in_network(given: str, value: _Value, context: Context) -> bool:
    try:
        network = ipaddress.ip_network(value[0], strict=False)
        return ipaddress.ip_address(given) in network
    except ValueError:
        return False


_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], bool]] = {
    "Equals": (lambda left, right: left == right, False),
    "NotEquals": (lambda left, right: left == right, True),
    "LessThan": (lambda left, right: left < right, False),
    "LessThanEquals": (lambda left, right: left <= right, False),
    "GreaterThan": (lambda left, right: left > right, False),
    "GreaterThanEquals": (lambda left, right: left >= right, False),
}
# test, whether it is turned round, whether * and ? are more than characters
_OPERATORS: dict[str, tuple[_Test, bool, bool]] = {
    "StringEquals": (_like, False, False),
    "StringNotEquals": (_like, True, False),
    "StringEqualsIgnoreCase": (_like_ignoring_case, False, False),
    "StringNotEqualsIgnoreCase": (_like_ignoring_case, True, False),
    "StringLike": (_like, False, True),
    "StringNotLike": (_like, True, True),
    "ArnEquals": (_like, False, True),
    "ArnLike": (_like, False, True),
    "ArnNotEquals": (_like, True, True),
    "ArnNotLike": (_like, True, True),
    "Bool": (_boolean, False, False),
    "IpAddress": (_in_network, False, False),
    "NotIpAddress": (_in_network, True, False),
    **{
        f"Numeric{name}": (_numbers(compare), negated, False)
        for name, (compare, negated) in _COMPARISONS.items()
    },
    **{
        f"Date{name}": (_dates(compare), negated, False)
        for name, (compare, negated) in _COMPARISONS.items()
    },
}


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)
