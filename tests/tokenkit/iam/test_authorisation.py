"""Who may do what: users, root, sessions and roles, and in which words others are refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.iam.authorisation import authorise, demand, may, may_assume
from tokenkit.iam.errors import AwsError
from tokenkit.iam.principal import (
    Principal,
    console_principal,
    context_of,
    role_principal,
    user_principal,
)
from tokenkit.service import Service
from tokenkit.verifier import Role, Verifier
from tokenkit.verifier.sessions import Session
from tokenkit.virtual import World

ACCOUNT = "arn:aws:iam::123456789012"
ANN, ROLE = f"{ACCOUNT}:user/staff/ann", f"{ACCOUNT}:role/admin"
DENY_WITHOUT_MFA = {
    "Effect": "Deny",
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
}
SELF_SERVICE = [
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:GetMFADevice",
    "iam:EnableMFADevice",
    "iam:ResyncMFADevice",
    "iam:DeactivateMFADevice",
    "iam:CreateAccessKey",
    "iam:ListAccessKeys",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:UpdateLoginProfile",
]


def document(*statements: dict[str, Any]) -> str:
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


def trusting(principal: Any, **condition: Any) -> str:
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Statement": {**allowed, "Condition": condition}})


class Office:
    """A service where ann works, on a clock that stands still."""

    def __init__(self) -> None:
        self.world = World(seed=1)
        self.verifier = Verifier(
            now=self.world.clock.now, random_bytes=self.world.child_entropy("verifier").bytes
        )
        self.service = Service(self.verifier, self.world)
        self.verifier.create_user("ann", path="/staff/", tags={"Team": "red"})

    @property
    def now_s(self) -> float:
        return self.world.clock.now()

    def allow(self, *statements: dict[str, Any], name: str = "p") -> None:
        self.verifier.put_user_policy("ann", name, document(*statements))

    def ann(self, **session: Any) -> Principal:
        """With an access key, or in a session."""
        user = self.verifier.user("ann")
        return user_principal(user, self.session(user="ann", **session) if session else None)

    def admin(self, **session: Any) -> Principal:
        """Somebody in the role admin, which is made."""
        return role_principal(self.role(), self.session(role="admin", name="work", **session))

    def role(self, trust: Any = "*", **condition: Any) -> Role:
        if "admin" not in [role.name for role in self.verifier.roles()]:
            self.verifier.create_role("admin", trusting(trust, **condition))
        return self.verifier.role("admin")

    def session(self, **members: Any) -> Session:
        given = {"issued_s": self.now_s, "expires_s": self.now_s + 3600, "mfa_s": None, **members}
        return Session(secret="", holder="", **given)

    def refusal(
        self, principal: Principal, action: str, resource: str = "*", **more: Any
    ) -> str | None:
        """What AWS's clients are told; None if it is allowed."""
        try:
            demand(self.service, principal, action, lambda: resource, **more)
        except AwsError as error:
            assert_that_it_is_a_refusal(error)
            return error.message
        return None


def assert_that_it_is_a_refusal(error: AwsError) -> None:
    assert error.code == "AccessDenied"


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    yield office
    office.verifier.close()


