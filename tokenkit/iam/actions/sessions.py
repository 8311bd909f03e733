"""STS: temporary credentials, and who one is."""

import re
from typing import Any

from tokenkit.iam.authorisation import may_assume
from tokenkit.iam.call import Actions, Call, action
from tokenkit.iam.errors import AwsError
from tokenkit.iam.policy_document import parse_policy
from tokenkit.verifier import InvalidAuthenticationCode, Locked, NoSuchEntity, Role, Throttled
from tokenkit.verifier.names import ACCOUNT_ID
from tokenkit.verifier.sessions import TemporaryCredentials

ACTIONS: Actions = {}
_SESSION_S = 43_200
_ROOT_SESSION_S = 3_600  # at most, and by default
_ROLE_SESSION_S = 3_600
_CHAINED_SESSION_S = 3_600  # at most, where a role assumes a role
_MAX_SESSION_POLICY = 2_048  # characters: STS
_ROLE_ARN = re.compile(rf"arn:aws:iam::{ACCOUNT_ID}:role(/.*)?/([^/]+)", re.ASCII)


@action(ACTIONS, "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    return {
        "UserId": call.principal.user_id,
        "Account": ACCOUNT_ID,
        "Arn": call.principal.arn,
    }


@action(ACTIONS, "GetSessionToken", without=["MinimumSessionTokenSize"])
def get_session_token(call: Call) -> dict[str, Any]:
    user = call.principal.user
    if user is None or call.principal.is_temporary:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials")
    mfa_s = _check_code(call)
    most_s = _ROOT_SESSION_S if call.principal.is_root else _SESSION_S
    duration_s = call.given("DurationSeconds", most_s)
    if call.principal.is_root:
        duration_s = min(duration_s, _ROOT_SESSION_S)
    made = call.verifier.issue_session(call.verifier.user(user), duration_s, mfa_s)
    return {"Credentials": _credentials(call, made)}


@action(
    ACTIONS,
    "AssumeRole",
    lambda call: str(call.given("RoleArn")),
    without=[
        "MinimumSessionTokenSize",
        "PolicyArns",
        "ProvidedContexts",
        "SourceIdentity",
        "Tags",
        "TransitiveTagKeys",
    ],
)
def assume_role(call: Call) -> dict[str, Any]:
    arn, name = call.given("RoleArn"), call.given("RoleSessionName")
    if call.principal.is_root:
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.")
    policy = call.given("Policy")
    if policy is not None:
        if len(policy) > _MAX_SESSION_POLICY:
            raise AwsError(
                "PackedPolicyTooLarge", f"A session policy has {_MAX_SESSION_POLICY} characters."
            )
        parse_policy(policy)
    role = _role(call, arn)
    most_s = _CHAINED_SESSION_S
    if role is not None and call.principal.role is None:
        most_s = role.max_session_s
    duration_s = call.given("DurationSeconds", _ROLE_SESSION_S)
    if role is not None and duration_s > most_s:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    mfa_s = _check_code(call)  # last of what is wrong with a request: it uses the code up
    if role is None or not may_assume(call.service, call.principal, role, mfa_s, _said(call)):
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource:"
            f" {arn}",
            "There is no such role."
            if role is None
            else "The role's trust policy does not allow it.",
        )
    made = call.verifier.issue_session(role, duration_s, mfa_s, name=name, policy=policy)
    return {
        "Credentials": _credentials(call, made),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{name}",
            "Arn": f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role.name}/{name}",
        },
        "PackedPolicySize": None if policy is None else min(100, 1 + len(policy) // 100),
    }


def _said(call: Call) -> dict[str, str]:
    """What trust policies may ask about the request."""
    said = {**call.more, "sts:RoleSessionName": call.given("RoleSessionName")}
    if (external_id := call.given("ExternalId")) is not None:
        said["sts:ExternalId"] = external_id
    return said


def _check_code(call: Call) -> float | None:
    """When the code was accepted, None if none was given; AccessDenied, as STS words it."""
    serial_number, code = call.given("SerialNumber"), call.given("TokenCode")
    if serial_number is None and code is None:
        return None
    if serial_number is None or code is None or call.principal.user is None:
        raise AwsError(
            "AccessDenied",
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time"
            " pass code.",
        )
    try:
        return call.verifier.sign_in(call.principal.user, code, serial_number=serial_number).at_s
    except NoSuchEntity as error:
        raise AwsError(
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA"
            " serial number is valid and associated with this user.",
            str(error),
        ) from error
    except (InvalidAuthenticationCode, Throttled, Locked) as error:
        raise AwsError(
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            str(error),
        ) from error


def _role(call: Call, arn: str) -> Role | None:
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        return None
    try:
        role = call.verifier.role(match[2])
    except NoSuchEntity:
        return None
    return role if role.arn == arn else None


def _credentials(call: Call, made: TemporaryCredentials) -> dict[str, Any]:
    """What a client keeps; it compares the expiration with the computer's clock."""
    ahead_s = call.service.clock.now() - call.service.computer_now()
    return {
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret,
        "SessionToken": made.token,
        "Expiration": made.expires_s - ahead_s,
    }
