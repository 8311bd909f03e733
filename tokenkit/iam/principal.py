"""Who makes a request, and what policies may ask about it.

IAM user guide, "AWS global condition context keys".
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tokenkit.iam.moments import iso
from tokenkit.iam.policy_patterns import Context
from tokenkit.verifier import ROOT, Role, User
from tokenkit.verifier.names import ACCOUNT_ID, role_arn, user_arn
from tokenkit.verifier.sessions import Session


@dataclass(frozen=True)
class Principal:
    """A user, root, or whoever assumed a role. Times in seconds by the service's clock.

    ``mfa_s`` is when a code was accepted for the temporary credentials, None without one.
    ``policies`` are the documents that say what it may do, where they are known already.
    """

    arn: str
    user_id: str
    user: str | None
    role: str | None = None
    is_temporary: bool = False
    mfa_s: float | None = None
    issued_s: float | None = None
    path: str = "/"
    session_policy: str | None = field(default=None, repr=False)
    policies: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def is_root(self) -> bool:
        return self.user == ROOT

    @property
    def arn_of_user(self) -> str:
        """That of the user, or of the role that was assumed: aws:PrincipalArn."""
        if self.role is not None:
            return role_arn(self.role, self.path)
        return self.arn

    @property
    def names(self) -> frozenset[str]:
        """What trust policies may call it, the account aside."""
        return frozenset({self.arn, self.arn_of_user})


ACCOUNT_NAMES = frozenset({ACCOUNT_ID, user_arn(ROOT)})


def user_principal(
    user: User, session: Session | None = None, policies: Iterable[str] | None = None
) -> Principal:
    """A user with an access key, or with temporary credentials."""
    if session is None:
        known = None if policies is None else tuple(policies)
        return Principal(user.arn, user.id, user.name, path=user.path, policies=known)
    return Principal(
        user.arn,
        user.id,
        user.name,
        is_temporary=True,
        mfa_s=session.mfa_s,
        issued_s=session.issued_s,
        path=user.path,
        session_policy=session.policy,
    )


def role_principal(role: Role, session: Session) -> Principal:
    """Whoever assumed ``role``. A code that was given opened the role, and says no more: IAM user
    guide, "Secure API access with MFA".
    """
    return Principal(
        f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role.name}/{session.name}",
        f"{role.id}:{session.name}",
        None,
        role=role.name,
        is_temporary=True,
        issued_s=session.issued_s,
        path=role.path,
        session_policy=session.policy,
    )


def console_principal(user: User, signed_in_s: float, mfa_s: float | None) -> Principal:
    """A user at the console, whose credentials are temporary, too."""
    return Principal(
        user.arn,
        user.id,
        user.name,
        is_temporary=True,
        mfa_s=mfa_s,
        issued_s=signed_in_s,
        path=user.path,
    )


def context_of(principal: Principal, now_s: float) -> Context:
    """The context keys that follow from who asks and when, in lower case.

    aws:MultiFactorAuthPresent is absent for long-term keys, true or false for temporary ones.
    """
    found = {
        "aws:userid": principal.user_id,
        "aws:principalarn": principal.arn_of_user,
        "aws:principalaccount": ACCOUNT_ID,
        "aws:principaltype": _kind(principal),
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:currenttime": iso(now_s),
        "aws:epochtime": str(int(now_s)),
    }
    if principal.user is not None and not principal.is_root:
        found["aws:username"] = principal.user
    if principal.is_temporary:
        found["aws:multifactorauthpresent"] = "false" if principal.mfa_s is None else "true"
        if principal.issued_s is not None:
            found["aws:tokenissuetime"] = iso(principal.issued_s)
    if principal.mfa_s is not None:
        found["aws:multifactorauthage"] = str(max(0, int(now_s - principal.mfa_s)))
    return {key: (value,) for key, value in found.items()}


def _kind(principal: Principal) -> str:
    if principal.is_root:
        return "Account"
    return "User" if principal.role is None else "AssumedRole"
