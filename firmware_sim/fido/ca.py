"""The test CA, under which are all attestation certificates and the metadata BLOB.

Its key follows from a public label: a certificate under it proves nothing but "made by a
simulator", and every installation has the same root for a relying party's tests to trust.
"""

import datetime
import hashlib
from collections.abc import Mapping
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.world.entropy import SeededEntropy

_CA = "tokenkit test attestation CA"
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC)
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@cache
def root_certificate() -> bytes:
    """The CA's self-signed certificate, DER."""
    key = derived_key("")
    name = _name(_CA, None)
    builder = _builder(name, key.private_key.public_key(), b"root")
    return _signed(builder.add_extension(x509.BasicConstraints(True, 0), critical=True))


def root_certificate_pem() -> bytes:
    """The same in PEM."""
    return x509.load_der_x509_certificate(root_certificate()).public_bytes(Encoding.PEM)


def issue(
    common_name: str,
    unit: str,
    public_key: PublicKey,
    serial: bytes,
    octets: Mapping[x509.ObjectIdentifier, bytes],
) -> bytes:
    """A certificate, DER. ``serial`` sets its number; ``octets`` are extensions whose value is an
    OCTET STRING of under 128 bytes."""
    builder = _builder(_name(common_name, unit), public_key, serial)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    for identifier, value in octets.items():
        encoded = bytes((4, len(value))) + value
        extension = x509.UnrecognizedExtension(identifier, encoded)
        builder = builder.add_extension(extension, critical=False)
    return _signed(builder)


def derived_key(label: str, reproducible: bool = True) -> Es256Key:
    """The key that follows from a label; ``reproducible`` are its signatures."""
    key = Es256Key.new(SeededEntropy(_CA).child(label))
    return Es256Key(key.private_key, reproducible)


def _signed(builder: x509.CertificateBuilder) -> bytes:
    key = derived_key("").private_key
    certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return certificate.public_bytes(Encoding.DER)


def _name(common_name: str, unit: str | None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tokenkit"),
    ]
    if unit is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, key: PublicKey, serial: bytes) -> x509.CertificateBuilder:
    number = int.from_bytes(hashlib.sha256(serial).digest()[:15], "big") | 1
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_name(_CA, None))
        .public_key(key)
        .serial_number(number)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
    )
