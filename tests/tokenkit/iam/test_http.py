"""Requests as no client of AWS sends them, or sends them twice."""

import http.client
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tokenkit.iam.app import MAX_BODY, Iam
from tokenkit.iam.signature import HttpRequest

VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}


class Wire:
    """Raw HTTP to a site, signed with root's access key."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.credentials = Credentials(site.root_key.id, site.root_key.secret)

    def signed(self, service: str, **fields: str) -> tuple[dict[str, str], bytes]:
        body = urlencode({"Version": VERSIONS[service], **fields}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", self.site.url + "/", data=body, headers=headers)
        SigV4Auth(self.credentials, service, "us-east-1").add_auth(request)
        return dict(request.headers.items()), body

    def send(
        self, headers: dict[str, str], body: bytes, method: str = "POST", path: str = "/"
    ) -> tuple[int, str]:
        """Status, and the error's code or the answer."""
        where = urlsplit(self.site.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.headers["Content-Type"] == "text/xml"
        code = re.search("<Code>(.*?)</Code>", text)
        return answer.status, text if code is None else code[1]


@pytest.fixture
def wire(site: Any) -> Wire:
    return Wire(site)


def test_a_refusal_is_a_line_of_the_log(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tokenkit.iam")
    wire.send({}, b"Action=GetUser")
    document = {"PolicyName": "p", "UserName": "root", "PolicyDocument": '{"Statement": [}'}
    wire.send(*wire.signed("iam", Action="PutUserPolicy", **document))
    assert wire.send(*wire.signed("iam", Action="GetUser"))[0] == 200
    unknown, malformed = caplog.messages
    assert unknown.startswith("a request by somebody unknown is refused: MissingAuthentication")
    assert malformed.startswith(
        "iam:PutUserPolicy by arn:aws:iam::123456789012:root is refused: MalformedPolicyDocument:"
    )
    assert "Expecting value: line 1 column 16" in malformed


def test_a_body_that_is_too_large(wire: Wire) -> None:
    headers, _ = wire.signed("iam", Action="GetUser")
    assert wire.send(headers, bytes(MAX_BODY + 1)) == (413, "RequestEntityTooLarge")
    assert wire.send(*wire.signed("iam", Action="GetUser"))[0] == 200


def test_the_largest_policy_there_may_be_is_read(wire: Wire, site: Any) -> None:
    site.verifier.create_user("ann")
    policy = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    fields = {"Action": "PutUserPolicy", "UserName": "ann", "PolicyName": "all"}
    long = policy + " " * (131_072 - len(policy))
    assert wire.send(*wire.signed("iam", **fields, PolicyDocument=long))[0] == 200
    assert site.verifier.user_policies("ann") == {"all": long}
    longer = wire.signed("iam", **fields, PolicyDocument=long + " ")
    assert wire.send(*longer) == (400, "ValidationError")


def test_without_a_signature(wire: Wire) -> None:
    form = b"Action=GetUser&Version=2010-05-08"
    assert wire.send({}, form) == (403, "MissingAuthenticationToken")
    assert wire.send({"Authorization": "Bearer x"}, form) == (400, "IncompleteSignature")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Action": "NoSuchOperation"}, "InvalidAction"),
        ({"Action": "AttachUserPolicy"}, "InvalidAction"),
        ({"Action": "GetUser", "Version": "2000-01-01"}, "InvalidAction"),
        ({"Action": "<script>&"}, "InvalidAction"),
        ({}, "MissingAction"),
    ],
)
def test_what_there_is_not(wire: Wire, fields: dict[str, str], code: str) -> None:
    assert wire.send(*wire.signed("iam", **fields)) == (400, code)


def test_another_service_and_another_body_than_was_signed(wire: Wire) -> None:
    headers, body = wire.signed("iam", Action="GetUser")
    other = {name: value.replace("/iam/", "/s3/") for name, value in headers.items()}
    assert wire.send(other, body) == (403, "SignatureDoesNotMatch")
    assert wire.send(headers, body + b"&UserName=ann") == (403, "SignatureDoesNotMatch")
    headers, body = wire.signed("sts", Action="GetUser")
    assert wire.send(headers, body) == (400, "InvalidAction")


def test_yesterdays_request(wire: Wire, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    headers, body = wire.signed("iam", Action="GetUser")
    site.wait(10 * 365 * 86_400)  # the service's clock is none of the signature's
    assert wire.send(headers, body)[0] == 200
    later_s = datetime.now(UTC).timestamp() + 301
    monkeypatch.setattr(site.service, "computer_now", lambda: later_s)
    assert wire.send(headers, body) == (403, "SignatureDoesNotMatch")


def test_a_request_that_is_sent_twice(wire: Wire, site: Any, iam: Any) -> None:
    """As clients do when a connection breaks: what it carried is used."""
    phone = site.new_phone(iam)
    named = {"UserName": "root", "SerialNumber": phone.serial_number}
    enable = wire.signed("iam", Action="EnableMFADevice", **named, **phone.pair())
    assert wire.send(*enable)[0] == 200
    assert wire.send(*enable) == (409, "EntityAlreadyExists")
    site.wait(30)
    given = {"SerialNumber": phone.serial_number, "TokenCode": phone.code()}
    sign_in = wire.signed("sts", Action="GetSessionToken", **given)
    assert wire.send(*sign_in)[0] == 200
    assert wire.send(*sign_in) == (403, "AccessDenied")


def test_a_presigned_address(wire: Wire, site: Any) -> None:
    """How some programs prove to others who they are."""
    fields = {"Action": "GetCallerIdentity", "Version": VERSIONS["sts"]}
    request = AWSRequest("GET", site.url + "/", params=fields)
    SigV4QueryAuth(wire.credentials, "sts", "us-east-1", expires=60).add_auth(request)
    address = urlsplit(request.prepare().url)
    status, text = wire.send({}, b"", "GET", f"/?{address.query}")
    assert status == 200
    assert "<Arn>arn:aws:iam::123456789012:root</Arn>" in text
    more = wire.send({}, b"", "GET", f"/?{address.query}&more=1")
    assert more == (403, "SignatureDoesNotMatch")


def test_a_plus_in_an_address_is_one(wire: Wire, site: Any, iam: Any) -> None:
    phone = site.new_phone(iam)
    fields = {
        "Action": "TagMFADevice",
        "Version": VERSIONS["iam"],
        "SerialNumber": phone.serial_number,
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "1+1 =",
    }
    request = AWSRequest("GET", site.url + "/", params=fields)
    SigV4QueryAuth(wire.credentials, "iam", "us-east-1", expires=60).add_auth(request)
    query = urlsplit(request.prepare().url).query
    for sent in (query, query.replace("1%2B1", "1+1")):
        assert wire.send({}, b"", "GET", f"/?{sent}")[0] == 200
        assert site.verifier.device_tags(phone.serial_number) == {"a": "1+1 ="}


def test_a_database_that_fails_is_not_described(
    wire: Wire, site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body = wire.signed("iam", Action="ListUsers")
    with site.verifier._store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE mfa_user RENAME TO mfa_gone")
    request = HttpRequest("POST", "/", "", {k.lower(): v for k, v in headers.items()}, body)
    status, answered, text = Iam(site.service).answer(request)
    assert (status, "<Code>ServiceUnavailable</Code>" in text) == (503, True)
    assert "<Message>The database failed.</Message>" in text
    for told in (text, repr(answered)):
        assert "mfa_user" not in told
        assert "sqlite" not in told
    assert "no such table: mfa_user" in caplog.text
