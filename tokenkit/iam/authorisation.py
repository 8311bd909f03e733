"""Whether a principal may do what it asks: IAM's evaluation within one account.

IAM user guide, "Policy evaluation logic". Root may everything. Else an explicit deny wins, then an
allow, and what nobody allows is denied; a session policy only takes away.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from tokenkit.iam.errors import AwsError
from tokenkit.iam.policy_document import (
    Policy,
    Request,
    parse_policy,
    parse_trust_policy,
    verdict,
)
from tokenkit.iam.principal import ACCOUNT_NAMES, Principal, context_of
from tokenkit.service import Service
from tokenkit.verifier import Role

# STS lets everybody: "you cannot use policies to control authentication operations"; and whether a
# role may be assumed is said by its trust policy as well, see may_assume
_NOT_ASKED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken", "sts:AssumeRole"})
_DENY_ALL = '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}'
# what is left without MFA where AccountPolicy demands it, beside assigning a first device: IAM user
# guide, "AWS: Allows MFA-authenticated IAM users to manage their own credentials"
_WITHOUT_MFA = frozenset(
    {
        "iam:GetMFADevice",
        "iam:GetUser",
        "iam:ListMFADevices",
        "iam:ListVirtualMFADevices",
        "sts:AssumeRole",  # see may_assume
        "sts:GetCallerIdentity",
        "sts:GetSessionToken",
    }
)
_TAGS = "aws:principaltag/"


@dataclass(frozen=True)
class Decision:
    """``why`` completes AWS's sentence "User: ARN is not authorized to perform: …"."""

    allowed: bool
    why: str = ""


def authorise(
    service: Service,
    principal: Principal,
    action: str,
    resource: str,
    more: Mapping[str, str] | None = None,
) -> Decision:
    """Ask the policies of ``principal``, and its session's, about an action such as iam:GetUser.

    ``more`` are context keys that only the request knows, such as aws:SourceIp.
    """
    if principal.is_root:
        return Decision(True)
    policies = _policies(service, principal)
    session = _session_policies(principal)
    request = _request(service, principal, action, resource, [*policies, *session], more)
    return _decide(request, policies, session)


def may(service: Service, principal: Principal, action: str, resource: str = "*") -> bool:
    """Whether :func:`authorise` allows it."""
    return authorise(service, principal, action, resource).allowed


def demand(
    service: Service,
    principal: Principal,
    action: str,
    resource: Callable[[], str],
    more: Mapping[str, str] | None = None,
) -> None:
    """AwsError AccessDenied, in AWS's words, unless it is allowed; ``resource`` as it is needed."""
    if _lacks_mfa(service, principal) and action not in _WITHOUT_MFA:
        on = resource()
        if not _is_first_device(service, principal, action, on):
            raise AwsError(
                "AccessDenied",
                f"User: {principal.arn} is not authorized to perform: {action} on resource: {on}"
                " with an explicit deny in an identity-based policy",
                "The account demands MFA: call GetSessionToken with a code.",
            )
    if principal.is_root or action in _NOT_ASKED:
        return
    on = resource()
    decision = authorise(service, principal, action, on, more)
    if not decision.allowed:
        raise AwsError(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: {action} on resource: {on}"
            f" {decision.why}",
        )


def may_assume(
    service: Service,
    principal: Principal,
    role: Role,
    mfa_s: float | None,
    more: Mapping[str, str],
) -> bool:
    """Whether ``principal`` may assume ``role``, with a code accepted at ``mfa_s``, if any.

    A trust policy that names the caller is enough; one that names the role that the caller has is,
    as far as a session policy allows. One that names the account leaves it to the caller's own
    policies. Root assumes no roles. ``more`` is as for :func:`authorise`.
    """
    if principal.is_root:
        return False
    if mfa_s is not None:
        principal = replace(principal, is_temporary=True, mfa_s=mfa_s)
    if _lacks_mfa(service, principal):
        return False
    try:
        trust = parse_trust_policy(role.trust_policy)
    except AwsError:  # nobody checked it when it was stored
        return False
    policies = _policies(service, principal)
    session = _session_policies(principal)
    asked = [trust, *policies, *session]
    request = _request(service, principal, "sts:AssumeRole", role.arn, asked, more)
    by_account = replace(request, principals=principal.names | ACCOUNT_NAMES)
    if verdict([trust], by_account) != "allow":
        return False
    if verdict(policies, request) == "deny" or verdict(session, request) == "deny":
        return False
    if trust.allows(replace(request, principals=frozenset({principal.arn}))):
        return True
    if trust.allows(replace(request, principals=principal.names)):
        return not session or verdict(session, request) == "allow"
    return _decide(request, policies, session).allowed


def _lacks_mfa(service: Service, principal: Principal) -> bool:
    """Whether the account demands MFA of a user who has shown none."""
    user = principal.user
    return (
        user is not None and principal.mfa_s is None and service.verifier.account.requires_mfa(user)
    )


def _is_first_device(service: Service, principal: Principal, action: str, on: str) -> bool:
    """Whether it is done to assign the own first device, which nobody can show before."""
    assert principal.user is not None
    is_own = action == "iam:EnableMFADevice" and on == principal.arn
    if not (is_own or action == "iam:CreateVirtualMFADevice"):
        return False
    return not service.verifier.devices(principal.user)


def _decide(request: Request, policies: list[Policy], session: list[Policy]) -> Decision:
    by_identity, by_session = verdict(policies, request), verdict(session, request)
    for kind, found in (("an identity-based", by_identity), ("a session", by_session)):
        if found == "deny":
            return Decision(False, f"with an explicit deny in {kind} policy")
    if by_identity != "allow":
        return _nobody("identity-based", request)
    if session and by_session != "allow":
        return _nobody("session", request)
    return Decision(True)


def _nobody(kind: str, request: Request) -> Decision:
    return Decision(False, f"because no {kind} policy allows the {request.action} action")


def _request(
    service: Service,
    principal: Principal,
    action: str,
    resource: str,
    policies: list[Policy],
    more: Mapping[str, str] | None,
) -> Request:
    context = dict(context_of(principal, service.clock.now()))
    if any(key.startswith(_TAGS) for policy in policies for key in policy.keys):
        tags = service.verifier.tags(principal.arn_of_user)
        context |= {_TAGS + key.lower(): (value,) for key, value in tags.items()}
    context |= {key.lower(): (value,) for key, value in (more or {}).items()}
    return Request(action, resource, context)


def _policies(service: Service, principal: Principal) -> list[Policy]:
    documents = principal.policies
    if principal.role is not None:
        documents = tuple(service.verifier.role_policies(principal.role).values())
    elif documents is None:
        assert principal.user is not None
        documents = tuple(service.verifier.user_policies(principal.user).values())
    if not documents and principal.role is None:
        return [_self_service()]
    return _parsed(documents)


def _session_policies(principal: Principal) -> list[Policy]:
    return [] if principal.session_policy is None else _parsed([principal.session_policy])


def _parsed(documents: Iterable[str]) -> list[Policy]:
    """Documents that were stored; one that is none, since nobody checked it, denies everything."""
    try:
        return [parse_policy(document) for document in documents]
    except AwsError:
        return [parse_policy(_DENY_ALL)]


@cache
def _self_service() -> Policy:
    """What users may who have no policy at all."""
    return parse_policy((files("tokenkit.iam") / "self_service.json").read_text("utf-8"))
