"""EdDSA with Ed25519 (RFC 9053 section 2.2)."""

from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import ed25519

from firmware_sim.world.entropy import Entropy


class EdDsaKey:
    """``secret`` is the 32-byte seed; signatures are reproducible by definition."""

    algorithm: ClassVar[int] = -8
    secret_length: ClassVar[int] = 32

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.private_key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> "EdDsaKey":
        return cls(secret)

    @classmethod
    def new(cls, entropy: Entropy) -> "EdDsaKey":
        return cls(entropy.bytes(cls.secret_length))

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def cose_key(self) -> bytes:
        public = self.private_key.public_key().public_bytes_raw()
        # {1: 1, 3: -8, -1: 6, -2: x}
        return b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + public