class TestUsers:
    def test_nobody_allows(self, office: Office) -> None:
        office.allow({"Action": "iam:GetUser"})
        assert office.refusal(office.ann(), "iam:GetUser", ANN) is None
        assert office.refusal(office.ann(), "iam:ListUsers") == (
            f"User: {ANN} is not authorized to perform: iam:ListUsers on resource: *"
            " because no identity-based policy allows the iam:ListUsers action"
        )

    def test_somebody_denies(self, office: Office) -> None:
        office.allow({}, name="a")
        office.allow({"Effect": "Deny", "Action": "iam:List*"}, name="b")
        assert office.refusal(office.ann(), "iam:ListUsers") == (
            f"User: {ANN} is not authorized to perform: iam:ListUsers on resource: *"
            " with an explicit deny in an identity-based policy"
        )
        assert may(office.service, office.ann(), "iam:GetUser", ANN)

    def test_what_sts_gives_everybody(self, office: Office) -> None:
        office.allow({"Effect": "Deny"})
        for action in ("sts:GetCallerIdentity", "sts:GetSessionToken"):
            assert office.refusal(office.ann(), action) is None

    def test_the_resource_is_asked_for_only_where_it_matters(self, office: Office) -> None:
        def resource() -> str:
            raise LookupError

        root = user_principal(office.verifier.user("root"))
        demand(office.service, root, "iam:GetUser", resource)
        with pytest.raises(LookupError):
            demand(office.service, office.ann(), "iam:GetUser", resource)

    def test_tags_of_the_caller(self, office: Office) -> None:
        condition = {"StringEquals": {"aws:PrincipalTag/Team": "red"}}
        office.allow({"Condition": condition})
        assert may(office.service, office.ann(), "iam:ListUsers")
        office.allow({"Resource": "arn:x/${aws:PrincipalTag/team}"})
        assert may(office.service, office.ann(), "iam:X", "arn:x/red")
        assert not may(office.service, office.ann(), "iam:X", "arn:x/blue")

    def test_what_only_the_request_knows(self, office: Office) -> None:
        office.allow({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})
        for address, allowed in (("10.0.0.1", True), ("192.168.0.1", False)):
            more = {"aws:SourceIp": address}
            assert authorise(office.service, office.ann(), "iam:X", "*", more).allowed == allowed
        assert not may(office.service, office.ann(), "iam:X")

    def test_until_a_date(self, office: Office) -> None:
        end = context_of(office.ann(), office.now_s + 60)["aws:currenttime"]
        office.allow({"Condition": {"DateLessThan": {"aws:CurrentTime": end}}})
        assert may(office.service, office.ann(), "iam:X")
        office.service.clock.advance(60)
        assert not may(office.service, office.ann(), "iam:X")

    def test_a_document_that_is_none_denies(self, office: Office) -> None:
        """The verifier keeps any text: what nobody can read must not be passed over."""
        office.allow({})
        office.verifier.put_user_policy("ann", "broken", "{")
        assert not may(office.service, office.ann(), "iam:ListUsers")
        office.verifier.create_role("broken", "{")
        assert not may_assume(
            office.service, office.ann(), office.verifier.role("broken"), None, {}
        )
        office.verifier.delete_user_policy("ann", "broken")
        assert may(office.service, office.ann(), "iam:ListUsers")


class TestWithoutAnyPolicy:
    @pytest.mark.parametrize("action", SELF_SERVICE)
    @pytest.mark.parametrize("path", ["/", "/staff/", "/a/b/"])
    def test_users_look_after_themselves(self, office: Office, action: str, path: str) -> None:
        office.verifier.create_user("eve", path=path)
        eve = user_principal(office.verifier.user("eve"))
        assert may(office.service, eve, action, eve.arn)
        for other in (ANN, f"{ACCOUNT}:root", f"{ACCOUNT}:user/steve", f"{ACCOUNT}:user/eve/ann"):
            assert not may(office.service, eve, action, other)

    def test_the_account_and_devices(self, office: Office) -> None:
        for action, resource in (
            ("iam:ListVirtualMFADevices", "*"),
            ("iam:GetAccountSummary", "*"),
            ("iam:CreateVirtualMFADevice", f"{ACCOUNT}:mfa/phone"),
            ("iam:DeleteVirtualMFADevice", f"{ACCOUNT}:mfa/phone"),
        ):
            assert may(office.service, office.ann(), action, resource)

    @pytest.mark.parametrize(
        "action",
        [
            "iam:ListUsers",
            "iam:CreateUser",
            "iam:PutUserPolicy",
            "iam:DeleteUser",
            "iam:CreateRole",
        ],
    )
    def test_and_nothing_else(self, office: Office, action: str) -> None:
        for resource in ("*", ANN, ROLE):
            assert not may(office.service, office.ann(), action, resource)

    def test_any_policy_takes_its_place(self, office: Office) -> None:
        office.allow({"Action": "iam:ListUsers"})
        assert not may(office.service, office.ann(), "iam:GetUser", ANN)
        office.verifier.delete_user_policy("ann", "p")
        assert may(office.service, office.ann(), "iam:GetUser", ANN)

    def test_a_role_may_nothing(self, office: Office) -> None:
        admin = office.admin()
        for action in SELF_SERVICE:
            assert not may(office.service, admin, action, ROLE)


class TestRoot:
    def test_may_everything(self, office: Office) -> None:
        root = user_principal(office.verifier.user("root"))
        office.verifier.put_user_policy("root", "p", document({"Effect": "Deny"}))
        assert may(office.service, root, "iam:DeleteUser", ANN)
        assert office.refusal(root, "iam:DeleteUser", ANN) is None

    def test_assumes_no_roles(self, office: Office) -> None:
        root = user_principal(office.verifier.user("root"))
        assert not may_assume(office.service, root, office.role(), None, {})


