"""Attestation: made, judged by certificates and by metadata."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor

from firmware_sim.fido.metadata import metadata_blob
from tokenkit.attestation import Metadata, TrustedRoots
from tokenkit.errors import TokenkitError
from tokenkit.keys import DeniedError, OpenKey
from tokenkit.keys.attestation import (
    Attested,
    judge,
    make_attested,
    names,
    needs_pin_to_attest,
    read_certificates,
    read_metadata,
)
from tokenkit.keys.config import Configuration
from tokenkit.virtual import ScriptedFinger, load_profile, profile_names, root_certificate

PIN = "1379"
MakeKey = Callable[..., OpenKey]
TEST_CA = TrustedRoots([root_certificate()])


@pytest.fixture(scope="session")
def stranger() -> bytes:
    """A root certificate (DER) that issued nothing here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(2050))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def attested(make_key: MakeKey) -> Attested:
    return make_attested(make_key())


def test_the_test_ca_vouches_for_the_reference_key(attested: Attested) -> None:
    assert (attested.format, attested.algorithm) == ("packed", -7)
    assert attested.aaguid == "746f6b65-6e6b-4974-8000-726566657265"
    [certificate] = attested.chain
    subject, issuer = names(certificate)
    assert "CN=tokenkit reference key batch" in subject
    assert "CN=tokenkit test attestation CA" in issuer
    assert judge(attested, TEST_CA).holds


def test_it_takes_no_room_and_one_touch(make_key: MakeKey) -> None:
    key = make_key(finger=ScriptedFinger([1.0]))
    before = key.ctap2().info.remaining_disc_creds
    told: list[str] = []
    make_attested(key, tell=told.append)
    assert told == ["touch the key now"]
    assert key.ctap2().info.remaining_disc_creds == before
    with pytest.raises(DeniedError, match="nobody touched it in time"):
        make_attested(key)


def test_another_ca_does_not(attested: Attested, stranger: bytes) -> None:
    verdict = judge(attested, TrustedRoots([stranger]))
    assert (verdict.holds, verdict.reason) == (
        False,
        "no trusted certificate issued its certificate",
    )


def test_without_anything_to_trust(attested: Attested) -> None:
    verdict = judge(attested)
    assert not verdict.holds
    assert "no certificate to trust was given" in verdict.reason


def test_a_key_that_vouches_for_itself(make_key: MakeKey) -> None:
    attested = make_attested(make_key(base="self-attested"))
    assert attested.chain == []
    assert judge(attested, TEST_CA).reason == "the key vouches for itself only (self attestation)"


def test_no_attestation(make_key: MakeKey) -> None:
    attested = make_attested(make_key('attestation = "none"\nversions = ["FIDO_2_0"]', base=None))
    assert judge(attested, TEST_CA).reason == "the key gave no attestation"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sig": b"x"}, "signature is wrong"),
        ({"x5c": [b"x"]}, "not as WebAuthn says"),
        ({"x5c": 5}, "not as WebAuthn says"),
        ({"alg": -257}, "not as WebAuthn says"),
        ({"alg": "ES256"}, "not as WebAuthn says"),
        ({"ecdaaKeyId": b"x"}, "not as WebAuthn says"),
    ],
)
def test_a_wrong_statement(
    make_key: MakeKey, alter: Any, changes: dict[str, Any], reason: str
) -> None:
    key = make_key()
    real = key.device

    def tampered(request: bytes) -> bytes:
        answer: dict[int, Any] = dict(cbor.decode(real.call(0x10, request)[1:]))
        answer[3] = {**answer[3], **changes}
        return b"\0" + cbor.encode(answer)

    alter(key).answers[b"\x01"] = tampered
    verdict = judge(make_attested(key), TEST_CA)
    assert not verdict.holds
    assert reason in verdict.reason


def test_an_unknown_format(make_key: MakeKey, alter: Any) -> None:
    key = make_key()
    real = key.device
    alter(key).answers[b"\x01"] = lambda request: real.call(0x10, request).replace(
        b"\x66packed", b"\x66pucked"
    )
    verdict = judge(make_attested(key), TEST_CA)
    assert 'format "pucked" is not supported' in verdict.reason


def test_it_takes_the_pin_where_the_key_demands_it(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    assert not needs_pin_to_attest(key)
    Configuration(key, PIN).set_always_uv(True)
    assert needs_pin_to_attest(key)
    with pytest.raises(DeniedError, match="demands its PIN"):
        make_attested(key)
    assert judge(make_attested(key, PIN, "a.example"), TEST_CA).holds
    unset = make_key()
    Configuration(unset, None).set_always_uv(True)
    with pytest.raises(DeniedError, match="has no PIN"):
        needs_pin_to_attest(unset)


def test_certificates_are_read_as_pem_and_der() -> None:
    der = root_certificate()
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    assert read_certificates(der, "ca.der") == [der]
    assert read_certificates(b"the root:\n" + pem + pem, "ca.pem") == [der, der]
    for wrong in (b"", b"x", pem[:100], der[:-1]):
        with pytest.raises(TokenkitError, match=r"^ca: holds no X.509 certificate, PEM or DER"):
            read_certificates(wrong, "ca")


PROFILES = [load_profile(name) for name in profile_names()]


def metadata(profiles: Any = PROFILES, **statuses: str) -> Metadata:
    blob = metadata_blob(profiles, statuses) + b"\n"
    return read_metadata(blob, root_certificate(), "blob.jwt")


def test_metadata_vouches_for_a_model(attested: Attested) -> None:
    verdict = judge(attested, metadata())
    assert verdict.holds
    assert verdict.model == "tokenkit reference key (simulated)"


def test_metadata_that_does_not_vouch(attested: Attested, make_key: MakeKey) -> None:
    revoked = judge(attested, metadata(reference="REVOKED"))
    assert revoked.reason == "the metadata says of this model: REVOKED"
    unknown = judge(attested, metadata([load_profile("self-attested")]))
    assert unknown.reason == "the metadata does not know this model"
    itself = judge(make_attested(make_key(base="self-attested")), metadata())
    assert itself.reason == "the key vouches for itself only (self attestation)"
    assert itself.model == "tokenkit self-attested key (simulated)"


@pytest.mark.parametrize("text", [b"", b"x", b"x.y", b"e30.e30.", b"e30.e30.AA", b"\xff.\xff.\xff"])
def test_what_is_no_metadata(text: bytes) -> None:
    with pytest.raises(TokenkitError, match=r"^blob.jwt: "):
        read_metadata(text, root_certificate(), "blob.jwt")


def test_metadata_that_another_signed(stranger: bytes) -> None:
    blob, other = metadata_blob(PROFILES), metadata_blob(PROFILES, number=2)
    head, _, signature = blob.split(b".")
    changed = b".".join((head, other.split(b".")[1], signature))
    for wrong, root in ((blob, stranger), (changed, root_certificate())):
        with pytest.raises(TokenkitError, match="not signed under the MDS root given"):
            read_metadata(wrong, root, "blob.jwt")
