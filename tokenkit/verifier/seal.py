"""Seeds at rest: AES-256-GCM, bound to the serial number they belong to."""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tokenkit.verifier.errors import SealingKeyError

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens secrets under one 32-byte key; nonces come from ``random_bytes``."""

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise SealingKeyError(f"a sealing key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)
        self._random_bytes = random_bytes

    def seal(self, secret: bytes, label: str) -> bytes:
        """``secret``, to be opened under the same label only: nonce, ciphertext, tag."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, label.encode())

    def open(self, sealed: bytes, label: str) -> bytes:
        """What was sealed; SealingKeyError if key or label is another, or it was changed."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label.encode()
            )
        except (InvalidTag, ValueError):
            raise SealingKeyError(
                f"the sealing key does not open {label}: give the sealing_key with which the"
                " database was made, or restore what was changed in it"
            ) from None
