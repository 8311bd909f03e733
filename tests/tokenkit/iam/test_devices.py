"""MFA devices through boto3: what AWS answers, with codes that are really checked."""

import io
from typing import Any

import pytest
import zxingcpp
from botocore.exceptions import ClientError
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from PIL import Image

from tokenkit.verifier import WebAuthnPolicy
from tokenkit.virtual import connect, load_profile, metadata_blob, root_certificate


def refusal(request: Any, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message."""
    with pytest.raises(ClientError) as caught:
        request(**parameters)
    said = caught.value.response
    assert said["Error"]["Type"] == "Sender"
    return (
        said["ResponseMetadata"]["HTTPStatusCode"],
        said["Error"]["Code"],
        said["Error"]["Message"],
    )


NOT_VALID = (403, "InvalidAuthenticationCode", "Authentication code for device is not valid.")


def test_an_authenticator_app_is_made_as_iam_makes_it(site: Any, iam: Any) -> None:
    made = iam.create_virtual_mfa_device(
        VirtualMFADeviceName="phone", Path="/mobile/", Tags=[{"Key": "team", "Value": "é a:b"}]
    )["VirtualMFADevice"]
    assert made["SerialNumber"] == "arn:aws:iam::123456789012:mfa/mobile/phone"
    seed = made["Base32StringSeed"].decode()
    assert len(seed) == 64
    with Image.open(io.BytesIO(made["QRCodePNG"])) as picture:
        [code] = zxingcpp.read_barcodes(picture)
    assert f"secret={seed}" in code.text
    assert code.text.startswith("otpauth://totp/")
    [listed] = iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    assert listed == {"SerialNumber": made["SerialNumber"]}
    tags = iam.list_mfa_device_tags(SerialNumber=made["SerialNumber"])
    assert (tags["Tags"], tags["IsTruncated"]) == ([{"Key": "team", "Value": "é a:b"}], False)


class TestRecordedFromAws:
    """Statuses, codes and texts as real AWS gave them."""

    def test_a_duplicate_name(self, iam: Any) -> None:
        iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
        assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone") == (
            409,
            "EntityAlreadyExists",
            "MFA device already exists.",
        )

    @pytest.mark.parametrize("path", ["test", "/test", "test/", "/te st/"])
    def test_a_bad_path(self, iam: Any, path: str) -> None:
        said = refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone", Path=path)
        assert said == (
            400,
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only"
            " alphanumeric characters and/or / characters.",
        )

    def test_a_long_path(self, iam: Any) -> None:
        path = "/" + "x" * 511 + "/"
        said = refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone", Path=path)
        assert said == (
            400,
            "ValidationError",
            "1 validation error detected: Value at 'path' failed to satisfy constraint:"
            " Member must have length less than or equal to 512",
        )

    def test_a_double_slash_is_accepted(self, iam: Any) -> None:
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Path="/test//double/")
        assert made["VirtualMFADevice"]["SerialNumber"].endswith(":mfa/test//double/phone")

    def test_an_unknown_device(self, iam: Any) -> None:
        serial_number = "arn:aws:iam::123456789012:mfa/nobodys"
        said = (
            404,
            "NoSuchEntity",
            f"MFA Device with serial number {serial_number} does not exist.",
        )
        assert refusal(iam.delete_virtual_mfa_device, SerialNumber=serial_number) == said
        assert refusal(iam.deactivate_mfa_device, SerialNumber=serial_number) == said

    def test_an_unknown_user_before_the_codes_are_looked_at(self, site: Any, iam: Any) -> None:
        phone = site.new_phone(iam)
        said = (404, "NoSuchEntity", "The user with name nobody cannot be found.")
        named = {"UserName": "nobody", "SerialNumber": phone.serial_number}
        wrong = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
        assert refusal(iam.enable_mfa_device, **named, **wrong) == said
        assert refusal(iam.enable_mfa_device, **named, **phone.pair()) == said
        assert refusal(iam.deactivate_mfa_device, **named) == said

    def test_another_users_device_before_the_codes_are_looked_at(self, site: Any, iam: Any) -> None:
        for name in ("ann", "bob"):
            iam.create_user(UserName=name)
        phone = site.phone(iam, "ann")
        said = refusal(
            iam.enable_mfa_device,
            UserName="bob",
            SerialNumber=phone.serial_number,
            AuthenticationCode1="000000",
            AuthenticationCode2="000000",
        )
        assert said == (409, "EntityAlreadyExists", "MFA Device is already in use.")

    def test_a_bad_marker(self, iam: Any) -> None:
        said = (400, "ValidationError", "Invalid Marker.")
        assert refusal(iam.list_virtual_mfa_devices, Marker="bad") == said
        assert refusal(iam.list_users, Marker="W10=") == said

    def test_the_previous_and_the_current_code_enable(self, site: Any, iam: Any) -> None:
        iam.create_user(UserName="ann")
        phone = site.new_phone(iam)
        done = iam.enable_mfa_device(
            UserName="ann", SerialNumber=phone.serial_number, **phone.pair()
        )
        assert done["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_whole_life_of_a_device(site: Any, iam: Any) -> None:
    iam.create_user(UserName="ann")
    phone = site.phone(iam, "ann")
    [device] = iam.list_mfa_devices(UserName="ann")["MFADevices"]
    assert (device["UserName"], device["SerialNumber"]) == ("ann", phone.serial_number)
    assert device["EnableDate"].timestamp() == site.now_s - 30
    got = iam.get_mfa_device(SerialNumber=phone.serial_number, UserName="ann")
    assert (got["EnableDate"], got["Certifications"]) == (device["EnableDate"], {})
    [assigned] = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert assigned["User"]["UserName"] == "ann"
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=phone.serial_number) == (
        409,
        "DeleteConflict",
        "MFA VirtualDevice in use. Must deactivate first.",
    )
    assert refusal(iam.delete_user, UserName="ann") == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete MFA device first.",
    )
    iam.deactivate_mfa_device(UserName="ann", SerialNumber=phone.serial_number)
    iam.delete_virtual_mfa_device(SerialNumber=phone.serial_number)
    iam.delete_user(UserName="ann")
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_wrong_codes_are_refused(site: Any, iam: Any) -> None:
    """What every stand-in lets pass."""
    iam.create_user(UserName="ann")
    phone = site.new_phone(iam)
    named = {"UserName": "ann", "SerialNumber": phone.serial_number}
    pair = phone.pair()
    backwards = dict(zip(pair, reversed(pair.values()), strict=True))
    assert refusal(iam.enable_mfa_device, **named, **backwards) == NOT_VALID
    assert iam.list_mfa_devices(UserName="ann")["MFADevices"] == []
    site.wait(30)
    iam.enable_mfa_device(**named, **phone.pair())
    assert refusal(iam.resync_mfa_device, **named, **phone.pair()) == NOT_VALID  # used
    site.wait(60)
    iam.resync_mfa_device(**named, **phone.pair())


def test_a_hurried_second_attempt_is_refused_and_says_why(site: Any, iam: Any) -> None:
    iam.create_user(UserName="ann")
    phone = site.new_phone(iam)
    named = {"UserName": "ann", "SerialNumber": phone.serial_number}
    wrong = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
    assert refusal(iam.enable_mfa_device, **named, **wrong) == NOT_VALID
    with pytest.raises(ClientError) as caught:
        iam.enable_mfa_device(**named, **phone.pair())
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-tokenkit-advice"] == (
        "Rate exceeded: a wrong code came before. Try again in 5 s."
    )


def test_a_hardware_token_by_the_serial_number_on_its_back(site: Any, iam: Any) -> None:
    iam.create_user(UserName="ann")
    [serial_number] = site.service.tokens.make("GAHT")
    token = site.service.tokens.find(serial_number)
    codes = dict(
        zip(("AuthenticationCode1", "AuthenticationCode2"), token.two_codes(), strict=True)
    )
    iam.enable_mfa_device(UserName="ann", SerialNumber=serial_number, **codes)
    [device] = iam.list_mfa_devices(UserName="ann")["MFADevices"]
    assert device["SerialNumber"] == serial_number
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_a_user_holds_eight_at_most(site: Any, iam: Any) -> None:
    iam.create_user(UserName="ann")
    for number in range(8):
        site.phone(iam, "ann", f"phone-{number}")
    ninth = site.new_phone(iam, "ninth")
    status, code, _ = refusal(
        iam.enable_mfa_device, UserName="ann", SerialNumber=ninth.serial_number, **ninth.pair()
    )
    assert (status, code) == (409, "LimitExceeded")


def test_pages(site: Any, iam: Any) -> None:
    names = [f"phone-{number}" for number in range(7)]
    for name in names:
        iam.create_virtual_mfa_device(VirtualMFADeviceName=name)
    pages = list(
        iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 3})
    )
    assert [len(page["VirtualMFADevices"]) for page in pages] == [3, 3, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    listed = [device["SerialNumber"] for page in pages for device in page["VirtualMFADevices"]]
    assert listed == [f"arn:aws:iam::123456789012:mfa/{name}" for name in names]
    first = iam.list_virtual_mfa_devices(MaxItems=3)
    iam.delete_virtual_mfa_device(SerialNumber=listed[0])  # shifts nothing
    second = iam.list_virtual_mfa_devices(MaxItems=3, Marker=first["Marker"])
    assert [device["SerialNumber"] for device in second["VirtualMFADevices"]] == listed[3:6]
    assert refusal(iam.list_users, Marker=first["Marker"]) == (
        400,
        "ValidationError",
        "Invalid Marker.",
    )


class TestTags:
    def test_they_are_set_replaced_and_removed(self, site: Any, iam: Any) -> None:
        phone = site.new_phone(iam)
        serial_number = phone.serial_number
        iam.tag_mfa_device(
            SerialNumber=serial_number,
            Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}],
        )
        iam.tag_mfa_device(SerialNumber=serial_number, Tags=[{"Key": "a", "Value": "2"}])
        iam.untag_mfa_device(SerialNumber=serial_number, TagKeys=["b", "c"])
        assert iam.list_mfa_device_tags(SerialNumber=serial_number)["Tags"] == [
            {"Key": "a", "Value": "2"}
        ]

    def test_keys_that_differ_in_case_alone(self, site: Any, iam: Any) -> None:
        phone = site.new_phone(iam)
        tags = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
        status, code, message = refusal(
            iam.tag_mfa_device, SerialNumber=phone.serial_number, Tags=tags
        )
        assert (status, code) == (400, "InvalidInput")
        assert "case insensitive" in message

    def test_over_fifty(self, site: Any, iam: Any) -> None:
        phone = site.new_phone(iam)
        many = [{"Key": str(number), "Value": ""} for number in range(50)]
        iam.tag_mfa_device(SerialNumber=phone.serial_number, Tags=many)
        more = [{"Key": "one more", "Value": ""}]
        status, code, _ = refusal(iam.tag_mfa_device, SerialNumber=phone.serial_number, Tags=more)
        assert (status, code) == (409, "LimitExceeded")


def test_a_security_keys_certifications(serve_site: Any) -> None:
    """Security keys are assigned in the console; here by what is behind it."""
    policy = WebAuthnPolicy(
        attestation="direct",
        metadata=metadata_blob([load_profile("reference")], {"reference": "FIDO_CERTIFIED_L2"}),
        metadata_root=root_certificate(),
        user_verification="discouraged",
    )
    with serve_site(webauthn=policy) as site:
        client = Fido2Client(
            connect(site.service.world.security_key()),
            client_data_collector=DefaultClientDataCollector(policy.origin),
            user_interaction=UserInteraction(),
        )
        begun = site.verifier.begin_registration("root")
        answer = client.make_credential(begun.options.public_key)
        key = site.verifier.complete_registration(begun.id, answer)
        iam = site.client("iam")
        [listed] = iam.list_mfa_devices()["MFADevices"]
        assert listed["SerialNumber"].startswith("arn:aws:iam::123456789012:u2f/root-account/")
        got = iam.get_mfa_device(SerialNumber=key.serial_number)
        assert (got["SerialNumber"], got["Certifications"]) == (key.serial_number, {"FIDO": "L2"})
        iam.deactivate_mfa_device(UserName="root", SerialNumber=key.serial_number)
        assert iam.list_mfa_devices()["MFADevices"] == []
