"""Whatever a browser sends, the console does not fail, and says nothing unescaped."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATHS = [
    "sign-in",
    "sign-in/mfa",
    "sign-in/resync",
    "sign-in/key/begin",
    "sign-in/key/complete",
    "sign-out",
    "assign",
    "assign/security-key/begin",
    "assign/security-key/complete",
    "assign/authenticator-app",
    "assign/hardware-token",
    "resync",
    "remove",
    "admin/users",
    "admin/users/ann",
    "admin/users/ann/password",
    "admin/users/ann/delete",
    "admin/devices",
    "admin/device",
    "admin/unlock",
    "admin/seeds",
    "admin/seeds/import",
    "admin/audit",
    "admin/audit.jsonl",
    "virtual-tokens",
    "virtual-token",
    "virtual-token/now",
    "virtual-token/press",
    "virtual-token/move",
    "virtual-token/advance",
]
FIELDS = [
    *("user", "password", "code", "code1", "code2", "serial", "name", "kind", "csrf"),
    *("confirm", "file", "key", "pending", "count", "place", "by"),
]
QUERIES = ["serial", "name", "kind", "side", "user", "event", "outcome", "before"]
# Python knows each of them, and what it does with bytes that are none of theirs differs
CHARSETS = [
    "utf-8",
    "latin-1",
    "undefined",
    "unicode_escape",
    "idna",
    "utf-16",
    "utf-7",
    "hex",
    "x",
]
MARK = "<i>\"'&"
text = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.sampled_from([MARK, "root", "ann", "123456", "TKTEST00000001", "authenticator-app"]),
    st.sampled_from(["hour", "1", "desk", "moon", "correct horse"]),
)


@pytest.mark.parametrize("stage", ["stranger", "signed in", "administrator"])
@settings(max_examples=60)
@given(
    path=st.sampled_from(PATHS),
    fields=st.dictionaries(st.sampled_from(FIELDS), text),
    query=st.dictionaries(st.sampled_from(QUERIES), text),
)
def test_any_form(
    browser: Any, stage: str, path: str, fields: dict[str, str], query: dict[str, str]
) -> None:
    if browser.open("assign").url.path.endswith("sign-in") and stage != "stranger":
        sign_in(browser, "ann" if stage == "signed in" else "root")
    given = browser.client.get(f"/console/{path}", params=query)
    assert given.status_code < 500
    assert MARK not in given.text
    browser.send(path, **fields)
    assert browser.answer.status_code < 500
    assert MARK not in browser.answer.text


def sign_in(browser: Any, user: str) -> None:
    if user not in [each.name for each in browser.verifier.users()]:
        browser.verifier.create_user(user)
    browser.verifier.set_password(user, "correct horse")  # which clears nothing but sessions
    browser.service.clock.advance(1000)
    browser.sign_in(user)
    browser.open("assign")


def multipart(fields: dict[str, bytes]) -> bytes:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--x--\r\n"


def post_multipart(browser: Any, path: str, charset: str, content: bytes) -> Any:
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    return browser.client.post(f"/console/{path}", content=content, headers={"content-type": kind})


@settings(max_examples=100)
@given(
    path=st.sampled_from(PATHS),
    charset=st.sampled_from(CHARSETS),
    fields=st.dictionaries(
        st.sampled_from(FIELDS),
        st.binary(max_size=60) | st.sampled_from([b"\\ud800", b"a..b", b"\xed\xa0\x80", b"\\x"]),
    ),
    broken=st.binary(max_size=20),
)
def test_any_form_in_parts(
    browser: Any, path: str, charset: str, fields: dict[str, bytes], broken: bytes
) -> None:
    if not browser.csrf():
        browser.open("sign-in")
    fields = {"csrf": browser.csrf().encode(), **fields}
    assert post_multipart(browser, path, charset, multipart(fields) + broken).status_code < 500


@pytest.mark.parametrize("charset", [each for each in CHARSETS if each != "utf-8"])
def test_another_charset_is_refused(browser: Any, charset: str) -> None:
    browser.open("sign-in")
    fields = {"csrf": browser.csrf().encode(), "user": b"\\ud800", "password": b"a..b"}
    answer = post_multipart(browser, "sign-in", charset, multipart(fields))
    assert answer.status_code == 400
    assert "UTF-8" in answer.text
    assert post_multipart(browser, "sign-in", '"UTF-8"', multipart(fields)).status_code == 403


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    value=json_values
    | st.fixed_dictionaries(
        {"id": st.text(max_size=32), "answer": st.dictionaries(st.text(), json_values)},
        optional={"name": json_values},
    )
)
def test_any_answer_of_a_security_key(browser: Any, value: Any) -> None:
    import json

    if not browser.csrf():
        browser.sign_in("ann")
        browser.open("assign")
    begun = browser.client.post(
        "/console/assign/security-key/begin", json={}, headers={"x-csrf-token": browser.csrf()}
    )
    if isinstance(value, dict) and "id" in value:
        value = {**value, "id": begun.json()["id"]}
    answer = browser.client.post(
        "/console/assign/security-key/complete",
        content=json.dumps(value),
        headers={"content-type": "application/json", "x-csrf-token": browser.csrf()},
    )
    assert 400 <= answer.status_code < 500
    assert browser.verifier.devices("ann") == []
