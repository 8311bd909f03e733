"""PIN/UV auth protocols one and two, the authenticator's half (CTAP 2.1 §6.5.6, §6.5.7)."""

import hashlib
import hmac
from typing import ClassVar, TypeGuard

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.fido.request import Map
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.entropy import Entropy

_BLOCK = 16


class PinUvAuthProtocolOne:
    """AES-256-CBC with a zero IV, HMAC-SHA-256 cut to 16 bytes, one key for both."""

    number: ClassVar[int] = 1

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._key: Es256Key | None = None

    def regenerate(self) -> None:
        """Forget the key agreement key; the next use makes a new one."""
        self._key = None

    def public_key(self) -> Map:
        """The key agreement key as a COSE_Key (algorithm −25 as the specification says)."""
        xy = self._agreement_key().point
        return {1: 2, 3: -25, -1: 1, -2: xy[:32], -3: xy[32:]}

    def decapsulate(self, peer: Map) -> bytes:
        """The shared secret with the platform's COSE_Key; INVALID_PARAMETER if it is none."""
        x, y = peer.get(-2), peer.get(-3)
        if peer.get(1) != 2 or peer.get(-1) != 1 or not _is_field(x) or not _is_field(y):
            raise CtapStatusError(Status.INVALID_PARAMETER)
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
        except ValueError:
            raise CtapStatusError(Status.INVALID_PARAMETER) from None
        return self._kdf(self._agreement_key().private_key.exchange(ec.ECDH(), point))

    def encrypt(self, secret: bytes, plain: bytes) -> bytes:
        return _cbc(secret, bytes(_BLOCK)).encryptor().update(plain)

    def decrypt(self, secret: bytes, sealed: bytes) -> bytes | None:
        """None if the length is no whole number of blocks."""
        if len(sealed) % _BLOCK:
            return None
        return _cbc(secret, bytes(_BLOCK)).decryptor().update(sealed)

    def verify(self, secret: bytes, message: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, message, "sha256")[:16], tag)

    def _kdf(self, z: bytes) -> bytes:
        return hashlib.sha256(z).digest()

    def _agreement_key(self) -> Es256Key:
        if self._key is None:
            self._key = Es256Key.new(self._entropy)
        return self._key


class PinUvAuthProtocolTwo(PinUvAuthProtocolOne):
    """Random IVs, whole HMACs, and separate keys from HKDF: 32 bytes HMAC, 32 bytes AES.

    The pinUvAuthToken is used whole as the HMAC key, a shared secret by its first half.
    """

    number = 2

    def encrypt(self, secret: bytes, plain: bytes) -> bytes:
        iv = self._entropy.bytes(_BLOCK)
        return iv + _cbc(secret[32:], iv).encryptor().update(plain)

    def decrypt(self, secret: bytes, sealed: bytes) -> bytes | None:
        if len(sealed) % _BLOCK or not sealed:
            return None
        return _cbc(secret[32:], sealed[:_BLOCK]).decryptor().update(sealed[_BLOCK:])

    def verify(self, secret: bytes, message: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret[:32], message, "sha256"), tag)

    def _kdf(self, z: bytes) -> bytes:
        return _hkdf(z, b"CTAP2 HMAC key") + _hkdf(z, b"CTAP2 AES key")


def _is_field(value: object) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and len(value) == 32


def _cbc(key: bytes, iv: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def _hkdf(z: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=bytes(32), info=info).derive(z)
