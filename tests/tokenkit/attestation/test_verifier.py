"""The verifier's policy: which models, formats and certifications it takes at registration."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from fido2 import cbor
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import CollectedClientData
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import (
    AccessDenied,
    Device,
    InvalidResponse,
    UntrustedAttestation,
    ValidationError,
    Verifier,
    WebAuthnPolicy,
)
from tokenkit.virtual import load_profile, metadata_blob, root_certificate

from .conftest import AAGUID, NOW_S, Lab

ORIGIN = "https://tokenkit.example"
FORMATS = ("packed", "fido-u2f", "tpm", "android-key", "apple")
MODEL = "01020304-0506-0708-090a-0b0c0d0e0f10"
ZERO = "00000000-0000-0000-0000-000000000000"
REFERENCE = load_profile("reference")


class Bench:
    """A verifier that trusts the lab's CA, and what browsers send it."""

    def __init__(self, lab: Lab, **policy: Any) -> None:
        policy = {"attestation": "direct", "trusted_roots": (lab.root,), **policy}
        self.lab = lab
        self.now_s = NOW_S
        self.verifier = Verifier(now=lambda: self.now_s, webauthn=WebAuthnPolicy(**policy))

    def answer(self, name: str, **options: Any) -> tuple[str, dict[str, Any]]:
        """A ceremony's id, and the answer to it by a key of the lab's."""
        ceremony = self.verifier.begin_registration("root")
        challenge = ceremony.options.public_key.challenge
        client_data = CollectedClientData.create("webauthn.create", challenge, ORIGIN)
        made = self.lab.make(name, client_data.hash, **options)
        attestation = {
            "fmt": made.format,
            "attStmt": dict(made.statement),
            "authData": made.auth_data,
        }
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "attestationObject": websafe_encode(cbor.encode(attestation)),
        }
        raw_id = websafe_encode(b"credential id")
        return ceremony.id, {
            "id": raw_id,
            "rawId": raw_id,
            "response": response,
            "type": "public-key",
            "clientExtensionResults": {},
        }

    def register(self, name: str, transports: Any = None, **options: Any) -> Device:
        ceremony_id, answer = self.answer(name, **options)
        if transports is not None:
            answer["response"]["transports"] = transports
        return self.verifier.complete_registration(ceremony_id, answer)

    def refuses(self, message: str, name: str, **options: Any) -> None:
        with pytest.raises(UntrustedAttestation, match=message):
            self.register(name, **options)
        assert self.verifier.devices() == []


@pytest.fixture
def bench(lab: Lab) -> Callable[..., Bench]:
    return lambda **policy: Bench(lab, **policy)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(bench: Any, name: str) -> None:
    device = bench().register(name)
    assert device.attestation_format == name
    assert device.aaguid == (ZERO if name in ("fido-u2f", "apple") else MODEL)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_that_are_not_allowed(bench: Any, name: str) -> None:
    others = tuple(each for each in FORMATS if each != name)
    bench(attestation_formats=others).refuses(f"format {name} is not among", name)
    assert bench(attestation_formats=(name,)).register(name).attestation_format == name


def test_none_where_it_is_allowed(bench: Any) -> None:
    """Then keys may give none, but what they give must hold."""
    allowed = (*FORMATS, "none")
    assert bench(attestation_formats=allowed).register("none").attestation_format == "none"
    assert bench(attestation_formats=allowed).register("packed").attestation_format == "packed"
    bench(attestation_formats=allowed).refuses("no certificate vouches", "packed-self")


def test_what_nobody_asked_for_is_not_looked_at(bench: Any) -> None:
    device = bench(attestation="none", trusted_roots=()).register("packed")
    assert (device.attestation_format, device.aaguid) == ("none", MODEL)


def test_models(bench: Any) -> None:
    bench(aaguids=(ZERO,)).refuses("model is not among those allowed", "packed")
    bench(aaguids=(MODEL,)).register("packed")
    bench(aaguids=(MODEL,)).refuses("model is not among those allowed", "fido-u2f")


def test_a_chain_that_expired_by_the_verifiers_clock(bench: Any) -> None:
    bench = bench()
    bench.now_s += 20 * 366 * 86_400
    bench.refuses("valid from 2020-01-01 to 2040-01-01 only", "packed")


