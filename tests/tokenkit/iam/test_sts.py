"""STS through boto3: sessions that a code begins, roles, and who one is."""

import json
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

DENY_WITHOUT_MFA = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "NotAction": ["iam:EnableMFADevice", "iam:ListMFADevices", "sts:GetSessionToken"],
                "Resource": "*",
                "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
            },
        ],
    }
)
ALLOW_ALL = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


def trust(**condition: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refusal(request: Any, **parameters: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        request(**parameters)
    said = caught.value.response
    status = said["ResponseMetadata"]["HTTPStatusCode"]
    return status, said["Error"]["Code"], said["Error"]["Message"]


@pytest.fixture
def ann(site: Any) -> Any:
    """A user whose policies allow all; its access key."""
    site.verifier.create_user("ann", path="/staff/")
    site.verifier.put_user_policy("ann", "all", ALLOW_ALL)
    return site.verifier.create_access_key("ann")


@pytest.fixture
def phone(site: Any, iam: Any, ann: Any) -> Any:
    return site.phone(iam, "ann")


class TestCallerIdentity:
    def test_root(self, site: Any) -> None:
        said = site.client("sts").get_caller_identity()
        assert said["Arn"] == "arn:aws:iam::123456789012:root"
        assert said["UserId"] == said["Account"] == "123456789012"

    def test_a_user(self, site: Any, ann: Any) -> None:
        said = site.client("sts", ann).get_caller_identity()
        assert said["Arn"] == "arn:aws:iam::123456789012:user/staff/ann"
        assert said["UserId"] == site.verifier.user("ann").id


class TestGetSessionToken:
    def test_a_code_makes_a_session_with_mfa(self, site: Any, ann: Any, phone: Any) -> None:
        site.verifier.put_user_policy("ann", "all", DENY_WITHOUT_MFA)
        said = refusal(site.client("iam", ann).list_users)
        assert said[:2] == (403, "AccessDenied")
        assert "with an explicit deny in an identity-based policy" in said[2]
        sts = site.client("sts", ann)
        made = sts.get_session_token(SerialNumber=phone.serial_number, TokenCode=phone.code())
        session = made["Credentials"]
        assert site.client("iam", session).list_users()["Users"][0]["UserName"] == "ann"
        said = site.client("sts", session).get_caller_identity()
        assert said["Arn"].endswith(":user/staff/ann")

    def test_a_session_without_a_code_has_no_mfa(self, site: Any, ann: Any) -> None:
        site.verifier.put_user_policy("ann", "all", DENY_WITHOUT_MFA)
        session = site.client("sts", ann).get_session_token()["Credentials"]
        site.client("sts", session).get_caller_identity()
        said = refusal(site.client("iam", session).list_users)
        assert said[:2] == (403, "InvalidClientTokenId")  # no IAM without MFA

    def test_a_wrong_code(self, site: Any, ann: Any, phone: Any) -> None:
        wrong = "000000" if phone.code() != "000000" else "000001"
        said = refusal(
            site.client("sts", ann).get_session_token,
            SerialNumber=phone.serial_number,
            TokenCode=wrong,
        )
        assert said == (
            403,
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        )

    def test_a_code_is_taken_once(self, site: Any, ann: Any, phone: Any) -> None:
        sts = site.client("sts", ann)
        given = {"SerialNumber": phone.serial_number, "TokenCode": phone.code()}
        sts.get_session_token(**given)
        with pytest.raises(ClientError) as caught:
            sts.get_session_token(**given)
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
        headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert "It was used before: wait for the next code." in headers["x-tokenkit-advice"]

    def test_anothers_device(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_user(UserName="bob")
        bobs = site.phone(iam, "bob")
        said = refusal(
            site.client("sts", ann).get_session_token,
            SerialNumber=bobs.serial_number,
            TokenCode=bobs.code(),
        )
        assert said == (
            403,
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your"
            " MFA serial number is valid and associated with this user.",
        )

    @pytest.mark.parametrize(
        "given", [{"TokenCode": "123456"}, {"SerialNumber": "GAHT00000001"}], ids=["code", "serial"]
    )
    def test_one_without_the_other(self, site: Any, ann: Any, given: dict[str, str]) -> None:
        said = refusal(site.client("sts", ann).get_session_token, **given)
        assert said[:2] == (403, "AccessDenied")
        assert "must provide both MFA serial number and one time pass code" in said[2]

    def test_it_expires_by_the_services_clock(self, site: Any, ann: Any) -> None:
        made = site.client("sts", ann).get_session_token(DurationSeconds=900)["Credentials"]
        sts = site.client("sts", made)
        site.wait(899)
        sts.get_caller_identity()
        site.wait(2)
        assert refusal(sts.get_caller_identity) == (
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        )

    def test_clients_are_told_its_end_by_their_own_clock(self, site: Any, ann: Any) -> None:
        """A service in the future gives no session that a client takes for one of years."""
        site.wait(2 * 365 * 86_400)
        made = site.client("sts", ann).get_session_token(DurationSeconds=3600)["Credentials"]
        left_s = made["Expiration"].timestamp() - datetime.now(UTC).timestamp()
        assert 3500 < left_s <= 3601

    def test_a_session_begins_no_session(self, site: Any, ann: Any) -> None:
        session = site.client("sts", ann).get_session_token()["Credentials"]
        said = refusal(site.client("sts", session).get_session_token)
        assert said == (
            403,
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials",
        )

    def test_tampered_credentials(self, site: Any, ann: Any) -> None:
        made = site.client("sts", ann).get_session_token()["Credentials"]
        other = site.client("sts", ann).get_session_token()["Credentials"]
        for wrong in (
            {"SessionToken": "AAAA" + made["SessionToken"][4:]},
            {"SessionToken": other["SessionToken"]},
            {"SessionToken": "x"},
        ):
            said = refusal(site.client("sts", {**made, **wrong}).get_caller_identity)
            assert said == (
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
        said = refusal(site.client("iam", {**made, "SecretAccessKey": "another secret"}).list_users)
        assert said[:2] == (403, "SignatureDoesNotMatch")

    def test_a_session_ends_with_its_user(self, site: Any, iam: Any, ann: Any) -> None:
        session = site.client("sts", ann).get_session_token()["Credentials"]
        site.verifier.delete_user_policy("ann", "all")
        site.verifier.delete_access_key("ann", ann.id)
        iam.delete_user(UserName="ann")
        said = refusal(site.client("sts", session).get_caller_identity)
        assert said[:2] == (403, "InvalidClientTokenId")

    def test_it_is_not_that_of_another_user_of_the_same_name(
        self, site: Any, iam: Any, ann: Any
    ) -> None:
        session = site.client("sts", ann).get_session_token()["Credentials"]
        site.verifier.delete_user_policy("ann", "all")
        site.verifier.delete_access_key("ann", ann.id)
        iam.delete_user(UserName="ann")
        iam.create_user(UserName="ann")  # at the same instant
        said = refusal(site.client("sts", session).get_caller_identity)
        assert said[:2] == (403, "InvalidClientTokenId")


class TestAssumeRole:
    ARN = "arn:aws:iam::123456789012:role/admin"
    MFA = trust(Bool={"aws:MultiFactorAuthPresent": "true"})

    def test_with_a_code(self, site: Any, iam: Any, ann: Any, phone: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=self.MFA)
        iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=ALLOW_ALL)
        sts = site.client("sts", ann)
        made = sts.assume_role(
            RoleArn=self.ARN,
            RoleSessionName="work",
            SerialNumber=phone.serial_number,
            TokenCode=phone.code(),
        )
        assumed = made["AssumedRoleUser"]
        assert assumed["Arn"] == "arn:aws:sts::123456789012:assumed-role/admin/work"
        said = site.client("sts", made["Credentials"]).get_caller_identity()
        assert (said["Arn"], said["UserId"]) == (assumed["Arn"], assumed["AssumedRoleId"])
        as_admin = site.client("iam", made["Credentials"])
        assert as_admin.list_users()["Users"][0]["UserName"] == "ann"
        assert refusal(as_admin.list_mfa_devices)[:2] == (400, "ValidationError")

    def test_without_a_code(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=self.MFA)
        said = refusal(
            site.client("sts", ann).assume_role, RoleArn=self.ARN, RoleSessionName="work"
        )
        assert said == (
            403,
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/staff/ann is not authorized to perform:"
            f" sts:AssumeRole on resource: {self.ARN}",
        )

    def test_no_such_role_is_said_in_the_same_words(self, site: Any, ann: Any) -> None:
        said = refusal(
            site.client("sts", ann).assume_role, RoleArn=self.ARN, RoleSessionName="work"
        )
        assert said[:2] == (403, "AccessDenied")
        assert "not authorized to perform: sts:AssumeRole" in said[2]

    def test_root_assumes_none(self, site: Any, iam: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        said = refusal(site.client("sts").assume_role, RoleArn=self.ARN, RoleSessionName="work")
        assert said == (403, "AccessDenied", "Roles may not be assumed by root accounts.")

    def test_a_session_policy_only_takes_away(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=ALLOW_ALL)
        only = '{"Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}'
        made = site.client("sts", ann).assume_role(
            RoleArn=self.ARN, RoleSessionName="work", Policy=only
        )["Credentials"]
        session = site.client("iam", made)
        session.list_users()
        assert refusal(session.list_roles)[:2] == (403, "AccessDenied")

    def test_a_session_policy_that_is_too_long(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        said = refusal(
            site.client("sts", ann).assume_role,
            RoleArn=self.ARN,
            RoleSessionName="work",
            Policy=ALLOW_ALL + " " * 2048,
        )
        assert said[:2] == (400, "PackedPolicyTooLarge")

    def test_longer_than_the_role_allows(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        said = refusal(
            site.client("sts", ann).assume_role,
            RoleArn=self.ARN,
            RoleSessionName="work",
            DurationSeconds=3601,
        )
        assert said[:2] == (400, "ValidationError")

    def test_a_request_that_is_wrong_uses_no_code_up(
        self, site: Any, iam: Any, ann: Any, phone: Any
    ) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=self.MFA)
        named = {"RoleArn": self.ARN, "RoleSessionName": "work"}
        code = {"SerialNumber": phone.serial_number, "TokenCode": phone.code()}
        sts = site.client("sts", ann)
        said = refusal(sts.assume_role, **named, **code, DurationSeconds=7200)
        assert said[:2] == (400, "ValidationError")
        sts.assume_role(**named, **code, DurationSeconds=3600)

    def test_the_log_tells_of_sessions(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        sts = site.client("sts", ann)
        first = sts.get_session_token()["Credentials"]
        second = sts.assume_role(RoleArn=self.ARN, RoleSessionName="work")["Credentials"]
        lines = [line for line in site.verifier.audit() if line.event == "issue-session"]
        assert [(line.user, line.detail) for line in lines] == [
            ("ann", {"access_key": first["AccessKeyId"], "mfa": False}),
            (
                None,
                {
                    "access_key": second["AccessKeyId"],
                    "mfa": False,
                    "role": "admin",
                    "session": "work",
                },
            ),
        ]

    def test_an_external_id(self, site: Any, iam: Any, ann: Any) -> None:
        document = trust(StringEquals={"sts:ExternalId": "12345"})
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=document)
        named = {"RoleArn": self.ARN, "RoleSessionName": "work"}
        sts = site.client("sts", ann)
        assert refusal(sts.assume_role, **named)[:2] == (403, "AccessDenied")
        sts.assume_role(**named, ExternalId="12345")

    def test_a_parameter_that_is_not_there_is_refused(self, site: Any, iam: Any, ann: Any) -> None:
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust())
        said = refusal(
            site.client("sts", ann).assume_role,
            RoleArn=self.ARN,
            RoleSessionName="work",
            SourceIdentity="somebody",
        )
        assert said == (
            400,
            "ValidationError",
            "tokenkit does not have the parameter SourceIdentity of AssumeRole: leave it out.",
        )


def test_the_official_flow(
    site: Any, iam: Any, ann: Any, phone: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile with role_arn and mfa_serial: botocore asks a person, who reads the token."""
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=TestAssumeRole.MFA)
    iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=ALLOW_ALL)
    (tmp_path / "config").write_text(
        f"""
[profile long-term]
aws_access_key_id = {ann.id}
aws_secret_access_key = {ann.secret}

[profile admin]
role_arn = {TestAssumeRole.ARN}
source_profile = long-term
mfa_serial = {phone.serial_number}
region = us-east-1
"""
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", site.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", site.url)
    session = botocore.session.Session(profile="admin")
    asked = []

    def read_the_token(prompt: str) -> str:
        asked.append(prompt)
        return phone.code()

    providers = session.get_component("credential_provider")
    providers.get_provider("assume-role")._prompter = read_the_token
    client = session.create_client("iam")
    assert client.list_users()["Users"][0]["UserName"] == "ann"
    client.list_roles()
    assert asked == [f"Enter MFA code for {phone.serial_number}: "]
