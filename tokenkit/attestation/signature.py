"""Signatures by a certificate's key, by COSE algorithm (RFC 8152, 8230, 8812; WebAuthn §5.8.5)."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fido2.attestation.base import InvalidData
from fido2.cose import CoseKey

RS1 = -65535
_HASHES: dict[int, type[hashes.HashAlgorithm]] = {
    -7: hashes.SHA256,
    -9: hashes.SHA256,
    -47: hashes.SHA256,
    -35: hashes.SHA384,
    -51: hashes.SHA384,
    -36: hashes.SHA512,
    -52: hashes.SHA512,
    -37: hashes.SHA256,
    -38: hashes.SHA384,
    -39: hashes.SHA512,
    -257: hashes.SHA256,
    -258: hashes.SHA384,
    -259: hashes.SHA512,
    RS1: hashes.SHA1,
}
_PSS = (-37, -38, -39)
_PKCS1 = (-257, -258, -259, RS1)


def check_signature(
    certificate: x509.Certificate, algorithm: int, message: bytes, signature: bytes
) -> None:
    """InvalidSignature (of cryptography), or another error where key and algorithm do not fit.

    RSA is not left to python-fido2, which has none with SHA-384 and SHA-512, and where a salt of
    PSS may be of any length, not the hash's as RFC 8230 section 2 has it.
    """
    key = certificate.public_key()
    if algorithm in _PSS or algorithm in _PKCS1:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidData(f"COSE algorithm {algorithm} does not fit the certificate's key")
        hashed = _HASHES[algorithm]()
        pss = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
        scheme = pss if algorithm in _PSS else padding.PKCS1v15()
        key.verify(signature, message, scheme, hashed)
    else:
        CoseKey.for_alg(algorithm).from_cryptography_key(key).verify(message, signature)


def digest(algorithm: int, message: bytes) -> bytes:
    """The hash that a COSE algorithm employs, of ``message``; InvalidData if it employs none."""
    if algorithm not in _HASHES:
        raise InvalidData(f"COSE algorithm {algorithm} has no hash of its own")
    hashed = hashes.Hash(_HASHES[algorithm]())
    hashed.update(message)
    return hashed.finalize()
