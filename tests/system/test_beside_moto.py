"""``iam_endpoint`` and moto in one process: each answers for its own."""

import boto3
import pytest
from botocore.exceptions import ClientError

from tokenkit.service.endpoint import IamEndpoint

# what moto would put into the environment in place of the endpoint's access key
KEEP_KEYS = {"core": {"mock_credentials": False}}

moto = pytest.importorskip("moto", reason="no moto: pip install 'tokenkit[system-tests]'")


def test_moto_answers_for_s3_and_the_endpoint_for_iam(iam_endpoint: IamEndpoint) -> None:
    with moto.mock_aws(config=KEEP_KEYS):
        boto3.client("s3").create_bucket(Bucket="here")
        assert [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]] == ["here"]
        boto3.client("iam").create_user(UserName="ann")
    assert [user.name for user in iam_endpoint.verifier.users()] == ["ann", "root"]


def test_a_wrong_code_is_refused_beside_moto(iam_endpoint: IamEndpoint) -> None:
    [serial_number] = iam_endpoint.service.tokens.make()
    token = iam_endpoint.service.tokens.find(serial_number)
    wrong, right = [
        {
            "UserName": "root",
            "SerialNumber": serial_number,
            "AuthenticationCode1": code1,
            "AuthenticationCode2": code2,
        }
        for code1, code2 in (("0" * 6, "1" * 6), token.two_codes())
    ]
    with moto.mock_aws(config=KEEP_KEYS):
        iam = boto3.client("iam")
        with pytest.raises(ClientError, match="InvalidAuthenticationCode"):
            iam.enable_mfa_device(**wrong)
        iam_endpoint.service.clock.advance(60)
        iam.enable_mfa_device(**right)
    assert [each.serial_number for each in iam_endpoint.verifier.devices("root")] == [serial_number]


def test_a_client_of_the_endpoint_needs_no_environment(iam_endpoint: IamEndpoint) -> None:
    with moto.mock_aws():  # which puts its own access key there
        arn = iam_endpoint.client("sts").get_caller_identity()["Arn"]
        with pytest.raises(ClientError, match=r"IncompleteSignature|InvalidClientTokenId"):
            boto3.client("sts").get_caller_identity()
    assert arn == "arn:aws:iam::123456789012:root"


def test_moto_alone_is_as_before(
    iam_endpoint: IamEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name)
    with moto.mock_aws():
        boto3.client("iam").create_user(UserName="moto-user")
    assert [user.name for user in iam_endpoint.verifier.users()] == ["root"]
