"""Signature algorithms by COSE number: make, load, sign, COSE_Key (RFC 9052, RFC 9053)."""

from typing import ClassVar, Protocol, Self

from firmware_sim.fido.algorithms import mldsa
from firmware_sim.fido.algorithms.ecdsa import Es256Key, Es256kKey, Es384Key, Es512Key
from firmware_sim.fido.algorithms.eddsa import EdDsaKey
from firmware_sim.fido.algorithms.rsa import Ps256Key, Rs256Key
from firmware_sim.world.entropy import Entropy


class SigningKey(Protocol):
    """A credential's private key; ``secret`` is what :meth:`load` brings it back from.

    ``secret_length`` is in bytes, the same for all keys of the algorithm.
    """

    algorithm: ClassVar[int]
    secret_length: ClassVar[int]
    secret: bytes

    @classmethod
    def load(cls, secret: bytes, reproducible: bool) -> Self:
        """The key of ``secret``; with ``reproducible`` its signatures are, if they can be."""

    @classmethod
    def new(cls, entropy: Entropy) -> Self:
        """A key that follows from ``entropy`` where that is reproducible."""

    def sign(self, message: bytes) -> bytes:
        """Signature in the form WebAuthn §6.5.5 asks of the algorithm."""

    def cose_key(self) -> bytes:
        """The public key as a canonical CBOR COSE_Key."""


_ML_DSA: list[type[SigningKey]] = [mldsa.MlDsa44Key, mldsa.MlDsa65Key, mldsa.MlDsa87Key]
_OTHERS: list[type[SigningKey]] = [
    Es256Key,
    EdDsaKey,
    Es384Key,
    Es512Key,
    Es256kKey,
    Rs256Key,
    Ps256Key,
]

KNOWN = {kind.algorithm: kind for kind in _OTHERS + _ML_DSA}
"""All that a profile may name."""
ALGORITHMS = {kind.algorithm: kind for kind in _OTHERS + (_ML_DSA if mldsa.SUPPORTED else [])}
"""Those that this machine can make; ML-DSA is not among them everywhere."""

__all__ = ["ALGORITHMS", "KNOWN", "EdDsaKey", "Es256Key", "SigningKey"]
