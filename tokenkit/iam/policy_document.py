"""Policy documents: IAM's JSON, read and evaluated. Nothing is looked up in here.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html: its grammar, its
elements, its condition operators, and its evaluation logic.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from tokenkit.iam.conditions import Condition, Context, holds, read_conditions
from tokenkit.iam.errors import AwsError
from tokenkit.iam.patterns import Pattern, read_pattern

_VERSIONS = ("2012-10-17", "2008-10-17")
_MEMBERS = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "Condition",
}


class Decision(Enum):
    """What policies say of a request: an explicit deny is above an allow."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOTHING = "not allowed"


@dataclass(frozen=True)
class Statement:
    """``principals`` is for trust policies: ARNs, account numbers and "*"."""

    allows: bool
    actions: tuple[Pattern, ...]
    not_actions: bool
    resources: tuple[Pattern, ...]
    not_resources: bool
    principals: tuple[str, ...]
    conditions: tuple[Condition, ...]

    def applies(self, action: str, resource: str, context: Context) -> bool:
        """Whether it speaks of such a request."""
        is_action = any(each.matches(action.lower(), {}) for each in self.actions)
        if is_action == self.not_actions:
            return False
        if self.resources:
            is_resource = any(each.matches(resource, context) for each in self.resources)
            if is_resource == self.not_resources:
                return False
        return all(holds(condition, context) for condition in self.conditions)


@dataclass(frozen=True)
class Policy:
    statements: tuple[Statement, ...]


@lru_cache(maxsize=512)
def parse_policy(text: str) -> Policy:
    """An identity-based policy; MalformedPolicyDocument says what is wrong."""
    return _policy(text, is_trust=False)


@lru_cache(maxsize=512)
def parse_trust_policy(text: str) -> Policy:
    """A role's trust policy, which names principals and no resources."""
    return _policy(text, is_trust=True)


def decide(policies: Iterable[Policy], action: str, resource: str, context: Context) -> Decision:
    """What ``policies`` together say of ``action`` (as iam:GetUser) on ``resource`` (an ARN)."""
    found = Decision.NOTHING
    for policy in policies:
        for statement in policy.statements:
            if statement.applies(action, resource, context):
                if not statement.allows:
                    return Decision.DENIED
                found = Decision.ALLOWED
    return found


def _policy(text: str, *, is_trust: bool) -> Policy:
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _malformed("Syntax errors in policy.") from None
    _demand(isinstance(document, dict), "Syntax errors in policy.")
    _no_others(document, _MEMBERS)
    version = document.get("Version", _VERSIONS[1])
    _demand(version in _VERSIONS, "The policy has an unknown Version: write 2012-10-17.")
    _demand("Statement" in document, "Policy document must contain a Statement.")
    given = document["Statement"]
    statements = given if isinstance(given, list) else [given]
    _demand(bool(statements), "Policy document must contain a Statement.")
    variables = version == _VERSIONS[0]
    return Policy(tuple(_statement(each, is_trust, variables) for each in statements))


def _statement(given: Any, is_trust: bool, variables: bool) -> Statement:
    _demand(isinstance(given, dict), "A statement is an object.")
    _no_others(given, _STATEMENT)
    _demand(isinstance(given.get("Sid", ""), str), "Sid is text.")
    effect = given.get("Effect")
    _demand(effect in ("Allow", "Deny"), "Effect is Allow or Deny.")
    _demand(("Action" in given) != ("NotAction" in given), "Policy statement must contain actions.")
    actions = _texts(given.get("Action", given.get("NotAction")), "Action")
    for action in actions:
        _demand(
            action == "*" or ":" in action,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        )
    if is_trust:
        _demand(not given.keys() & {"Resource", "NotResource"}, "Has prohibited field Resource")
        _demand("Principal" in given, "Policy statement must contain a Principal.")
    else:
        _demand("Principal" not in given, "Policy document should not specify a principal.")
        _demand(
            ("Resource" in given) != ("NotResource" in given),
            "Policy statement must contain resources.",
        )
    named = given.get("Resource", given.get("NotResource"))
    resources = [] if is_trust else _texts(named, "Resource")
    for resource in resources:
        _demand(
            resource == "*" or resource.startswith(("arn:", "*", "${")),
            f'Resource {resource[:100]} must be in ARN format or "*".',
        )
    return Statement(
        allows=effect == "Allow",
        actions=tuple(read_pattern(each.lower(), variables=False) for each in actions),
        not_actions="NotAction" in given,
        resources=tuple(read_pattern(each, variables=variables) for each in resources),
        not_resources="NotResource" in given,
        principals=_principals(given["Principal"]) if is_trust else (),
        conditions=tuple(read_conditions(given.get("Condition", {}), variables)),
    )


def _principals(given: Any) -> tuple[str, ...]:
    """Those under AWS; other kinds (services, identity providers) are read, and match nobody."""
    if given == "*":
        return ("*",)
    _demand(isinstance(given, dict) and bool(given), 'Principal is "*" or an object.')
    _no_others(given, {"AWS", "Service", "Federated", "CanonicalUser"})
    found = {kind: _texts(value, "Principal") for kind, value in given.items()}
    return tuple(found.get("AWS", ()))


def _texts(given: Any, what: str) -> list[str]:
    texts = given if isinstance(given, list) else [given]
    _demand(
        bool(texts) and all(isinstance(each, str) and each for each in texts),
        f"{what} is text, or a list of texts.",
    )
    return texts


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no_others(given: Mapping[str, Any], known: set[str]) -> None:
    others = sorted(given.keys() - known)
    _demand(not others, f"Unknown member {', '.join(others)[:100]} in the policy.")


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise _malformed(message)


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)
