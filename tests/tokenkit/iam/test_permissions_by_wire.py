"""Permissions as boto3 meets them: documents refused, users who look after themselves."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}


def refusal(request: Any, **parameters: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        request(**parameters)
    said = caught.value.response
    status = said["ResponseMetadata"]["HTTPStatusCode"]
    return status, said["Error"]["Code"], said["Error"]["Message"]


def document(statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


class TestDocuments:
    def test_a_malformed_one_is_not_stored(self, site: Any, iam: Any) -> None:
        site.verifier.create_user("ann")
        iam.create_role(RoleName="ops", AssumeRolePolicyDocument=document(TRUST))
        broken = document({**ALLOW, "Resources": "*"})
        for request, given in (
            (iam.put_user_policy, {"UserName": "ann", "PolicyName": "p"}),
            (iam.put_role_policy, {"RoleName": "ops", "PolicyName": "p"}),
            (iam.update_assume_role_policy, {"RoleName": "ops"}),
        ):
            said = refusal(request, **given, PolicyDocument=broken)
            assert said == (400, "MalformedPolicyDocument", "Syntax errors in policy.")
        said = refusal(iam.create_role, RoleName="x", AssumeRolePolicyDocument=document(ALLOW))
        assert said == (400, "MalformedPolicyDocument", "Has prohibited field Resource.")
        assert iam.list_user_policies(UserName="ann")["PolicyNames"] == []
        assert iam.list_role_policies(RoleName="ops")["PolicyNames"] == []
        assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["ops"]

    def test_too_much(self, site: Any, iam: Any) -> None:
        site.verifier.create_user("ann")
        long = document({**ALLOW, "Sid": "x" * 2000})
        said = refusal(iam.put_user_policy, UserName="ann", PolicyName="p", PolicyDocument=long)
        assert said == (
            409,
            "LimitExceeded",
            "Maximum policy size of 2048 bytes exceeded for user ann",
        )
        said = refusal(
            iam.create_role,
            RoleName="x",
            AssumeRolePolicyDocument=document({**TRUST, "Sid": "x" * 2000}),
        )
        assert said == (409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


class TestWithoutAnyPolicy:
    def test_a_user_walks_alone(self, site: Any) -> None:
        iam = site.user("ann")
        phone = site.new_phone(iam, "anns-phone")
        iam.enable_mfa_device(UserName="ann", SerialNumber=phone.serial_number, **phone.pair())
        [listed] = iam.list_mfa_devices()["MFADevices"]
        assert listed["SerialNumber"] == phone.serial_number
        site.wait(60)
        iam.resync_mfa_device(UserName="ann", SerialNumber=phone.serial_number, **phone.pair())
        assert iam.get_user()["User"]["UserName"] == "ann"
        assert len(iam.list_virtual_mfa_devices()["VirtualMFADevices"]) == 1
        assert iam.get_account_summary()["SummaryMap"]["MFADevicesInUse"] == 1
        made = iam.create_access_key()["AccessKey"]["AccessKeyId"]
        iam.delete_access_key(AccessKeyId=made)
        iam.deactivate_mfa_device(UserName="ann", SerialNumber=phone.serial_number)
        iam.delete_virtual_mfa_device(SerialNumber=phone.serial_number)

    def test_nobody_touches_another(self, site: Any) -> None:
        site.verifier.create_user("bob")
        iam = site.user("ann")
        arn = "arn:aws:iam::123456789012:user"
        for request, action in (
            (iam.list_mfa_devices, "ListMFADevices"),
            (iam.create_access_key, "CreateAccessKey"),
            (iam.get_user, "GetUser"),
            (iam.delete_user, "DeleteUser"),
        ):
            assert refusal(request, UserName="bob") == (
                403,
                "AccessDenied",
                f"User: {arn}/ann is not authorized to perform: iam:{action} on resource:"
                f" {arn}/bob because no identity-based policy allows the iam:{action} action",
            )
        assert refusal(iam.list_users)[:2] == (403, "AccessDenied")

    def test_nobody_gives_himself_more(self, site: Any) -> None:
        iam = site.user("ann")
        said = refusal(
            iam.put_user_policy, UserName="ann", PolicyName="p", PolicyDocument=document(ALLOW)
        )
        assert said[:2] == (403, "AccessDenied")
        assert site.verifier.user_policies("ann") == {}
