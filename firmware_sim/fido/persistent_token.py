"""The persistent pinUvAuthToken, and what getInfo tells its holders alone (CTAP 2.2 §6.4, §6.5.2).

It reads credential metadata, outlives power cycles, and ends with the PIN it was given out for.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware_sim.fido.settings import Changes
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.flash import Flash

_IDENTIFIER = "persistent/device-identifier"
_TOKEN = "persistent/pin-uv-auth-token"


class PersistentToken:
    """The token, and the values that are sealed for those who hold it."""

    def __init__(self, flash: Flash, entropy: Entropy) -> None:
        self._flash = flash
        self._entropy = entropy

    @staticmethod
    def fresh(entropy: Entropy) -> Changes:
        """What must be in flash before one is made."""
        return {_IDENTIFIER: entropy.bytes(16), _TOKEN: entropy.bytes(32)}

    @property
    def value(self) -> bytes:
        """32 bytes."""
        return self._flash.get(_TOKEN) or b""

    @property
    def device_identifier(self) -> bytes:
        """16 bytes, the same until a reset."""
        return self._flash.get(_IDENTIFIER) or b""

    def with_new_value(self) -> Changes:
        """resetPersistentPinUvAuthToken: the flash change that ends the token."""
        return {_TOKEN: self._entropy.bytes(32)}

    def seal(self, info: bytes, plain: bytes) -> bytes:
        """IV and AES-128-CBC of 16 bytes under a key of the token's, other at each call."""
        key = HKDF(hashes.SHA256(), 16, salt=bytes(32), info=info).derive(self.value)
        iv = self._entropy.bytes(16)
        return iv + Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(plain)
