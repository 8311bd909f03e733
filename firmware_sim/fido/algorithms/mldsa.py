"""ML-DSA-44, 65 and 87 (FIPS 204; RFC 9964 for COSE), where cryptography and OpenSSL have it."""

from typing import ClassVar, Protocol, Self

from cryptography.exceptions import UnsupportedAlgorithm

from firmware_sim.fido import cbor
from firmware_sim.world.entropy import Entropy

try:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))
except (ImportError, UnsupportedAlgorithm):  # before cryptography 47 and OpenSSL 3.5
    SUPPORTED = False
else:
    SUPPORTED = True


class _PublicKey(Protocol):
    def public_bytes_raw(self) -> bytes: ...


class _PrivateKey(Protocol):
    def public_key(self) -> _PublicKey: ...

    def sign(self, data: bytes) -> bytes: ...


class MlDsaKey:
    """``secret`` is the 32-byte seed.

    Signatures are hedged: they differ even in a reproducible run, as cryptography does not offer
    the deterministic variant (FIPS 204 section 3.4).
    """

    algorithm: ClassVar[int]
    secret_length: ClassVar[int] = 32

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.private_key = self.open(secret)

    @staticmethod
    def open(seed: bytes) -> _PrivateKey:
        raise NotImplementedError

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> Self:
        return cls(secret)

    @classmethod
    def new(cls, entropy: Entropy) -> Self:
        return cls(entropy.bytes(cls.secret_length))

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def cose_key(self) -> bytes:
        public = self.private_key.public_key().public_bytes_raw()
        return cbor.encode({1: 7, 3: self.algorithm, -1: public})


class MlDsa44Key(MlDsaKey):
    algorithm = -48

    @staticmethod
    def open(seed: bytes) -> _PrivateKey:
        return mldsa.MLDSA44PrivateKey.from_seed_bytes(seed)


class MlDsa65Key(MlDsaKey):
    algorithm = -49

    @staticmethod
    def open(seed: bytes) -> _PrivateKey:
        return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)


class MlDsa87Key(MlDsaKey):
    algorithm = -50

    @staticmethod
    def open(seed: bytes) -> _PrivateKey:
        return mldsa.MLDSA87PrivateKey.from_seed_bytes(seed)