class TestMfa:
    def test_deny_unless_present(self, office: Office) -> None:
        office.allow({}, DENY_WITHOUT_MFA)
        assert not may(office.service, office.ann(), "iam:X")
        assert not may(office.service, office.ann(mfa_s=None), "iam:X")
        assert may(office.service, office.ann(mfa_s=office.now_s), "iam:X")

    def test_its_age(self, office: Office) -> None:
        recently = {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
        office.allow({"Condition": recently})
        session = office.ann(mfa_s=office.now_s)
        office.service.clock.advance(3599)
        assert may(office.service, session, "iam:X")
        office.service.clock.advance(1)
        assert not may(office.service, session, "iam:X")
        assert not may(office.service, office.ann(), "iam:X")

    def test_at_the_console(self, office: Office) -> None:
        office.allow({}, DENY_WITHOUT_MFA)
        user = office.verifier.user("ann")
        for mfa_s, allowed in ((None, False), (office.now_s, True)):
            principal = console_principal(user, office.now_s, mfa_s)
            assert may(office.service, principal, "iam:ListUsers") == allowed


class TestSessions:
    def test_a_session_policy_only_takes_away(self, office: Office) -> None:
        office.role()
        office.verifier.put_role_policy("admin", "p", document({"Action": "iam:Get*"}))
        only = document({"Action": ["iam:GetUser", "iam:ListUsers"]})
        admin = office.admin(policy=only)
        assert may(office.service, admin, "iam:GetUser")
        assert not may(office.service, admin, "iam:ListUsers")
        message = office.refusal(admin, "iam:GetRole") or ""
        assert message.startswith(f"User: {admin.arn} is not authorized")
        assert message.endswith("because no session policy allows the iam:GetRole action")

    def test_a_session_policy_that_denies(self, office: Office) -> None:
        office.role()
        office.verifier.put_role_policy("admin", "p", document({}))
        admin = office.admin(policy=document({"Effect": "Deny", "Action": "iam:GetRole"}, {}))
        message = office.refusal(admin, "iam:GetRole") or ""
        assert message.endswith("with an explicit deny in a session policy")
        assert may(office.service, admin, "iam:GetUser")

    @given(st.data())
    def test_it_never_gives(self, data: st.DataObject) -> None:
        """With a session policy nothing is allowed that is not without."""
        office = Office()
        statements = st.lists(
            st.fixed_dictionaries(
                {
                    "Effect": st.sampled_from(["Allow", "Deny"]),
                    "Action": st.sampled_from(["*", "iam:Get*", "iam:GetUser", "iam:List*"]),
                }
            ),
            min_size=1,
            max_size=3,
        )
        office.role()
        document_of_role = document(*data.draw(statements))
        office.verifier.put_role_policy("admin", "p", document_of_role)
        admin = office.admin(policy=document(*data.draw(statements)))
        for action in ("iam:GetUser", "iam:GetRole", "iam:ListUsers", "iam:X"):
            allowed = may(office.service, admin, action)
            assert not allowed or may(office.service, office.admin(), action)
        office.verifier.close()


class TestAssumeRole:
    def assumes(self, office: Office, principal: Principal, role: Role, **more: Any) -> bool:
        return may_assume(office.service, principal, role, more.pop("mfa_s", None), more)

    @pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ANN}, {"AWS": [ROLE, ANN]}])
    def test_a_trust_policy_that_names_the_caller_is_enough(
        self, office: Office, principal: Any
    ) -> None:
        assert self.assumes(office, office.ann(), office.role(principal))

    @pytest.mark.parametrize("principal", ["123456789012", f"{ACCOUNT}:root"])
    def test_one_that_names_the_account_is_not(self, office: Office, principal: str) -> None:
        role = office.role({"AWS": principal})
        assert not self.assumes(office, office.ann(), role)
        office.allow({"Action": "sts:AssumeRole", "Resource": ROLE})
        assert self.assumes(office, office.ann(), role)

    @pytest.mark.parametrize(
        "principal",
        [
            {"AWS": f"{ACCOUNT}:user/ann"},
            {"AWS": "arn:aws:iam::210987654321:root"},
            {"AWS": "210987654321"},
            {"Service": "ec2.amazonaws.com"},
        ],
    )
    def test_others(self, office: Office, principal: Any) -> None:
        office.allow({})
        assert not self.assumes(office, office.ann(), office.role(principal))

    def test_ones_own_policy_may_deny(self, office: Office) -> None:
        role = office.role({"AWS": ANN})
        office.allow({"Effect": "Deny", "Action": "sts:*"})
        assert not self.assumes(office, office.ann(), role)

    def test_with_mfa_alone(self, office: Office) -> None:
        role = office.role({"AWS": ANN}, Bool={"aws:MultiFactorAuthPresent": "true"})
        now_s = office.now_s
        assert not self.assumes(office, office.ann(), role)
        assert not self.assumes(office, office.ann(mfa_s=None), role)
        assert self.assumes(office, office.ann(), role, mfa_s=now_s)
        assert self.assumes(office, office.ann(mfa_s=now_s), role)

    def test_an_external_id(self, office: Office) -> None:
        role = office.role({"AWS": ANN}, StringEquals={"sts:ExternalId": "1"})
        assert not self.assumes(office, office.ann(), role)
        assert not self.assumes(office, office.ann(), role, **{"sts:ExternalId": "2"})
        assert self.assumes(office, office.ann(), role, **{"sts:ExternalId": "1"})

    def test_a_role_assumes_a_role(self, office: Office) -> None:
        office.verifier.create_role("other", trusting({"AWS": ROLE}))
        other = office.verifier.role("other")
        assert self.assumes(office, office.admin(), other)
        assert not self.assumes(office, office.ann(), other)
        only = document({"Action": "iam:*"})
        assert not self.assumes(office, office.admin(policy=only), other)
        session = office.admin().arn
        office.verifier.set_trust_policy("other", trusting({"AWS": session}))
        other = office.verifier.role("other")
        assert self.assumes(office, office.admin(policy=only), other)

    def test_all_but_one_are_denied(self, office: Office) -> None:
        deny = {"Effect": "Deny", "Action": "sts:AssumeRole"}
        deny["NotPrincipal"] = {"AWS": [ANN, f"{ACCOUNT}:root"]}  # type: ignore[assignment]
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ANN}}
        office.verifier.create_role("admin", json.dumps({"Statement": [deny, allow]}))
        assert self.assumes(office, office.ann(), office.verifier.role("admin"))


