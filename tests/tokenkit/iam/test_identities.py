"""Users, access keys, passwords, policies, roles and the account, through boto3."""

import csv
import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tokenkit.verifier import AccessDenied

ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def refusal(request: Any, **parameters: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        request(**parameters)
    said = caught.value.response
    status = said["ResponseMetadata"]["HTTPStatusCode"]
    return status, said["Error"]["Code"], said["Error"]["Message"]


class TestUsers:
    def test_one_is_made_and_told(self, site: Any, iam: Any) -> None:
        made = iam.create_user(
            UserName="ann", Path="/staff/", Tags=[{"Key": "team", "Value": "x"}]
        )["User"]
        assert made["Arn"] == "arn:aws:iam::123456789012:user/staff/ann"
        assert made["UserId"].startswith("AIDA")
        assert len(made["UserId"]) == 21
        assert made["CreateDate"].timestamp() == site.now_s
        assert made["Tags"] == [{"Key": "team", "Value": "x"}]
        assert iam.get_user(UserName="ann")["User"] == made
        assert iam.list_user_tags(UserName="ann")["Tags"] == made["Tags"]

    def test_root_is_told_of_itself(self, iam: Any) -> None:
        user = iam.get_user()["User"]
        assert (user["Arn"], user["UserId"]) == (
            "arn:aws:iam::123456789012:root",
            "123456789012",
        )
        assert "UserName" not in user

    def test_a_list_by_path_without_root(self, iam: Any) -> None:
        for name, path in (("ann", "/staff/"), ("bob", "/"), ("eve", "/staff/it/")):
            iam.create_user(UserName=name, Path=path)
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ann", "bob", "eve"]
        staff = iam.list_users(PathPrefix="/staff/")["Users"]
        assert [user["UserName"] for user in staff] == ["ann", "eve"]

    @pytest.mark.parametrize("name", ["ann", "ANN"])
    def test_a_name_that_is_taken(self, iam: Any, name: str) -> None:
        iam.create_user(UserName="ann")
        said = refusal(iam.create_user, UserName=name)
        assert said == (409, "EntityAlreadyExists", f"User with name {name} already exists.")

    def test_what_must_go_before_a_user_goes(self, iam: Any) -> None:
        iam.create_user(UserName="ann")
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        iam.create_login_profile(UserName="ann", Password="a long password")
        iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=json.dumps(ALLOW_ALL))

        def left() -> str:
            status, code, message = refusal(iam.delete_user, UserName="ann")
            assert (status, code) == (409, "DeleteConflict")
            return message

        assert left() == "Cannot delete entity, must delete access keys first."
        iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
        assert left() == "Cannot delete entity, must delete login profile first."
        iam.delete_login_profile(UserName="ann")
        assert left() == "Cannot delete entity, must delete policies first."
        iam.delete_user_policy(UserName="ann", PolicyName="all")
        iam.delete_user(UserName="ann")
        assert refusal(iam.get_user, UserName="ann")[:2] == (404, "NoSuchEntity")

    def test_only_root_can_name_root(self, site: Any, iam: Any) -> None:
        anns = site.user("ann", all=json.dumps(ALLOW_ALL))
        assert refusal(anns.list_mfa_devices, UserName="root") == (
            404,
            "NoSuchEntity",
            "The user with name root cannot be found.",
        )
        assert iam.list_mfa_devices(UserName="root")["MFADevices"] == []

    def test_a_boundary_is_refused_as_it_would_not_be_kept(self, iam: Any) -> None:
        said = refusal(
            iam.create_user,
            UserName="ann",
            PermissionsBoundary="arn:aws:iam::123456789012:policy/b",
        )
        assert said[:2] == (400, "ValidationError")
        assert "PermissionsBoundary" in said[2]


