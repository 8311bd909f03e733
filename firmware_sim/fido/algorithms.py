"""Signature algorithms by COSE number: make, load, sign, COSE_Key (RFC 9053)."""

from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from firmware_sim.world.entropy import Entropy

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE = ec.SECP256R1()
_RANDOMISED = ec.ECDSA(hashes.SHA256())
# RFC 6979: a reproducible run has reproducible signatures
_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_PLAIN = NoEncryption()
# where the scalar stands in a P-256 key's PKCS#8 (RFC 5915), which ends in the point's x and y
_SCALAR = slice(36, 68)


class SigningKey(Protocol):
    """A credential's private key."""

    algorithm: int
    secret: bytes

    def sign(self, message: bytes) -> bytes:
        """Signature in the form WebAuthn §6.5.5 asks of the algorithm."""

    def cose_key(self) -> bytes:
        """The public key as a canonical CBOR COSE_Key."""


class Es256Key:
    """ECDSA on P-256 with SHA-256; ``secret`` is the scalar, 32 bytes, ``point`` x and y, 64."""

    algorithm = -7

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, reproducible: bool) -> None:
        self.private_key = private_key
        self._scheme = _DETERMINISTIC if reproducible else _RANDOMISED
        # both in one call: each has one of its own, which costs as much
        encoded = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _PLAIN)
        self.secret, self.point = encoded[_SCALAR], encoded[-64:]

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> "Es256Key":
        return cls(ec.derive_private_key(int.from_bytes(secret, "big"), _CURVE), reproducible)

    @classmethod
    def new(cls, entropy: Entropy) -> "Es256Key":
        if not entropy.reproducible:  # by OpenSSL's own generator, at half of what deriving costs
            return cls(ec.generate_private_key(_CURVE), False)
        # 64 bits more than the order has, so that the bias of the remainder is negligible
        draw = int.from_bytes(entropy.bytes(40), "big")
        return cls(ec.derive_private_key(draw % (_P256_ORDER - 1) + 1, _CURVE), True)

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message, self._scheme)

    def cose_key(self) -> bytes:
        x, y = self.point[:32], self.point[32:]
        # {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y


class EdDsaKey:
    """Ed25519; ``secret`` is the 32-byte seed."""

    algorithm = -8

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.private_key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> "EdDsaKey":
        return cls(secret)  # its signatures are reproducible by definition

    @classmethod
    def new(cls, entropy: Entropy) -> "EdDsaKey":
        return cls(entropy.bytes(32))

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def cose_key(self) -> bytes:
        public = self.private_key.public_key().public_bytes_raw()
        # {1: 1, 3: -8, -1: 6, -2: x}
        return b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + public


ALGORITHMS: dict[int, type[Es256Key] | type[EdDsaKey]] = {
    kind.algorithm: kind for kind in (Es256Key, EdDsaKey)
}
