"""Signature Version 4 beside botocore's signers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.iam.errors import AwsError
from tokenkit.iam.signature import (
    HttpRequest,
    check_signature,
    check_time,
    read_signature,
)

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
URL = "http://127.0.0.1:8000/"
SIGNED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNED_S = SIGNED.timestamp()


@pytest.fixture(autouse=True)
def _signed_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore signs at SIGNED."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: SIGNED)


def signed(
    body: bytes = b"Action=GetUser", token: str | None = None, service: str = "iam"
) -> HttpRequest:
    request = AWSRequest("POST", URL, data=body, headers={"Content-Type": "text/plain"})
    credentials = Credentials(KEY_ID, SECRET, token)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest("POST", "/", "", {**headers, "host": "127.0.0.1:8000"}, body)


def presigned(parameters: dict[str, str], expires_s: int = 60) -> HttpRequest:
    request = AWSRequest("GET", URL, params=parameters)
    SigV4QueryAuth(Credentials(KEY_ID, SECRET), "sts", "us-east-1", expires_s).add_auth(request)
    query = urlsplit(request.prepare().url).query
    return HttpRequest("GET", "/", query, {"host": "127.0.0.1:8000"}, b"")


def changed(request: HttpRequest, **members: Any) -> HttpRequest:
    names = ("method", "path", "query", "headers", "body")
    return HttpRequest(**{**{name: getattr(request, name) for name in names}, **members})


def check(request: HttpRequest, secret: str = SECRET, now_s: float = SIGNED_S) -> None:
    signature = read_signature(request)
    check_time(signature, now_s)
    check_signature(signature, request, secret)


def refusal(request: HttpRequest, secret: str = SECRET, now_s: float = SIGNED_S) -> str:
    with pytest.raises(AwsError) as caught:
        check(request, secret, now_s)
    return caught.value.code


@given(body=st.binary(max_size=100), token=st.none() | st.text("abc+/=", min_size=1))
def test_what_botocore_signs_passes(body: bytes, token: str | None) -> None:
    request = signed(body, token)
    signature = read_signature(request)
    assert (signature.access_key_id, signature.session_token) == (KEY_ID, token)
    assert (signature.service, signature.region) == ("iam", "us-east-1")
    check_time(signature, SIGNED_S)
    check_signature(signature, request, SECRET)
    assert refusal(request, SECRET + "x") == "SignatureDoesNotMatch"
    assert refusal(changed(request, body=body + b"&")) == "SignatureDoesNotMatch"


@given(parameters=st.dictionaries(st.text("aZ+/ é", min_size=1), st.text("aZ+/=& é"), max_size=4))
def test_what_botocore_presigns_passes(parameters: dict[str, str]) -> None:
    request = presigned({"Action": "GetCallerIdentity", **parameters})
    signature = read_signature(request)
    check_time(signature, SIGNED_S + 60)
    check_signature(signature, request, SECRET)
    more = changed(request, query=request.query + "&more=1")
    assert refusal(more) == "SignatureDoesNotMatch"
    assert refusal(request, now_s=SIGNED_S + 61) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "members",
    [
        {"method": "GET"},
        {"path": "/x"},
        {"query": "x=1"},
        {"body": b"Action=DeleteUser"},
    ],
)
def test_what_was_changed_is_refused(members: dict[str, Any]) -> None:
    assert refusal(changed(signed(), **members)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["host", "x-amz-date", "content-type"])
def test_a_header_that_was_signed(name: str) -> None:
    request = signed()
    other = {**request.headers, name: request.headers[name].replace("0", "1") + "x"}
    assert refusal(changed(request, headers=other)) in (
        "SignatureDoesNotMatch",
        "IncompleteSignature",
    )
    missing = {key: value for key, value in request.headers.items() if key != name}
    assert refusal(changed(request, headers=missing)) in (
        "SignatureDoesNotMatch",
        "IncompleteSignature",
    )


@given(st.data())
def test_any_flipped_character_is_refused(data: Any) -> None:
    request = signed()
    header = request.headers["authorization"]
    place = data.draw(st.integers(0, len(header) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(header[place].__ne__)
    )
    headers = {**request.headers, "authorization": header[:place] + other + header[place + 1 :]}
    altered = changed(request, headers=headers)
    try:
        signature = read_signature(altered)
    except AwsError as error:
        refused = error.code in ("IncompleteSignature", "SignatureDoesNotMatch")
    else:
        refused = signature.access_key_id != KEY_ID  # nobody's, or another's secret
        if not refused:
            refused = refusal(altered) == "SignatureDoesNotMatch"
    assert refused


@given(st.text(max_size=100))
def test_any_text_is_no_signature(text: str) -> None:
    request = changed(signed(), headers={"host": "x", "authorization": text})
    assert refusal(request) == "IncompleteSignature"


def test_no_signature_at_all() -> None:
    assert refusal(HttpRequest("POST", "/", "", {}, b"")) == "MissingAuthenticationToken"


class TestTime:
    def test_five_minutes_to_either_side(self) -> None:
        signature = read_signature(signed())
        for seconds in (-300, 0, 300):
            check_time(signature, SIGNED_S + seconds)

    def test_too_late_and_too_early_are_told_apart(self) -> None:
        signature = read_signature(signed())
        with pytest.raises(AwsError) as caught:
            check_time(signature, SIGNED_S + 301)
        assert caught.value.message == (
            "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z"
            " (20260102T030906Z - 5 min.)"
        )
        with pytest.raises(AwsError) as caught:
            check_time(signature, SIGNED_S - 301)
        assert caught.value.message == (
            "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z"
            " (20260102T025904Z + 5 min.)"
        )

    def test_a_scope_of_another_day(self) -> None:
        request = signed()
        day = f"{SIGNED + timedelta(days=1):%Y%m%d}"
        header = request.headers["authorization"].replace("/20260102/", f"/{day}/")
        headers = {**request.headers, "authorization": header}
        assert refusal(changed(request, headers=headers)) == "SignatureDoesNotMatch"

    def test_a_date_that_is_none(self) -> None:
        headers = {**signed().headers, "x-amz-date": "20269999T999999Z"}
        assert refusal(changed(signed(), headers=headers)) == "IncompleteSignature"
