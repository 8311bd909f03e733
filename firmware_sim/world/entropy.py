"""Randomness: the operating system's, or a reproducible stream from a seed."""

import hashlib
import os
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 4096


class Entropy(Protocol):
    """A source of random bytes."""

    @property
    def reproducible(self) -> bool:
        """Whether a run must come out the same again (deterministic signatures are then used)."""

    def bytes(self, count: int) -> bytes:
        """The next ``count`` random bytes; ValueError if ``count`` is negative."""


class OsEntropy:
    """The operating system's generator."""

    reproducible = False

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class SeededEntropy:
    """An AES-256-CTR key stream under SHA-256 of a seed: fast, and the same on every machine.

    ``child(label)`` gives an independent stream that depends on the seed and the label only, not
    on what was drawn before, so that adding a device to a run does not change the others.
    """

    reproducible = True

    def __init__(self, seed: int | str | bytes) -> None:
        if isinstance(seed, int):
            seed = str(seed)
        if isinstance(seed, str):
            seed = seed.encode()
        self._key = hashlib.sha256(b"tokenkit entropy\0" + seed).digest()
        self._stream = Cipher(algorithms.AES(self._key), modes.CTR(bytes(16))).encryptor()
        self._buffer = b""

    def bytes(self, count: int) -> bytes:
        if count < 0:
            raise ValueError(f"cannot draw {count} bytes")
        if (missing := count - len(self._buffer)) > 0:
            self._buffer += self._stream.update(bytes(max(missing, _BLOCK)))
        drawn, self._buffer = self._buffer[:count], self._buffer[count:]
        return drawn

    def child(self, label: str) -> "SeededEntropy":
        return SeededEntropy(self._key + label.encode())