class TestAccessKeys:
    def test_two_at_most_and_each_works(self, site: Any, iam: Any) -> None:
        iam.create_user(UserName="ann")
        keys = [iam.create_access_key(UserName="ann")["AccessKey"] for _ in range(2)]
        assert refusal(iam.create_access_key, UserName="ann")[:2] == (409, "LimitExceeded")
        for key in keys:
            assert (len(key["AccessKeyId"]), len(key["SecretAccessKey"])) == (20, 40)
        listed = iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
        assert {key["AccessKeyId"] for key in listed} == {key["AccessKeyId"] for key in keys}
        assert all("SecretAccessKey" not in key for key in listed)

    def test_an_inactive_or_deleted_one_opens_nothing(self, site: Any, iam: Any) -> None:
        site.verifier.create_user("ann")
        key = site.verifier.create_access_key("ann")
        anns = site.client("iam", key)
        assert anns.get_user()["User"]["UserName"] == "ann"
        named = {"UserName": "ann", "AccessKeyId": key.id}
        iam.update_access_key(**named, Status="Inactive")
        said = (
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
        assert refusal(anns.get_user) == said
        iam.update_access_key(**named, Status="Active")
        anns.get_user()
        iam.delete_access_key(**named)
        assert refusal(anns.get_user) == said
        assert refusal(iam.delete_access_key, **named)[:2] == (404, "NoSuchEntity")

    def test_when_it_was_used(self, site: Any, iam: Any) -> None:
        site.verifier.create_user("ann")
        key = site.verifier.create_access_key("ann")
        last = iam.get_access_key_last_used(AccessKeyId=key.id)
        assert last["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
        site.client("iam", key).get_user()
        last = iam.get_access_key_last_used(AccessKeyId=key.id)
        used = last["AccessKeyLastUsed"]
        assert (last["UserName"], used["ServiceName"], used["Region"]) == (
            "ann",
            "iam",
            "us-east-1",
        )
        assert used["LastUsedDate"].timestamp() == site.now_s

    def test_each_asks_of_the_own_alone(self, site: Any) -> None:
        anns, bobs = (site.user(name) for name in ("ann", "bob"))
        [key] = site.verifier.access_keys("ann")
        assert anns.get_access_key_last_used(AccessKeyId=key.id)["UserName"] == "ann"
        assert refusal(bobs.get_access_key_last_used, AccessKeyId=key.id)[:2] == (
            403,
            "AccessDenied",
        )

    def test_a_wrong_secret(self, site: Any) -> None:
        wrong = {
            "AccessKeyId": site.root_key.id,
            "SecretAccessKey": "not it",
            "SessionToken": None,
        }
        said = refusal(site.client("iam", wrong).get_user)
        assert said[:2] == (403, "SignatureDoesNotMatch")


class TestPasswords:
    def test_its_life(self, site: Any, iam: Any) -> None:
        iam.create_user(UserName="ann")
        named = {"UserName": "ann"}
        assert refusal(iam.get_login_profile, **named)[:2] == (404, "NoSuchEntity")
        iam.create_login_profile(**named, Password="first password")
        assert refusal(iam.create_login_profile, **named, Password="another one")[:2] == (
            409,
            "EntityAlreadyExists",
        )
        site.verifier.check_password("ann", "first password")
        iam.update_login_profile(**named, Password="second password")
        with pytest.raises(AccessDenied):
            site.verifier.check_password("ann", "first password")
        site.wait(60)
        site.verifier.check_password("ann", "second password")
        assert iam.get_user(**named)["User"]["PasswordLastUsed"].timestamp() == site.now_s
        iam.delete_login_profile(**named)
        assert refusal(iam.delete_login_profile, **named)[:2] == (404, "NoSuchEntity")

    def test_too_short(self, iam: Any) -> None:
        iam.create_user(UserName="ann")
        said = refusal(iam.create_login_profile, UserName="ann", Password="short")
        assert said[:2] == (400, "PasswordPolicyViolation")


class TestPolicies:
    def test_their_life(self, iam: Any) -> None:
        iam.create_user(UserName="ann")
        document = json.dumps(ALLOW_ALL)
        named = {"UserName": "ann", "PolicyName": "all"}
        iam.put_user_policy(**named, PolicyDocument=document)
        assert iam.get_user_policy(**named)["PolicyDocument"] == ALLOW_ALL
        assert iam.list_user_policies(UserName="ann")["PolicyNames"] == ["all"]
        iam.delete_user_policy(**named)
        assert refusal(iam.get_user_policy, **named)[:2] == (404, "NoSuchEntity")

    def test_a_document_that_is_none(self, iam: Any) -> None:
        iam.create_user(UserName="ann")
        for document in ("{", "[]", '{"Statement": [{"Effect": "Perhaps"}]}'):
            said = refusal(
                iam.put_user_policy, UserName="ann", PolicyName="p", PolicyDocument=document
            )
            assert said[:2] == (400, "MalformedPolicyDocument")
        assert iam.list_user_policies(UserName="ann")["PolicyNames"] == []

    def test_a_user_without_one_looks_after_himself(self, site: Any) -> None:
        anns = site.user("ann")
        site.verifier.create_user("bob")
        assert anns.get_user()["User"]["UserName"] == "ann"
        phone = site.phone(anns, "ann", "ann")
        [device] = anns.list_mfa_devices()["MFADevices"]
        assert device["SerialNumber"] == phone.serial_number
        for request, parameters in (
            (anns.list_mfa_devices, {"UserName": "bob"}),
            (anns.create_user, {"UserName": "eve"}),
            (anns.list_users, {}),
        ):
            status, code, message = refusal(request, **parameters)
            assert (status, code) == (403, "AccessDenied")
            assert message.startswith(
                "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:"
            )

    def test_nothing_is_told_of_who_there_is(self, site: Any) -> None:
        anns = site.user("ann")
        site.verifier.create_user("bob")
        said = {
            refusal(anns.get_user, UserName=name)[2].replace(name, "X") for name in ("bob", "eve")
        }
        assert len(said) == 1


class TestRoles:
    def test_their_life(self, site: Any, iam: Any) -> None:
        made = iam.create_role(
            RoleName="admin",
            Path="/ops/",
            AssumeRolePolicyDocument=TRUST,
            Description="all",
            MaxSessionDuration=7200,
        )["Role"]
        assert made["Arn"] == "arn:aws:iam::123456789012:role/ops/admin"
        assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)
        got = iam.get_role(RoleName="admin")["Role"]
        assert (got["RoleId"], got["MaxSessionDuration"]) == (made["RoleId"], 7200)
        assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["admin"]
        iam.put_role_policy(
            RoleName="admin", PolicyName="all", PolicyDocument=json.dumps(ALLOW_ALL)
        )
        assert iam.list_role_policies(RoleName="admin")["PolicyNames"] == ["all"]
        policy = iam.get_role_policy(RoleName="admin", PolicyName="all")
        assert policy["PolicyDocument"] == ALLOW_ALL
        assert refusal(iam.delete_role, RoleName="admin")[:2] == (409, "DeleteConflict")
        iam.delete_role_policy(RoleName="admin", PolicyName="all")
        iam.delete_role(RoleName="admin")
        assert refusal(iam.get_role, RoleName="admin") == (
            404,
            "NoSuchEntity",
            "The role with name admin cannot be found.",
        )


class TestTheAccount:
    def test_its_summary(self, site: Any, iam: Any) -> None:
        before = iam.get_account_summary()["SummaryMap"]
        assert (before["Users"], before["MFADevices"], before["AccountMFAEnabled"]) == (0, 0, 0)
        iam.create_user(UserName="ann")
        site.phone(iam, "ann", "anns")
        site.phone(iam, "root", "roots")
        site.new_phone(iam, "nobodys")
        after = iam.get_account_summary()["SummaryMap"]
        assert (after["Users"], after["MFADevices"], after["MFADevicesInUse"]) == (1, 3, 2)
        assert (after["AccountMFAEnabled"], after["AccountAccessKeysPresent"]) == (1, 1)

    def test_the_credential_report(self, site: Any, iam: Any) -> None:
        assert refusal(iam.get_credential_report)[:2] == (410, "ReportNotPresent")
        iam.create_user(UserName="ann")
        iam.create_user(UserName="bob")
        iam.create_login_profile(UserName="bob", Password="a long password")
        site.phone(iam, "ann")
        assert iam.generate_credential_report()["State"] == "COMPLETE"
        report = iam.get_credential_report()
        assert report["ReportFormat"] == "text/csv"
        lines = list(csv.DictReader(io.StringIO(report["Content"].decode())))
        assert [(line["user"], line["mfa_active"]) for line in lines] == [
            ("<root_account>", "false"),
            ("ann", "true"),
            ("bob", "false"),
        ]
        assert [line["password_enabled"] for line in lines] == [
            "not_supported",
            "false",
            "true",
        ] or [line["password_enabled"] for line in lines] == ["false", "false", "true"]
        assert lines[0]["access_key_1_active"] == "true"
        assert lines[0]["access_key_1_last_used_service"] == "iam"
        site.wait(4 * 3600 + 1)
        assert refusal(iam.get_credential_report)[:2] == (410, "ReportExpired")
