"""Signature algorithms by COSE number: make, load, sign, COSE_Key (RFC 9053)."""

from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware_sim.world.entropy import Entropy

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE = ec.SECP256R1()
_RANDOMISED = ec.ECDSA(hashes.SHA256())
# RFC 6979: a reproducible run has reproducible signatures
_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class SigningKey(Protocol):
    """A credential's private key."""

    algorithm: int
    secret: bytes

    def sign(self, message: bytes) -> bytes:
        """Signature in the form WebAuthn §6.5.5 asks of the algorithm."""

    def cose_key(self) -> bytes:
        """The public key as a canonical CBOR COSE_Key."""


class Es256Key:
    """ECDSA on P-256 with SHA-256; ``secret`` is the scalar, 32 bytes."""

    algorithm = -7

    def __init__(self, secret: bytes, reproducible: bool) -> None:
        self.secret = secret
        self.private_key = ec.derive_private_key(int.from_bytes(secret, "big"), _CURVE)
        self._scheme = _DETERMINISTIC if reproducible else _RANDOMISED

    @staticmethod
    def new_secret(entropy: Entropy) -> bytes:
        # 64 bits more than the order has, so that the bias of the remainder is negligible
        draw = int.from_bytes(entropy.bytes(40), "big")
        return (draw % (_P256_ORDER - 1) + 1).to_bytes(32, "big")

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message, self._scheme)

    def point(self) -> bytes:
        """The public key as an uncompressed point without its tag: x and y, 64 bytes."""
        public = self.private_key.public_key()
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def cose_key(self) -> bytes:
        xy = self.point()
        # {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + xy[:32] + b"\x22\x58\x20" + xy[32:]


class EdDsaKey:
    """Ed25519; ``secret`` is the 32-byte seed."""

    algorithm = -8

    def __init__(self, secret: bytes, reproducible: bool) -> None:
        self.secret = secret
        self.private_key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)

    @staticmethod
    def new_secret(entropy: Entropy) -> bytes:
        return entropy.bytes(32)

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def cose_key(self) -> bytes:
        public = self.private_key.public_key().public_bytes_raw()
        # {1: 1, 3: -8, -1: 6, -2: x}
        return b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + public


ALGORITHMS: dict[int, type[Es256Key] | type[EdDsaKey]] = {
    kind.algorithm: kind for kind in (Es256Key, EdDsaKey)
}