class TestContext:
    def test_of_a_user_with_an_access_key(self, office: Office) -> None:
        user = office.verifier.user("ann")
        assert context_of(office.ann(), 1_700_000_000.9) == {
            "aws:userid": (user.id,),
            "aws:username": ("ann",),
            "aws:principalarn": (ANN,),
            "aws:principalaccount": ("123456789012",),
            "aws:principaltype": ("User",),
            "aws:principalisawsservice": ("false",),
            "aws:viaawsservice": ("false",),
            "aws:currenttime": ("2023-11-14T22:13:20Z",),
            "aws:epochtime": ("1700000000",),
        }

    def test_of_a_session(self, office: Office) -> None:
        found = context_of(office.ann(mfa_s=office.now_s), office.now_s + 60.5)
        assert found["aws:multifactorauthpresent"] == ("true",)
        assert found["aws:multifactorauthage"] == ("60",)
        assert (
            found["aws:tokenissuetime"] == context_of(office.ann(), office.now_s)["aws:currenttime"]
        )
        found = context_of(office.ann(mfa_s=None), office.now_s)
        assert found["aws:multifactorauthpresent"] == ("false",)
        assert "aws:multifactorauthage" not in found

    def test_of_root(self, office: Office) -> None:
        found = context_of(user_principal(office.verifier.user("root")), office.now_s)
        assert found["aws:principaltype"] == ("Account",)
        assert found["aws:userid"] == ("123456789012",)
        assert "aws:username" not in found

    def test_of_a_role(self, office: Office) -> None:
        admin = office.admin(mfa_s=office.now_s)
        found = context_of(admin, office.now_s)
        assert admin.arn == "arn:aws:sts::123456789012:assumed-role/admin/work"
        assert found["aws:principalarn"] == (ROLE,)
        assert found["aws:principaltype"] == ("AssumedRole",)
        assert found["aws:userid"] == (f"{office.role().id}:work",)
        assert found["aws:multifactorauthpresent"] == ("false",)
        assert "aws:username" not in found
