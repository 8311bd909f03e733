"""Policy documents: parsed, and asked whether they allow or deny a request.

IAM user guide, "IAM JSON policy reference". Texts of refusals are IAM's, as far as known.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from tokenkit.iam.errors import AwsError
from tokenkit.iam.policy_conditions import Condition, check_value, parse_operator
from tokenkit.iam.policy_patterns import Context, matches, variable_keys

MAX_DOCUMENT = 131_072  # characters: botocore's model
_VERSIONS = ("2008-10-17", "2012-10-17")
_WITH_VARIABLES = "2012-10-17"
_LEGACY = "The policy failed legacy parsing"
_MEMBERS = {"Version", "Id", "Statement"}
_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Condition"}
_RESOURCES, _PRINCIPALS = {"Resource", "NotResource"}, {"Principal", "NotPrincipal"}
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+", re.ASCII)
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:[^\s*]+", re.ASCII)
# what a request for a role may be, and what goes with it
_TRUST_ACTIONS = {
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setsourceidentity",
    "sts:tagsession",
}

Verdict = Literal["allow", "deny", "nothing"]


@dataclass(frozen=True)
class Request:
    """What is asked of policies. ``action`` is such as iam:GetUser, ``context`` has keys in lower
    case; ``principals`` are all names that the caller answers to, for trust policies.
    """

    action: str
    resource: str
    context: Context
    principals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Choice:
    """Action or NotAction, Resource or NotResource, Principal or NotPrincipal."""

    patterns: tuple[str, ...]
    others: bool  # all but these

    def fits(self, is_one: Callable[[str], bool]) -> bool:
        return any(map(is_one, self.patterns)) != self.others


@dataclass(frozen=True)
class Statement:
    """Resources of a trust policy, and principals of any other, are not said: None."""

    allows: bool
    actions: _Choice
    resources: _Choice | None
    principals: _Choice | None
    conditions: tuple[Condition, ...]
    variables: bool

    def applies(self, request: Request) -> bool:
        action = request.action.lower()
        return (
            self.actions.fits(lambda each: matches(each, action, {}, variables=False))
            and (
                self.resources is None or self.resources.fits(lambda each: self._on(each, request))
            )
            and (
                self.principals is None
                or self.principals.fits(lambda each: each == "*" or each in request.principals)
            )
            and all(condition.holds(request.context) for condition in self.conditions)
        )

    def _on(self, pattern: str, request: Request) -> bool:
        return matches(pattern, request.resource, request.context, variables=self.variables)


@dataclass(frozen=True)
class Policy:
    """A document. ``keys`` are those of the request's context that it asks for, in lower case."""

    statements: tuple[Statement, ...]
    keys: frozenset[str]

    def allows(self, request: Request) -> bool:
        """Whether a statement does, whatever others deny."""
        return any(each.allows and each.applies(request) for each in self.statements)


def verdict(policies: Iterable[Policy], request: Request) -> Verdict:
    """An explicit deny wins over all that allow; "nothing" if no statement applies."""
    found: Verdict = "nothing"
    for policy in policies:
        for statement in policy.statements:
            if statement.applies(request):
                if not statement.allows:
                    return "deny"
                found = "allow"
    return found


@lru_cache(maxsize=256)
def parse_policy(text: str) -> Policy:
    """An identity-based or session policy. AwsError MalformedPolicyDocument."""
    statements, variables = _read(text, _RESOURCES)
    for statement in statements:
        _demand_one(statement, "Resource", "Policy statement must contain resources.")
        for pattern in _texts(statement, "Resource") + _texts(statement, "NotResource"):
            if pattern != "*" and not pattern.startswith(("arn:", "*")):
                raise _malformed(f'Resource {pattern} must be in ARN format or "*".')
    return _policy(statements, variables)


@lru_cache(maxsize=256)
def parse_trust_policy(text: str) -> Policy:
    """The policy that says who may assume a role. AwsError MalformedPolicyDocument."""
    statements, variables = _read(text, _PRINCIPALS | _RESOURCES)
    for statement in statements:
        if statement.keys() & _RESOURCES:
            raise _malformed("Has prohibited field Resource.")
        if "NotPrincipal" in statement and statement["Effect"] == "Allow":
            raise _malformed("Allow with NotPrincipal is not allowed.")
        _demand_one(statement, "Principal", "Missing required field Principal")
        for action in _texts(statement, "Action"):
            if action.lower() not in _TRUST_ACTIONS and action.lower() != "sts:*":
                raise _malformed(
                    "Trust Policy statement actions can only be sts:AssumeRole,"
                    " sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity"
                )
    return _policy(statements, variables)


def _read(text: str, more: set[str]) -> tuple[list[dict[str, Any]], bool]:
    """The statements, whose members have the right form, and whether variables are filled in."""
    document = _json(text)
    if not isinstance(document, dict):
        raise _syntax("A policy is a JSON object.")
    if unknown := document.keys() - _MEMBERS:
        raise _syntax(f"A policy has no member {min(unknown)!r}.")
    version = document.get("Version", _VERSIONS[0])
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if version not in _VERSIONS:
        raise _syntax(f"Version is {' or '.join(_VERSIONS)}.")
    if not isinstance(document.get("Id", ""), str):
        raise _syntax("Id is text.")
    if not isinstance(statements, list) or not statements:
        raise _syntax("Statement is an object, or a list of some.")
    for statement in statements:
        _check_statement(statement, more)
    names = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(names)) < len(names):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    return statements, version == _WITH_VARIABLES


