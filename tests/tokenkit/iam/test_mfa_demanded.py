"""An account that demands MFA of root or users, of whoever signs by an access key."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tokenkit.verifier import AccountPolicy

ALLOW_ALL = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


def is_denied(request: Any, **parameters: Any) -> bool:
    with pytest.raises(ClientError) as caught:
        request(**parameters)
    said = caught.value.response
    assert said["Error"]["Code"] == "AccessDenied", said
    headers = said["ResponseMetadata"]["HTTPHeaders"]
    return "The account demands MFA" in headers.get("x-tokenkit-advice", "")


@pytest.fixture
def site(serve_site: Any) -> Iterator[Any]:
    account = AccountPolicy(mfa_required_for_root=True, mfa_required_for_users=True)
    with serve_site(account=account) as site:
        yield site


@pytest.fixture(params=["root", "ann"])
def user(request: pytest.FixtureRequest, site: Any) -> str:
    name = str(request.param)
    if name != "root":
        site.verifier.create_user(name)
        site.verifier.put_user_policy(name, "all", ALLOW_ALL)
    return name


@pytest.fixture
def key(site: Any, user: str) -> Any:
    return site.root_key if user == "root" else site.verifier.create_access_key(user)


def test_a_first_device_and_a_code_open_the_rest(site: Any, user: str, key: Any) -> None:
    iam = site.client("iam", key)
    assert iam.list_mfa_devices()["MFADevices"] == []
    assert is_denied(iam.list_users)
    assert is_denied(iam.create_user, UserName="bob")
    phone = site.phone(iam, user)
    sts = site.client("sts", key)
    given = {"SerialNumber": phone.serial_number, "TokenCode": phone.code()}
    session = sts.get_session_token(**given)["Credentials"]
    with_mfa = site.client("iam", session)
    with_mfa.create_user(UserName="bob")
    with_mfa.deactivate_mfa_device(UserName=user, SerialNumber=phone.serial_number)


def test_the_key_alone_takes_nothing_away_and_adds_nothing(site: Any, user: str, key: Any) -> None:
    iam = site.client("iam", key)
    phone = site.phone(iam, user)
    named = {"UserName": user, "SerialNumber": phone.serial_number}
    assert is_denied(iam.deactivate_mfa_device, **named)
    assert is_denied(iam.resync_mfa_device, **named, **phone.pair())
    assert is_denied(iam.create_virtual_mfa_device, VirtualMFADeviceName="second")
    [serial_number] = site.service.tokens.make()
    pair = dict(
        zip(
            ("AuthenticationCode1", "AuthenticationCode2"),
            site.service.tokens.find(serial_number).two_codes(),
            strict=True,
        )
    )
    assert is_denied(iam.enable_mfa_device, UserName=user, SerialNumber=serial_number, **pair)
    assert is_denied(iam.update_login_profile, UserName=user, Password="a new password")
    assert len(site.verifier.devices(user)) == 1


def test_nobody_assigns_a_first_device_to_another(site: Any) -> None:
    site.verifier.create_user("ann")
    site.verifier.put_user_policy("ann", "all", ALLOW_ALL)
    site.verifier.create_user("bob")
    anns = site.client("iam", site.verifier.create_access_key("ann"))
    phone = site.new_phone(anns)
    named = {"UserName": "bob", "SerialNumber": phone.serial_number}
    assert is_denied(anns.enable_mfa_device, **named, **phone.pair())


def test_a_role_wants_a_code_too(site: Any) -> None:
    site.verifier.create_user("ann")
    site.verifier.put_user_policy("ann", "all", ALLOW_ALL)
    trust = ALLOW_ALL.replace('"Resource": "*"', '"Principal": "*"').replace(
        '"Action": "*"', '"Action": "sts:AssumeRole"'
    )
    role = site.verifier.create_role("admin", trust)
    key = site.verifier.create_access_key("ann")
    named = {"RoleArn": role.arn, "RoleSessionName": "work"}
    phone = site.phone(site.client("iam", key), "ann")
    sts = site.client("sts", key)
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(**named)
    sts.assume_role(**named, SerialNumber=phone.serial_number, TokenCode=phone.code())
