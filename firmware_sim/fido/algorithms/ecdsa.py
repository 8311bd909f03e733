"""ECDSA on four curves: ES256, ES384, ES512 and ES256K (RFC 9053 section 2.1, RFC 8812)."""

from typing import ClassVar, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware_sim.fido import cbor
from firmware_sim.world.entropy import Entropy

_PLAIN = NoEncryption()


class EcdsaKey:
    """``secret`` is the scalar, ``point`` x and y, each as long as the curve's field."""

    algorithm: ClassVar[int]
    curve: ClassVar[ec.EllipticCurve]
    curve_number: ClassVar[int]  # COSE's
    order: ClassVar[int]
    hash: ClassVar[hashes.HashAlgorithm]
    secret_length: ClassVar[int]

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, reproducible: bool) -> None:
        self.private_key = private_key
        # RFC 6979: a reproducible run has reproducible signatures
        self._scheme = self._deterministic if reproducible else self._randomised
        # both in one call: each has one of its own, which costs as much
        encoded = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _PLAIN)
        self.secret, self.point = encoded[self._scalar], encoded[-2 * self.secret_length :]

    def __init_subclass__(cls) -> None:
        size = cls.secret_length = (cls.curve.key_size + 7) // 8
        cls._randomised = ec.ECDSA(cls.hash)
        cls._deterministic = ec.ECDSA(cls.hash, deterministic_signing=True)
        # where the scalar stands in PKCS#8 (RFC 5915), which ends in x and y
        example = ec.derive_private_key(cls.order - 1, cls.curve)
        encoded = example.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _PLAIN)
        start = encoded.index((cls.order - 1).to_bytes(size, "big"))
        cls._scalar = slice(start, start + size)
        # {1: 2, 3: algorithm, -1: curve, -2: x, -3: y}, in canonical order but for y
        cls._head = cbor.encode({1: 2, 3: cls.algorithm, -1: cls.curve_number})[1:]

    _randomised: ClassVar[ec.ECDSA]
    _deterministic: ClassVar[ec.ECDSA]
    _scalar: ClassVar[slice]
    _head: ClassVar[bytes]

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> Self:
        return cls(ec.derive_private_key(int.from_bytes(secret, "big"), cls.curve), reproducible)

    @classmethod
    def new(cls, entropy: Entropy) -> Self:
        if not entropy.reproducible:  # by OpenSSL's own generator, at half of what deriving costs
            return cls(ec.generate_private_key(cls.curve), False)
        # 64 bits more than the order has, so that the bias of the remainder is negligible
        draw = int.from_bytes(entropy.bytes(cls.secret_length + 8), "big")
        return cls(ec.derive_private_key(draw % (cls.order - 1) + 1, cls.curve), True)

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message, self._scheme)

    def cose_key(self) -> bytes:
        size = self.secret_length
        x, y = self.point[:size], self.point[size:]
        length = bytes((0x58, size))  # a string of 24 to 255 bytes
        return b"\xa5" + self._head + b"\x21" + length + x + b"\x22" + length + y


class Es256Key(EcdsaKey):
    algorithm = -7
    curve = ec.SECP256R1()
    curve_number = 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    hash = hashes.SHA256()


class Esp256Key(Es256Key):
    """The same under the number that says the curve, too (RFC 9864)."""

    algorithm = -9


class Es384Key(EcdsaKey):
    algorithm = -35
    curve = ec.SECP384R1()
    curve_number = 2
    order = int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    )
    hash = hashes.SHA384()


class Es512Key(EcdsaKey):
    algorithm = -36
    curve = ec.SECP521R1()
    curve_number = 3
    order = int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA"
        "51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    )
    hash = hashes.SHA512()


class Es256kKey(EcdsaKey):
    algorithm = -47
    curve = ec.SECP256K1()
    curve_number = 8
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    hash = hashes.SHA256()
