"""Who makes a request, and what policies can ask of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tokenkit.verifier import ROOT, Role, User
from tokenkit.verifier.names import ACCOUNT_ID
from tokenkit.verifier.sessions import Session


@dataclass(frozen=True)
class Principal:
    """A user, root among them, or whoever assumed a role.

    policies: the documents that say what it may do, as text; session_policy takes away from them.
    mfa_s: when a code or a security key was accepted, by the service's clock.
    issued_s: when temporary credentials were issued; None for an access key or a person at the
        console.
    """

    arn: str
    user_id: str
    user: str | None
    role: str | None = None
    policies: tuple[str, ...] = field(default=(), repr=False)
    session_policy: str | None = field(default=None, repr=False)
    mfa_s: float | None = None
    issued_s: float | None = None
    source_ip: str = "127.0.0.1"

    @property
    def is_root(self) -> bool:
        return self.user == ROOT

    @property
    def is_temporary(self) -> bool:
        return self.issued_s is not None

    def with_mfa(self, mfa_s: float | None) -> "Principal":
        """After a code was accepted at ``mfa_s``, as one of temporary credentials."""
        if mfa_s is None:
            return self
        issued_s = mfa_s if self.issued_s is None else self.issued_s
        return replace(self, mfa_s=mfa_s, issued_s=issued_s)

    def context(self, now_s: float) -> dict[str, str | list[str]]:
        """The global condition keys, in lower case.

        ``aws:MultiFactorAuthPresent`` is absent for access keys, and true or false for temporary
        credentials, as AWS documents it.
        """
        found: dict[str, str | list[str]] = {
            "aws:currenttime": datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:epochtime": str(int(now_s // 1)),
            "aws:principalaccount": ACCOUNT_ID,
            "aws:principalarn": self.arn,
            "aws:principaltype": _TYPES.get(self.user, "User")
            if self.role is None
            else "AssumedRole",
            "aws:securetransport": "false",
            "aws:sourceip": self.source_ip,
            "aws:userid": self.user_id,
        }
        if self.user is not None and not self.is_root:
            found["aws:username"] = self.user
        if self.issued_s is not None:
            found["aws:multifactorauthpresent"] = "false" if self.mfa_s is None else "true"
            found["aws:tokenissuetime"] = datetime.fromtimestamp(self.issued_s, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
        if self.mfa_s is not None:
            found["aws:multifactorauthage"] = str(max(0, int((now_s - self.mfa_s) // 1)))
        return found


_TYPES: dict[str | None, str] = {ROOT: "Account"}


def of_user(
    user: User,
    policies: Iterable[str],
    *,
    session: Session | None = None,
    mfa_s: float | None = None,
    source_ip: str = "127.0.0.1",
) -> Principal:
    """A user by an access key, by a ``session`` that it began, or at the console."""
    return Principal(
        arn=user.arn,
        user_id=user.id,
        user=user.name,
        policies=tuple(policies),
        mfa_s=mfa_s if session is None else session.mfa_s,
        issued_s=None if session is None else session.issued_s,
        source_ip=source_ip,
    )


def of_role_session(
    role: Role, policies: Iterable[str], session: Session, *, source_ip: str = "127.0.0.1"
) -> Principal:
    """Whoever assumed ``role``. The code that was given for it opened the role, and no more."""
    return Principal(
        arn=f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role.name}/{session.name}",
        user_id=f"{role.id}:{session.name}",
        user=None,
        role=role.name,
        policies=tuple(policies),
        session_policy=session.policy,
        mfa_s=None,
        issued_s=session.issued_s,
        source_ip=source_ip,
    )
