"""Who may do what: policies, put to the question.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Callable
from functools import cache
from importlib import resources

from tokenkit.iam.errors import AwsError
from tokenkit.iam.policy_document import (
    Decision,
    Policy,
    decide,
    parse_policy,
    parse_trust_policy,
)
from tokenkit.iam.principal import Principal
from tokenkit.service import Service
from tokenkit.verifier import Role
from tokenkit.verifier.names import ACCOUNT_ID

# AWS's documentation: no policy is needed for these; GetSessionToken can be denied
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
_ASSUME = "sts:AssumeRole"


def demand(
    service: Service, principal: Principal, action: str, resource: Callable[[], str]
) -> None:
    """AwsError AccessDenied, in AWS's words, unless ``principal`` may do ``action``.

    ``resource`` gives the ARN of what it is done to, and is asked only where a policy decides.
    AssumeRole is left to :func:`may_assume`.
    """
    if principal.is_root or action in ("sts:GetCallerIdentity", _ASSUME):
        return
    named = resource()
    decision = _decision(service, principal, action, named)
    if decision is Decision.ALLOWED or (decision is Decision.NOTHING and action in _FREE):
        return
    why = (
        "with an explicit deny in an identity-based policy"
        if decision is Decision.DENIED
        else f"because no identity-based policy allows the {action} action"
    )
    raise AwsError(
        "AccessDenied",
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {named} {why}",
    )


def may(service: Service, principal: Principal, action: str, resource: str = "*") -> bool:
    """Whether ``principal`` may do ``action`` (as iam:ListUsers) to ``resource``, an ARN."""
    if principal.is_root:
        return True
    return _decision(service, principal, action, resource) is Decision.ALLOWED


def may_assume(
    service: Service,
    principal: Principal,
    role: Role,
    mfa_s: float | None,
    session_name: str,
    external_id: str | None,
) -> bool:
    """Whether a role's trust policy lets ``principal`` in, after a code at ``mfa_s`` if any.

    One that names the account leaves it to the principal's own policies; one that names the
    principal itself is enough. A deny in either is a no.
    """
    asking = principal.with_mfa(mfa_s)
    context = asking.context(service.clock.now())
    context["sts:rolesessionname"] = session_name
    if external_id is not None:
        context["sts:externalid"] = external_id
    trust = parse_trust_policy(role.trust_policy)
    own = _decision(service, asking, _ASSUME, role.arn)
    if own is Decision.DENIED:
        return False
    by_name = _trust(trust, lambda each: each in ("*", principal.arn))
    by_account = _trust(trust, lambda each: each in _ACCOUNT)
    decisions = [decide([part], _ASSUME, role.arn, context) for part in (by_name, by_account)]
    if Decision.DENIED in decisions:
        return False
    if decisions[0] is Decision.ALLOWED:
        return True
    return decisions[1] is Decision.ALLOWED and own is Decision.ALLOWED


_ACCOUNT = (ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root")


def _trust(policy: Policy, is_meant: Callable[[str], bool]) -> Policy:
    """The statements of a trust policy that mean a principal."""
    return Policy(tuple(each for each in policy.statements if any(map(is_meant, each.principals))))


def _decision(service: Service, principal: Principal, action: str, resource: str) -> Decision:
    context = principal.context(service.clock.now())
    documents = [parse_policy(text) for text in principal.policies]
    if not documents and principal.role is None:
        documents = [self_service()]
    found = decide(documents, action, resource, context)
    if principal.session_policy is None or found is Decision.DENIED:
        return found
    session = decide([parse_policy(principal.session_policy)], action, resource, context)
    return session if found is Decision.ALLOWED else found


@cache
def self_service() -> Policy:
    """What a user without any policy may do: look after himself, as AWS's documentation has it."""
    return parse_policy(
        resources.files("tokenkit.iam").joinpath("self_service.json").read_text("utf-8")
    )
