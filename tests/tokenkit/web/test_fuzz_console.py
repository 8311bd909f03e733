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
]
FIELDS = ["user", "password", "code", "code1", "code2", "serial", "name", "kind", "csrf"]
MARK = "<i>\"'&"
text = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.sampled_from([MARK, "root", "ann", "123456", "TKTEST00000001", "authenticator-app"]),
)


@pytest.mark.parametrize("stage", ["stranger", "signed in"])
@settings(max_examples=60)
@given(
    path=st.sampled_from(PATHS),
    fields=st.dictionaries(st.sampled_from(FIELDS), text),
    query=st.dictionaries(st.sampled_from(["serial", "name", "kind"]), text),
)
def test_any_form(
    browser: Any, stage: str, path: str, fields: dict[str, str], query: dict[str, str]
) -> None:
    if browser.open("assign").url.path.endswith("sign-in") and stage == "signed in":
        browser.verifier.set_password("ann", "correct horse")  # which clears nothing but sessions
        browser.service.clock.advance(1000)
        browser.sign_in("ann")
        browser.open("assign")
    given = browser.client.get(f"/console/{path}", params=query)
    assert given.status_code < 500
    assert MARK not in given.text
    browser.send(path, **fields)
    assert browser.answer.status_code < 500
    assert MARK not in browser.answer.text


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