def _check_statement(statement: Any, more: set[str]) -> None:
    if not isinstance(statement, dict):
        raise _syntax("A statement is a JSON object.")
    if unknown := statement.keys() - _STATEMENT - more:
        raise _syntax(f"A statement of this kind has no member {min(unknown)!r}.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _syntax("Effect is Allow or Deny.")
    if not isinstance(statement.get("Sid", ""), str):
        raise _syntax("Sid is text.")
    if not isinstance(statement.get("Condition", {}), dict):
        raise _syntax("Condition is an object.")
    _demand_one(statement, "Action", "Policy statement must contain actions.")
    for action in _texts(statement, "Action") + _texts(statement, "NotAction"):
        _check_action(action)


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise _malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    if ":" in name:
        raise _malformed("Actions/Condition can contain only one colon.")
    if _VENDOR.fullmatch(vendor) is None:
        raise _malformed(f"Vendor {vendor} is not valid")
    if not name:
        raise _syntax(f"Action {action} names none.")


def _demand_one(statement: dict[str, Any], name: str, missing: str) -> None:
    """Either ``name`` or Not``name``, and not empty."""
    found = [each for each in (name, f"Not{name}") if each in statement]
    if len(found) == 2:
        raise _syntax(f"A statement has {name} or Not{name}, not both.")
    if not found or statement[found[0]] in ([], {}):
        raise _malformed(missing)


def _texts(owner: dict[str, Any], name: str) -> list[str]:
    """A member that is text or a list of texts; nothing if it is not there."""
    value = owner.get(name, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise _syntax(f"{name} is text, or a list of texts.")
    return values


def _policy(statements: list[dict[str, Any]], variables: bool) -> Policy:
    parsed = tuple(_statement(each, variables) for each in statements)
    return Policy(parsed, frozenset(key for each in parsed for key in _keys(each)))


def _statement(statement: dict[str, Any], variables: bool) -> Statement:
    actions = _choice(statement, "Action", _texts)
    assert actions is not None
    return Statement(
        statement["Effect"] == "Allow",
        _Choice(tuple(each.lower() for each in actions.patterns), actions.others),
        _choice(statement, "Resource", _texts),
        _choice(statement, "Principal", _principals),
        tuple(_conditions(statement.get("Condition", {}), variables)),
        variables,
    )


def _choice(
    statement: dict[str, Any], name: str, read: Callable[[dict[str, Any], str], list[str]]
) -> _Choice | None:
    for each in (name, f"Not{name}"):
        if each in statement:
            return _Choice(tuple(read(statement, each)), each != name)
    return None


def _principals(statement: dict[str, Any], name: str) -> list[str]:
    """Names of principals; those of services and the like begin with their kind."""
    value = statement[name]
    if value == "*":
        return ["*"]
    if not isinstance(value, dict):
        raise _syntax(f'{name} is "*", or an object.')
    found = []
    for kind in value:
        if kind not in _PRINCIPAL_KINDS:
            raise _syntax(f"{name} has no member {kind!r}.")
        for each in _texts(value, kind):
            if kind != "AWS":
                found.append(f"{kind}:{each}")
            elif _PRINCIPAL.fullmatch(each):
                found.append(each)
            else:
                raise _malformed(f'Invalid principal in policy: "AWS":"{each}"')
    return found


def _conditions(block: dict[str, Any], variables: bool) -> Iterator[Condition]:
    for name, tests in block.items():
        try:
            operator, quantifier, if_exists = parse_operator(name)
        except ValueError:
            raise _syntax(f"There is no condition operator {name}.") from None
        if not isinstance(tests, dict):
            raise _syntax(f"Condition {name} is an object of keys and values.")
        for key, given in tests.items():
            values = tuple(map(_value, given if isinstance(given, list) else [given]))
            try:
                for value in values:
                    check_value(operator, value)
            except ValueError:
                raise _malformed(_LEGACY) from None
            yield Condition(operator, quantifier, if_exists, key.lower(), values, variables)


def _value(value: Any) -> str:
    """A condition's value as text; numbers and booleans may be written as such."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise _syntax("A condition's value is text, a number, true or false, or a list of some.")


def _keys(statement: Statement) -> Iterator[str]:
    texts = list(statement.resources.patterns) if statement.resources else []
    for condition in statement.conditions:
        yield condition.key
        texts += condition.values
    if statement.variables:
        for text in texts:
            yield from variable_keys(text)


def _json(text: str) -> Any:
    if len(text) > MAX_DOCUMENT:
        raise _syntax(f"A policy has at most {MAX_DOCUMENT} characters.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise _syntax("It is nested too deep.") from None
    except ValueError as error:
        raise _syntax(f"It is no JSON: {error}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _malformed(message: str, advice: str = "") -> AwsError:
    return AwsError("MalformedPolicyDocument", message, advice)


def _syntax(advice: str) -> AwsError:
    """IAM says no more than that; ``advice`` says what was wrong."""
    return _malformed("Syntax errors in policy.", advice)
