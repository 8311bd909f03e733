"""Statements of every format: what is right is accepted, what is not is refused in words."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.attestation.base import (
    Attestation,
    AttestationType,
    InvalidAttestation,
    InvalidData,
    InvalidSignature,
    UnsupportedType,
)
from fido2.cose import ES256
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation import FORMATS

from .conftest import (
    AAGUID,
    AAGUID_EXTENSION,
    GENERATED,
    KEY_DESCRIPTION,
    NONCE_EXTENSION,
    PACKED_SUBJECT,
    SIGNS,
    Lab,
    Made,
    aik,
    ca,
    der,
    not_ca,
    octets,
    pub_area,
    sized,
    tpm_name,
)

OTHER = ec.derive_private_key(99, ec.SECP256R1())
P384 = ec.derive_private_key(99, ec.SECP384R1())
KINDS = {
    "none": AttestationType.NONE,
    "packed-self": AttestationType.SELF,
    "packed": AttestationType.BASIC,
    "fido-u2f": AttestationType.BASIC,
    "tpm": AttestationType.ATT_CA,
    "android-key": AttestationType.BASIC,
    "apple": AttestationType.ANON_CA,
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_right(lab: Lab, name: str) -> None:
    made = lab.make(name)
    result = made.verify()
    assert result.attestation_type == KINDS[name]
    assert result.trust_path == made.statement.get("x5c", [])
    if result.trust_path:
        lab.roots.check(result, AuthenticatorData(made.auth_data))


def refused(made: Made, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        made.verify()


def test_another_format(lab: Lab) -> None:
    with pytest.raises(UnsupportedType, match='"android-safetynet" is not supported'):
        replace(lab.make("none"), format="android-safetynet").verify()


def test_python_fido2_finds_what_it_lacked() -> None:
    assert Attestation.for_type("android-key") is FORMATS["android-key"]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "none"])
def test_members(lab: Lab, name: str) -> None:
    made = lab.make(name)
    for member, value in made.statement.items():
        if member not in ("x5c", "alg") or name not in ("packed", "apple"):
            refused(made.with_members(**{member: None}), f"it lacks {member}")
        refused(made.with_members(**{member: "x" if value != "2.0" else b"x"}), "another type")
    refused(made.with_members(extra=b""), "'extra', which the format has not")
    refused(made.with_members(ecdaaKeyId=b"x"), "'ecdaaKeyId'")
    if "alg" in made.statement:
        refused(made.with_members(alg=True), "alg is of another type")
    if "x5c" in made.statement:
        for wrong in ([], [b"x"], ["x"], [b""]):
            with pytest.raises(InvalidAttestation):
                made.with_members(x5c=wrong).verify()
    if "sig" in made.statement:
        for signature in (b"", b"x", made.statement["sig"][:-1]):
            with pytest.raises(InvalidSignature, match="signature is wrong"):
                made.with_members(sig=signature).verify()


def test_none_is_empty(lab: Lab) -> None:
    with pytest.raises(InvalidData):
        lab.make("none").with_members(sig=b"").verify()


@pytest.mark.parametrize("name", KINDS)
def test_without_a_credential(lab: Lab, name: str) -> None:
    made = lab.make(name)
    bare = replace(made, auth_data=made.auth_data[:32] + b"\x01" + made.auth_data[33:37])
    if name == "none":
        assert bare.verify().attestation_type == AttestationType.NONE
    else:
        with pytest.raises(InvalidAttestation):
            bare.verify()


class TestPacked:
    @pytest.mark.parametrize("algorithm", [-257, -37])
    def test_rsa(self, lab: Lab, algorithm: int) -> None:
        assert lab.make("packed", algorithm=algorithm).verify().trust_path

    def test_sha_1(self, lab: Lab) -> None:
        refused(lab.make("packed", algorithm=-65535), "SHA-1")

    def test_an_algorithm_of_another_kind_of_key(self, lab: Lab) -> None:
        refused(lab.make("packed").with_members(alg=-257), "does not fit")
        with pytest.raises(InvalidAttestation):
            lab.make("packed").with_members(alg=-8).verify()

    def test_self_attestation_by_another_algorithm(self, lab: Lab) -> None:
        refused(lab.make("packed-self").with_members(alg=-35), "not that of the credential")

    def test_no_certificates_is_not_self_attestation(self, lab: Lab) -> None:
        refused(lab.make("packed-self").with_members(x5c=[]), "x5c is empty")

    @pytest.mark.parametrize(
        ("part", "value", "message"),
        [
            ("C", None, "0 of C"),
            ("O", None, "0 of O"),
            ("OU", None, "0 of OU"),
            ("CN", None, "0 of CN"),
            ("C", "S1", "ISO 3166"),
            ("OU", "authenticator attestation", "OU of its certificate is not"),
        ],
    )
    def test_subjects(self, lab: Lab, part: str, value: str | None, message: str) -> None:
        subject = [
            (name, value if name == part else text)
            for name, text in PACKED_SUBJECT
            if name != part or value is not None
        ]
        refused(lab.make("packed", subject=subject), message)

    def test_two_units(self, lab: Lab) -> None:
        refused(lab.make("packed", subject=(*PACKED_SUBJECT, ("OU", "b"))), "2 of OU")

    @pytest.mark.parametrize(
        ("extensions", "message"),
        [
            ([], "no Basic Constraints"),
            (ca(), "that of a CA"),
            ([not_ca(), octets(AAGUID_EXTENSION, der(b"\x04", bytes(16)))], "another AAGUID"),
            ([not_ca(), octets(AAGUID_EXTENSION, der(b"\x04", AAGUID), True)], "critical"),
            # python-fido2 skips two bytes, whatever they are
            ([not_ca(), octets(AAGUID_EXTENSION, b"\x30\x10" + AAGUID)], "error parsing asn1"),
            (
                [not_ca(), octets(AAGUID_EXTENSION, der(b"\x04", AAGUID) + b"\0")],
                "error parsing asn1",
            ),
        ],
        ids=["none", "ca", "other", "critical", "sequence", "trailing"],
    )
    def test_extensions(self, lab: Lab, extensions: Any, message: str) -> None:
        refused(lab.make("packed", extensions=extensions), message)

    def test_a_certificate_of_many_models(self, lab: Lab) -> None:
        assert lab.make("packed", extensions=[not_ca()]).verify().trust_path


class TestFidoU2f:
    def test_two_certificates(self, lab: Lab) -> None:
        made = lab.make("fido-u2f")
        refused(made.with_members(x5c=[*made.statement["x5c"], lab.root]), "exactly one")

    @pytest.mark.parametrize("key", [P384, "rsa"], ids=["P-384", "RSA"])
    def test_another_kind_of_key(self, lab: Lab, key: Any) -> None:
        certificate = lab.leaf("u2f", lab.rsa if key == "rsa" else key)
        refused(lab.make("fido-u2f").with_members(x5c=[certificate]), "not on P-256")

    def test_a_model_that_the_certificate_does_not_name(self, lab: Lab) -> None:
        """The AAGUID is not signed."""
        refused(lab.make("fido-u2f", aaguid=AAGUID), "does not name this AAGUID")
        named = [octets(AAGUID_EXTENSION, der(b"\x04", AAGUID))]
        assert lab.make("fido-u2f", aaguid=AAGUID, extensions=named).verify()
        assert lab.make("fido-u2f", extensions=named).verify()
        other = lab.make("fido-u2f", aaguid=bytes(15) + b"\1", extensions=named)
        refused(other, "does not name this AAGUID")

    @pytest.mark.parametrize("change", [{1: 3}, {3: -9}, {-1: 2}, {-2: b"x"}, {-3: 5}, {4: 1}])
    def test_what_is_not_signed_of_a_credential(self, lab: Lab, change: dict[int, Any]) -> None:
        made = lab.make("fido-u2f")
        public = {**ES256.from_cryptography_key(lab.own.public_key()), **change}
        head = len(made.auth_data) - 77  # an ES256 key has so many bytes in COSE
        refused(
            replace(made, auth_data=made.auth_data[:head] + cbor.encode(public)), "no ES256 key"
        )


class TestTpm:
    def test_rsa_keys_and_sha_1(self, lab: Lab) -> None:
        """As Windows Hello has it."""
        made = lab.make("tpm", own=lab.rsa, algorithm=-65535)
        assert made.verify().attestation_type == AttestationType.ATT_CA

    @pytest.mark.parametrize(
        ("kind", "scheme"), [("ecc", "0018000b"), ("rsa", "0014000b"), ("rsa", "0016000d")]
    )
    def test_keys_with_a_scheme(self, lab: Lab, kind: str, scheme: str) -> None:
        own = lab.rsa if kind == "rsa" else lab.own
        area = pub_area(own, bytes.fromhex(scheme))
        assert lab.make("tpm", own=own, area=area).verify().trust_path

    def test_another_version(self, lab: Lab) -> None:
        refused(lab.make("tpm").with_members(ver="1.2"), "another version")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda area: area[:-1], "cut short"),
            (lambda area: area + b"\0", "more after"),
            (lambda area: b"\x00\x08" + area[2:], "no RSA or ECC"),
            (lambda area: area[:2] + b"\x00\x12" + area[4:], "unknown hash"),
            (lambda area: area[:10] + b"\x00\x06" + area[12:], "symmetric"),
            (lambda area: area[:12] + b"\x00\x14" + area[14:], "does not sign"),
            (lambda area: area[:12] + b"\x00\x18\x00\x99" + area[14:], "unknown hash"),
            (lambda area: area[:14] + b"\x00\x10" + area[16:], "unknown curve"),
            (lambda area: area[:16] + b"\x00\x20" + area[18:], "derives others"),
            (
                lambda area: area[:14] + b"\x00\x04" + area[16:],
                "not on the curve",
            ),
            (lambda area: pub_area(OTHER), "not the credential's"),
        ],
    )
    def test_public_areas(self, lab: Lab, change: Any, message: str) -> None:
        refused(lab.make("tpm", area=change(pub_area(lab.own))), message)

    def test_a_modulus_of_other_bits(self, lab: Lab) -> None:
        area = pub_area(lab.rsa).replace(b"\x08\x00\x00\x00\x00\x00", b"\x04\x00\x00\x00\x00\x00")
        refused(lab.make("tpm", own=lab.rsa, area=area), "bits")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda info: b"\xfeTCG" + info[4:], "not generated by a TPM"),
            (lambda info: info[:4] + b"\x80\x18" + info[6:], "certifies no key"),
            (lambda info: info + b"\0", "more after"),
            (lambda info: info[:-1], "cut short"),
            (lambda info: info.replace(b"\0\0\0\3\1", b"\0\0\0\3\2"), "safe clock"),
            (lambda info: info[:42] + sized(bytes(32)) + info[76:], "another ceremony"),
            (lambda info: info[:-68] + bytes(32) + info[-36:], "another key"),
        ],
    )
    def test_what_is_certified(self, lab: Lab, change: Any, message: str) -> None:
        refused(lab.make("tpm", info=change), message)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"subject": "tpm"}, "has a subject"),
            ({"extensions": [tpm_name(), aik()]}, "no Basic Constraints"),
            ({"extensions": [*ca(), tpm_name(), aik()]}, "that of a CA"),
            ({"extensions": [not_ca(), aik()]}, "none of a TPM"),
            ({"extensions": [not_ca(), tpm_name()]}, "none of a TPM"),
            (
                {"extensions": [not_ca(), tpm_name(), aik(x509.ObjectIdentifier("1.2.3"))]},
                "not for an attestation key",
            ),
            ({"extensions": [not_ca(), tpm_name(model=None), aik()]}, "does not name"),
            ({"extensions": [not_ca(), tpm_name(maker=None), aik()]}, "does not name"),
            ({"extensions": [not_ca(), tpm_name(maker="IBM"), aik()]}, "eight hexadecimal"),
            ({"extensions": [not_ca(), tpm_name(maker="id:12"), aik()]}, "eight hexadecimal"),
            (
                {
                    "extensions": [
                        *(not_ca(), tpm_name(), aik()),
                        octets(AAGUID_EXTENSION, der(b"\x04", bytes(16))),
                    ]
                },
                "another AAGUID",
            ),
        ],
    )
    def test_certificates(self, lab: Lab, options: Any, message: str) -> None:
        refused(lab.make("tpm", **options), message)

    def test_an_algorithm_without_a_hash(self, lab: Lab) -> None:
        refused(lab.make("tpm").with_members(alg=-8), "no hash of its own")


IMPORTED = GENERATED[:-1] + b"\x02"
ALL_APPLICATIONS = bytes.fromhex("bf8458020500")


class TestAndroidKey:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"challenge": bytes(32)}, "the challenge"),
            ({"challenge": b""}, "the challenge"),
            ({"software": ALL_APPLICATIONS}, "all applications"),
            ({"tee": SIGNS + ALL_APPLICATIONS + GENERATED}, "all applications"),
            ({"tee": SIGNS}, "not generated"),
            ({"tee": SIGNS + IMPORTED}, "not generated"),
            ({"tee": SIGNS, "software": GENERATED}, "not generated"),
            ({"tee": GENERATED}, "other purposes"),
            ({"tee": bytes.fromhex("a1053103020103") + GENERATED}, "other purposes"),
            ({"tee": bytes.fromhex("a1083106020102020103") + GENERATED}, "other purposes"),
            ({"tee": bytes.fromhex("a1023100") + GENERATED}, "other purposes"),
            ({"tee": SIGNS + SIGNS + GENERATED}, "twice"),
            ({"tee": b"\x05"}, "error parsing asn1"),
            ({"tee": bytes.fromhex("a103020102") + GENERATED}, "error parsing asn1"),
            ({"description": b""}, "error parsing asn1"),
            ({"description": der(b"\x30")}, "error parsing asn1"),
            ({"signer": OTHER}, "not the credential's"),
        ],
    )
    def test_certificates(self, lab: Lab, options: Any, message: str) -> None:
        refused(lab.make("android-key", **options), message)

    def test_what_software_adds_is_ignored(self, lab: Lab) -> None:
        assert lab.make("android-key", software=SIGNS + IMPORTED).verify().trust_path

    def test_more_properties(self, lab: Lab) -> None:
        tee = SIGNS + bytes.fromhex("a203020103a30402020100") + GENERATED
        assert lab.make("android-key", tee=tee).verify().trust_path

    def test_a_certificate_without_a_description(self, lab: Lab) -> None:
        made = lab.make("android-key")
        refused(made.with_members(x5c=[lab.leaf("key", lab.own)]), "describes no Android key")
        assert KEY_DESCRIPTION.dotted_string.endswith("1.17")


class TestApple:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"key": OTHER}, "not the credential's"),  # python-fido2 does not look
            ({"key": P384}, "another curve"),
            ({"extensions": []}, "has no nonce"),
            ({"nonce": lambda nonce: nonce + b"\0"}, "error parsing asn1"),
            ({"nonce": lambda nonce: b"\x31" + nonce[1:]}, "error parsing asn1"),
            ({"nonce": lambda nonce: bytes(6) + nonce[6:]}, "error parsing asn1"),
            ({"extensions": [octets(NONCE_EXTENSION, b"")]}, "error parsing asn1"),
            (
                {
                    "extensions": [
                        octets(NONCE_EXTENSION, der(b"\x30", der(b"\xa1", der(b"\x04", bytes(32)))))
                    ]
                },
                "another one",
            ),
        ],
    )
    def test_certificates(self, lab: Lab, options: Any, message: str) -> None:
        refused(lab.make("apple", **options), message)

    def test_the_algorithm_may_be_told(self, lab: Lab) -> None:
        made = lab.make("apple")
        assert made.with_members(alg=-7).verify().trust_path
        refused(made.with_members(alg=-257), "algorithm is another one")


def test_the_nonce_is_of_this_ceremony(lab: Lab) -> None:
    for name in ("packed", "fido-u2f", "tpm", "android-key", "apple"):
        made = lab.make(name)
        other = hashlib.sha256(b"other").digest()
        with pytest.raises(InvalidAttestation):
            replace(made, client_data_hash=other).verify()
