"""What clients send: as python-fido2 or as a browser, and what is neither."""

import struct
from typing import Any

import pytest
from fido2 import cbor
from fido2.utils import websafe_encode
from fido2.webauthn import AuthenticatorData

from tokenkit.verifier import (
    InvalidResponse,
)

Site = Any


def test_python_fido2s_own_objects(site: Site) -> None:
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    made = site.client(key).make_credential(ceremony.options.public_key)
    site.verifier.complete_registration(ceremony.id, made)
    ceremony = site.verifier.begin_assertion("root")
    selection = site.client(key).get_assertion(ceremony.options.public_key)
    site.verifier.complete_assertion(ceremony.id, selection.get_response(0))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [],
        "answer",
        {"id": "AA"},
        {"id": "AA", "rawId": "AB", "response": {}},
        {"rawId": "AA", "response": None},
        {"rawId": "AA", "response": {"clientDataJSON": "e30"}},
        {"rawId": 1, "response": 2, "type": 3},
    ],
)
def test_what_is_no_answer(site: Site, answer: Any) -> None:
    site.register(site.key())
    with pytest.raises(InvalidResponse, match="registration is not valid"):
        site.verifier.complete_registration(site.verifier.begin_registration("root").id, answer)
    with pytest.raises(InvalidResponse, match="assertion is not valid"):
        site.verifier.complete_assertion(site.verifier.begin_assertion("root").id, answer)


def test_a_registration_of_two_credentials(site: Site) -> None:
    ceremony = site.verifier.begin_registration("root")
    made = site.make(site.key(), ceremony)
    made["id"] = made["rawId"] = "AAAA"
    with pytest.raises(InvalidResponse, match="two credentials"):
        site.verifier.complete_registration(ceremony.id, made)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:32] + b"\x01" + data[33:37], "no credential"),
        (lambda data: data[:32] + b"\x40" + data[33:], "User Present"),
        (lambda data: replaced_key(data, {1: 2, 3: -65535}), "not offered"),
        (lambda data: replaced_key(data, {1: 2, 3: [-7]}), "not valid"),
        (lambda data: replaced_key(data, {1: 2}), "not valid"),
        (lambda data: data[:40], "not valid"),
        (lambda data: data[:55] + b"\x81" * 5000, "not valid"),
        (lambda data: data + b"\0", "not valid"),
    ],
    ids=["none", "absent", "old", "list", "no alg", "short", "nested", "long"],
)
def test_authenticator_data_that_cannot_be(site: Site, change: Any, message: str) -> None:
    ceremony = site.verifier.begin_registration("root")
    made = site.make(site.key(), ceremony)
    site.set_attestation(made, lambda it: it | {"authData": change(it["authData"])})
    with pytest.raises(InvalidResponse, match=message):
        site.verifier.complete_registration(ceremony.id, made)
    assert site.verifier.devices() == []


@pytest.mark.parametrize(("length", "fits"), [(1023, True), (1024, False)])
def test_the_longest_credential_id(site: Site, length: int, fits: bool) -> None:
    ceremony = site.verifier.begin_registration("root")
    made = site.make(site.key(), ceremony)
    long_id = bytes(length)
    site.set_attestation(made, lambda it: it | {"authData": replaced_id(it["authData"], long_id)})
    made["id"] = made["rawId"] = websafe_encode(long_id)
    if fits:
        site.verifier.complete_registration(ceremony.id, made)
    else:
        with pytest.raises(InvalidResponse, match="over 1023 bytes"):
            site.verifier.complete_registration(ceremony.id, made)


@pytest.mark.parametrize(
    "public_key",
    [{1: 2, 3: -7}, {1: 2, 3: -7, -1: 1, -2: b"x", -3: b"y"}, {1: 1, 3: -8, -1: 6, -2: "x"}],
)
def test_a_key_that_makes_no_sense_signs_nobody_in(site: Site, public_key: dict[int, Any]) -> None:
    """Without attestation nothing proves a public key until it is used."""
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    made = site.make(key, ceremony)
    site.set_attestation(
        made, lambda it: it | {"authData": replaced_key(it["authData"], public_key)}
    )
    site.verifier.complete_registration(ceremony.id, made)
    with pytest.raises(InvalidResponse):
        site.sign_in(key)


def replaced_key(data: bytes, public_key: dict[int, Any]) -> bytes:
    credential_id = AuthenticatorData(data).credential_data.credential_id
    return data[: 55 + len(credential_id)] + cbor.encode(public_key)


def replaced_id(data: bytes, credential_id: bytes) -> bytes:
    rest = data[55 + len(AuthenticatorData(data).credential_data.credential_id) :]
    return data[:53] + struct.pack(">H", len(credential_id)) + credential_id + rest
