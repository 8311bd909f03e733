"""ARKG-P256, the half of the private seed's holder (draft-bradleylundberg-cfrg-arkg-10).

Who has the public seed makes any number of public keys of it, each with a handle; the holder of
the private seed derives the private key to each from its handle.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware_sim.fido import cbor
from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.fido.request import Map
from firmware_sim.world.entropy import Entropy

MAX_CONTEXT = 64
_TAG_LENGTH = 16
_POINT_LENGTH = 65
_BL = b"ARKG-P256"
_KEM = b"ARKG-ECDH.ARKG-P256"
# COSE numbers; the first two are the draft's placeholders
_KTY_ARKG_PUB, _ARKG_P256 = -65537, -65700
_ES256, _ESP256, _ECDH_ES_HKDF_256 = -7, -9, -25
# L of the suite P256_XMD:SHA-256_SSWU_RO_ (RFC 9380 section 8.2)
_FIELD_BYTES = 48


@dataclass(frozen=True, slots=True)
class Seed:
    """A private seed: the key that is blinded, and the key that opens handles."""

    blinding: Es256Key
    kem: Es256Key

    @classmethod
    def new(cls, entropy: Entropy) -> Self:
        return cls(Es256Key.new(entropy), Es256Key.new(entropy))

    def cose_key(self) -> bytes:
        """The public seed as a canonical CBOR COSE_Key for keys that do ESP256."""
        return cbor.encode(
            {
                1: _KTY_ARKG_PUB,
                3: _ARKG_P256,
                # nothing in the draft asks for these two numbers, but clients read them
                -1: _ec2(self.blinding, _ES256),
                -2: _ec2(self.kem, _ECDH_ES_HKDF_256),
                -3: _ESP256,
            }
        )

    def derive(self, handle: bytes, context: bytes) -> ec.EllipticCurvePrivateKey:
        """ARKG-Derive-Private-Key; ValueError unless the handle is of this seed and context."""
        if len(context) > MAX_CONTEXT:
            raise ValueError(f"a context has at most {MAX_CONTEXT} bytes, not {len(context)}")
        context = bytes((len(context),)) + context
        shared = self._decapsulate(handle, b"ARKG-Derive-Key-KEM." + context)
        tau = _scalar(shared, b"ARKG-BL-EC." + _BL + b"ARKG-Derive-Key-BL." + context)
        blinded = (int.from_bytes(self.blinding.secret, "big") + tau) % Es256Key.order
        return ec.derive_private_key(blinded, Es256Key.curve)

    def _decapsulate(self, handle: bytes, context: bytes) -> bytes:
        """KEM-Decaps (sections 3.2 and 3.3): 32 bytes; ValueError for a foreign handle."""
        tag, point = handle[:_TAG_LENGTH], handle[_TAG_LENGTH:]
        if len(point) != _POINT_LENGTH:
            raise ValueError(f"a handle has {_TAG_LENGTH + _POINT_LENGTH} bytes, not {len(handle)}")
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(Es256Key.curve, point)
        agreed = self.kem.private_key.exchange(ec.ECDH(), ephemeral)
        mac_key = _hkdf(agreed, b"ARKG-KEM-HMAC-mac." + _KEM + context)
        if not hmac.compare_digest(tag, hmac.digest(mac_key, point, "sha256")[:_TAG_LENGTH]):
            raise ValueError("the handle is of another seed or context")
        return _hkdf(agreed, b"ARKG-KEM-HMAC-shared." + _KEM + context)


def _ec2(key: Es256Key, algorithm: int) -> Map:
    return {1: 2, 3: algorithm, -1: key.curve_number, -2: key.point[:32], -3: key.point[32:]}


def _hkdf(secret: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, info).derive(secret)


def _scalar(message: bytes, tag: bytes) -> int:
    """hash_to_field to one scalar (RFC 9380 section 5.2)."""
    return int.from_bytes(_expand(message, tag, _FIELD_BYTES), "big") % Es256Key.order


def _expand(message: bytes, tag: bytes, length: int) -> bytes:
    """expand_message_xmd with SHA-256 (RFC 9380 section 5.3.1)."""
    tag += bytes((len(tag),))
    first = hashlib.sha256(bytes(64) + message + length.to_bytes(2, "big") + b"\0" + tag).digest()
    block, out = bytes(32), b""
    for number in range(1, -(-length // 32) + 1):
        mixed = bytes(a ^ b for a, b in zip(first, block, strict=True))
        block = hashlib.sha256(mixed + bytes((number,)) + tag).digest()
        out += block
    return out[:length]
