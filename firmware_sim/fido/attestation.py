"""Attestation statements, and the test CA whose batch certificates they carry."""

import datetime
import hashlib
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.request import Map
from firmware_sim.profiles import Profile
from firmware_sim.world.entropy import SeededEntropy

_AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC)
# The key follows from this public label: a certificate under it proves nothing but "made by a
# simulator", and every installation has the same root for a relying party's tests to trust.
_CA = "tokenkit test attestation CA"


class Attestation:
    """Makes the attestation statement of a profile: packed basic, or packed self."""

    def __init__(self, profile: Profile, reproducible: bool) -> None:
        self._profile = profile
        self._reproducible = reproducible

    def statement(self, credential: Credential, auth_data: bytes, client_data_hash: bytes) -> Map:
        """The packed statement (WebAuthn §8.2) over authenticator data and client data hash."""
        signed = auth_data + client_data_hash
        if self._profile.attestation == "self":
            return {"alg": credential.key.algorithm, "sig": credential.key.sign(signed)}
        key, certificate = self.batch
        return {"alg": key.algorithm, "sig": key.sign(signed), "x5c": [certificate]}

    @cached_property
    def batch(self) -> tuple[Es256Key, bytes]:
        """The batch's attestation key, and its certificate (DER)."""
        return _batch(self._profile, self._reproducible)


@cache
def root_certificate() -> bytes:
    """The test CA's self-signed certificate, DER."""
    key = _key("")
    name = _name(_CA, None)
    return (
        _builder(name, name, key, b"root")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key.private_key, hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(Encoding.DER)
    )


@cache
def _batch(profile: Profile, reproducible: bool) -> tuple[Es256Key, bytes]:
    """The attestation key and certificate that all keys of a profile share."""
    key = _key(profile.name, reproducible)
    subject = _name(f"{profile.product_name} batch", "Authenticator Attestation")
    certificate = (
        _builder(subject, _name(_CA, None), key, profile.aaguid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            # an OCTET STRING of 16 bytes inside the extension's own (WebAuthn §8.2.1)
            x509.UnrecognizedExtension(_AAGUID_EXTENSION, b"\x04\x10" + profile.aaguid),
            critical=False,
        )
        .sign(_key("").private_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return key, certificate.public_bytes(Encoding.DER)


def _key(label: str, reproducible: bool = True) -> Es256Key:
    key = Es256Key.new(SeededEntropy(_CA).child(label))
    return Es256Key(key.private_key, reproducible)


def _name(common_name: str, unit: str | None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tokenkit"),
    ]
    if unit is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Es256Key, serial: bytes
) -> x509.CertificateBuilder:
    number = int.from_bytes(hashlib.sha256(serial).digest()[:15], "big") | 1
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.private_key.public_key())
        .serial_number(number)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
    )