@given(st.sampled_from(FORMATS), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_any_bit_of_the_answer(lab: Lab, name: str, place: float, bit: int) -> None:
    bench = Bench(lab)
    ceremony_id, answer = bench.answer(name)
    data = bytearray(websafe_decode(answer["response"]["attestationObject"]))
    signed = unsigned(data)
    data[int(place * len(data))] ^= 1 << bit
    answer["response"]["attestationObject"] = websafe_encode(data)
    try:
        bench.verifier.complete_registration(ceremony_id, answer)
    except AccessDenied:
        assert bench.verifier.devices() == []
    else:  # fido-u2f signs neither flags nor counter; ES256 has two names
        assert unsigned(data) == signed
    bench.verifier.close()


def unsigned(data: bytes) -> Any:
    """An attestation object without what nothing signs."""
    decoded: Any = cbor.decode(bytes(data))
    auth_data = decoded["authData"]
    if decoded["fmt"] == "fido-u2f":
        auth_data = auth_data[:32] + auth_data[37:]
    statement = {name: value for name, value in decoded["attStmt"].items() if name != "alg"}
    # how many bits of its last byte a signature leaves unused is in nobody's hash
    for place, each in enumerate(statement.get("x5c", [])):
        certificate = x509.load_der_x509_certificate(each)
        statement["x5c"][place] = (certificate.tbs_certificate_bytes, certificate.signature)
    return decoded["fmt"], auth_data, statement


METADATA = {"metadata": metadata_blob([REFERENCE]), "metadata_root": root_certificate()}


def test_a_model_that_metadata_does_not_know(bench: Any) -> None:
    bench(**METADATA, trusted_roots=()).refuses("does not know this model", "packed")
    device = bench(**METADATA).register("packed")  # the root vouches for it
    assert device.attestation_format == "packed"


def test_roots_alone_certify_nothing(bench: Any) -> None:
    bench(**METADATA, certification="L1").refuses("certified as nothing, not L1", "packed")


@pytest.mark.parametrize("change", [{"metadata": b"x"}, {"metadata_root": b"x"}])
def test_what_is_no_metadata(change: Any) -> None:
    with pytest.raises(ValidationError, match=r"^metadata is no FIDO MDS3 BLOB"):
        Verifier(webauthn=WebAuthnPolicy(attestation="direct", **{**METADATA, **change}))


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["usb", "nfc"], ["nfc", "usb"]),
        (["usb", "usb", "quantum-link"], ["quantum-link", "usb"]),
        ([], []),
        (["usb", 5, None, "", "x" * 33, "USB\n"], ["usb"]),
        ("usb", None),
        ({"usb": 1}, None),
        ([f"w{chr(97 + number)}" for number in range(20)], [f"w{c}" for c in "abcdefgh"]),
    ],
)
def test_transports(bench: Any, told: Any, kept: list[str] | None) -> None:
    bench = bench()
    bench.register("packed", transports=told)
    words = [each for each in kept or () if each in ("usb", "nfc")] or None
    options = bench.verifier.begin_assertion("root").options.public_key
    [allowed] = dict(options)["allowCredentials"]
    assert allowed.get("transports") == words
    options = bench.verifier.begin_registration("root").options.public_key
    [excluded] = dict(options)["excludeCredentials"]
    assert excluded == allowed


def test_a_policy_that_requires_user_verification_is_not_overruled(bench: Any) -> None:
    bench = bench(user_verification="required")
    ceremony = bench.verifier.begin_registration("root", user_verification="discouraged")
    selection = dict(ceremony.options.public_key)["authenticatorSelection"]
    assert selection["userVerification"] == "required"
    # the lab's keys set the flag
    made = bench.register("packed")
    assert made.attestation_format == "packed"
    ceremony_id, answer = bench.answer("packed")
    attestation: Any = dict(cbor.decode(websafe_decode(answer["response"]["attestationObject"])))
    auth_data = bytearray(attestation["authData"])
    auth_data[32] &= ~4
    attestation["authData"] = bytes(auth_data)
    answer["response"]["attestationObject"] = websafe_encode(cbor.encode(attestation))
    with pytest.raises(InvalidResponse, match="User verification required"):
        bench.verifier.complete_registration(ceremony_id, answer)


DIRECT = WebAuthnPolicy(attestation="direct", trusted_roots=(b"root",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attestation_formats": ("packed", "android-safetynet")}, "each of attestation_formats"),
        ({"aaguids": ("x",)}, "aaguids are UUIDs"),
        ({"aaguids": (MODEL.upper(),)}, "aaguids are UUIDs in small letters"),
        ({"aaguids": (AAGUID,)}, "aaguids are UUIDs"),
        ({"aaguids": (MODEL,), "attestation": "none"}, "aaguids needs attestation"),
        ({"aaguids": (MODEL,), "attestation_formats": ("packed", "none")}, 'no "none" in'),
        ({"certification": "L4"}, "certification is L1, L1plus"),
        ({"certification": "L1"}, "certification needs metadata"),
        ({"metadata": b"x"}, "given together"),
        ({"metadata_root": b"x"}, "given together"),
        ({"trusted_roots": ()}, "needs trusted_roots or metadata"),
    ],
)
def test_policies_that_contradict_themselves(changes: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        replace(DIRECT, **changes)
