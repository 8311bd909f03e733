"""Attestation statements, and the test CA whose batch certificates they carry."""

import datetime
import hashlib
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from firmware_sim.fido.algorithms import Es256Key, SigningKey
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.request import Map
from firmware_sim.profiles import Profile
from firmware_sim.world.entropy import SeededEntropy

_AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
# the serial number of the very key (WebAuthn §8.2.2)
_SERIAL_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.2")
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC)
# The key follows from this public label: a certificate under it proves nothing but "made by a
# simulator", and every installation has the same root for a relying party's tests to trust.
_CA = "tokenkit test attestation CA"


class Attestation:
    """Makes the attestation statements of a profile (WebAuthn §8).

    ``serial_number`` is what an enterprise attestation tells.
    """

    def __init__(self, profile: Profile, reproducible: bool, serial_number: str) -> None:
        self._profile = profile
        self._reproducible = reproducible
        self._serial_number = serial_number
        # the one for platforms that wish for nothing first
        self.formats = ("none",) if profile.attestation == "none" else profile.attestation_formats

    def choose(self, preference: list[str], credential: Credential, enterprise: bool) -> str:
        """The format that the platform likes best of those there are (CTAP 2.2 §6.1.2 step 19).

        ``none`` alone is a wish that is always granted, fido-u2f can speak of ES256 keys only,
        and an enterprise attestation is packed.
        """
        if enterprise:
            return "packed"
        if preference == ["none"]:
            return "none"
        for name in preference:
            u2f = name == "fido-u2f"
            if name in self.formats and (not u2f or credential.key.algorithm == Es256Key.algorithm):
                return name
        return self.formats[0]

    def statement(
        self,
        name: str,
        credential: Credential,
        auth_data: bytes,
        client_data_hash: bytes,
        enterprise: bool,
    ) -> Map:
        """The statement in the format ``name`` over authenticator data and client data hash."""
        if name == "none":
            return {}
        if name == "fido-u2f":
            signature = self.sign_u2f(
                credential.rp_id_hash, client_data_hash, credential.credential_id, credential.key
            )
            return {"sig": signature, "x5c": [self.batch[1]]}
        signed = auth_data + client_data_hash
        if self._profile.attestation == "self":
            return {"alg": credential.key.algorithm, "sig": credential.key.sign(signed)}
        key, certificate = self.device if enterprise else self.batch
        return {"alg": key.algorithm, "sig": key.sign(signed), "x5c": [certificate]}

    def sign_u2f(
        self, application: bytes, challenge: bytes, key_handle: bytes, key: SigningKey
    ) -> bytes:
        """The signature over a U2F registration (U2F raw messages §4.3, WebAuthn §8.6)."""
        assert isinstance(key, Es256Key)
        signed = b"\x00" + application + challenge + key_handle + b"\x04" + key.point
        return self.batch[0].sign(signed)

    @cached_property
    def batch(self) -> tuple[Es256Key, bytes]:
        """The batch's attestation key, and its certificate (DER)."""
        return _batch(self._profile, self._reproducible)

    @cached_property
    def device(self) -> tuple[Es256Key, bytes]:
        """This very key's attestation key, and its certificate (DER), which names it."""
        return _batch(self._profile, self._reproducible, self._serial_number)


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
def _batch(
    profile: Profile, reproducible: bool, serial_number: str | None = None
) -> tuple[Es256Key, bytes]:
    """The attestation key and certificate that all keys of a profile share, or that the one with
    this serial number has."""
    key = _key(f"{profile.name} {serial_number or ''}".strip(), reproducible)
    label = "batch" if serial_number is None else f"serial number {serial_number}"
    subject = _name(f"{profile.product_name} {label}", "Authenticator Attestation")
    builder = (
        _builder(subject, _name(_CA, None), key, profile.aaguid + (serial_number or "").encode())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            # an OCTET STRING of 16 bytes inside the extension's own (WebAuthn §8.2.1)
            x509.UnrecognizedExtension(_AAGUID_EXTENSION, b"\x04\x10" + profile.aaguid),
            critical=False,
        )
    )
    if serial_number is not None:
        octets = serial_number.encode()
        builder = builder.add_extension(
            x509.UnrecognizedExtension(_SERIAL_EXTENSION, bytes((4, len(octets))) + octets),
            critical=False,
        )
    signed = builder.sign(_key("").private_key, hashes.SHA256(), ecdsa_deterministic=True)
    return key, signed.public_bytes(Encoding.DER)


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
