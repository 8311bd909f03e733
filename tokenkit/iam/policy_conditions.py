"""Conditions of policies: IAM user guide, "IAM JSON policy elements: Condition operators"."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any

from tokenkit.iam.policy_patterns import Context, arn_matches, filled_in, matches

# whether a value of the request is as the policy's value says; ValueError if one is no such thing
_Test = Callable[[str, str, Context, bool], bool]
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,4})?", re.ASCII)
_EPOCH_S = re.compile(r"-?\d{1,19}", re.ASCII)


@dataclass(frozen=True)
class Condition:
    """One operator on one key, lower case. ``variables``: those in the values are filled in.

    ``quantifier`` is ForAnyValue, ForAllValues or "".
    """

    operator: str
    quantifier: str
    if_exists: bool
    key: str
    values: tuple[str, ...]
    variables: bool

    def holds(self, context: Context) -> bool:
        given = context.get(self.key)
        if self.operator == "Null":
            return any((given is None) == (value.lower() == "true") for value in self.values)
        test, negated = _OPERATORS[self.operator]
        if given is None:
            if self.quantifier == "ForAnyValue":
                return self.if_exists
            return self.if_exists or negated or self.quantifier == "ForAllValues"
        found = (self._matches_one(test, each, context) != negated for each in given)
        # a negated operator on a key of several values: none of them may match
        everyone = self.quantifier == "ForAllValues" or (negated and not self.quantifier)
        return all(found) if everyone else any(found)

    def _matches_one(self, test: _Test, given: str, context: Context) -> bool:
        return any(_safely(test, given, value, context, self.variables) for value in self.values)


def parse_operator(name: str) -> tuple[str, str, bool]:
    """Operator, quantifier, whether with IfExists. ValueError for none that there is."""
    quantifier, colon, operator = name.rpartition(":")
    if colon and quantifier not in ("ForAnyValue", "ForAllValues"):
        raise ValueError(f"condition operator {name}")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    if operator not in _OPERATORS and (operator != "Null" or if_exists):
        raise ValueError(f"condition operator {name}")
    return operator, quantifier, if_exists


def check_value(operator: str, value: str) -> None:
    """ValueError if a policy's value is none for its operator; one with variables may be."""
    if "${" in value:
        return
    if operator == "Null":
        if value.lower() not in ("true", "false"):
            raise ValueError(f"{value!r} is neither true nor false")
        return
    for prefix, parse in _PARSERS.items():
        if operator.startswith(prefix):
            parse(value)


def _safely(test: _Test, given: str, value: str, context: Context, variables: bool) -> bool:
    try:
        return test(given, value, context, variables)
    except ValueError:  # what the request has is no number, date or address
        return False


def _on(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> _Test:
    def test(given: str, value: str, context: Context, variables: bool) -> bool:
        wanted = filled_in(value, context, variables=variables)
        return wanted is not None and compare(parse(given), parse(wanted))

    return test


def _like(given: str, value: str, context: Context, variables: bool) -> bool:
    return matches(value, given, context, variables=variables)


def _arn(given: str, value: str, context: Context, variables: bool) -> bool:
    return arn_matches(value, given, context, variables=variables)


def _number(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no number")
    return Decimal(text)


def _time_s(text: str) -> Decimal:
    """Seconds since the Unix epoch: so many, or a date of ISO 8601, UTC if it does not say."""
    if _EPOCH_S.fullmatch(text):
        return Decimal(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return Decimal(str(moment.timestamp()))
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error


def _network(text: str) -> Any:
    return ipaddress.ip_network(text, strict=False)


def _contains(address: Any, network: Any) -> bool:
    return address.version == network.version and bool(address.subnet_of(network))


def _text(text: str) -> str:
    return text


_PARSERS: dict[str, Callable[[str], Any]] = {
    "Numeric": _number,
    "Date": _time_s,
    "IpAddress": _network,
    "NotIpAddress": _network,
}
# IAM's operator: how a value is tested, and whether the operator says that none may match
_OPERATORS: dict[str, tuple[_Test, bool]] = {
    "StringEquals": (_on(_text, eq), False),
    "StringNotEquals": (_on(_text, eq), True),
    "StringEqualsIgnoreCase": (_on(str.casefold, eq), False),
    "StringNotEqualsIgnoreCase": (_on(str.casefold, eq), True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "Bool": (_on(str.lower, eq), False),
    "BinaryEquals": (_on(_text, eq), False),
    "IpAddress": (_on(_network, _contains), False),
    "NotIpAddress": (_on(_network, _contains), True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
}
for _kind, _parse in (("Numeric", _number), ("Date", _time_s)):
    _OPERATORS |= {
        f"{_kind}Equals": (_on(_parse, eq), False),
        f"{_kind}NotEquals": (_on(_parse, eq), True),
        f"{_kind}LessThan": (_on(_parse, lt), False),
        f"{_kind}LessThanEquals": (_on(_parse, le), False),
        f"{_kind}GreaterThan": (_on(_parse, gt), False),
        f"{_kind}GreaterThanEquals": (_on(_parse, ge), False),
    }


def condition_operators() -> Sequence[str]:
    """All there are, without quantifiers and IfExists."""
    return [*_OPERATORS, "Null"]
