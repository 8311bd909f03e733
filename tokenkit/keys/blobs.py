"""authenticatorLargeBlobs (CTAP 2.1 §6.10): data that belongs to credentials, in one array."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fido2.ctap2.blob import LargeBlobs

from tokenkit.keys.answers import asking
from tokenkit.keys.credentials import Credentials, StoredCredential
from tokenkit.keys.errors import UnsupportedError
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.pin import Permission


@dataclass(frozen=True)
class BlobEntry:
    """One entry of the array: what it takes there and what is in it, in bytes.

    ``owner`` is the credential whose key opens it; None if no credential given does: it may
    belong to one that is not discoverable, or that has been deleted.
    """

    stored_size: int
    size: int
    owner: StoredCredential | None = None


def read_entries(key: OpenKey, credentials: Iterable[StoredCredential] = ()) -> list[BlobEntry]:
    """The entries of the array, which anybody may read; UnsupportedError if the key has none."""
    commands = _reading(key)
    with asking(key):
        entries = list(commands.read_blob_array())
    owners = [each for each in credentials if each.large_blob_key is not None]
    return [_describe(entry, owners) for entry in entries]


def capacity(key: OpenKey) -> int:
    """Bytes that the array may take in all (maxSerializedLargeBlobArray)."""
    return key.ctap2().info.max_large_blob


def read_blob(key: OpenKey, credential: StoredCredential) -> bytes | None:
    """The blob of ``credential``, None if it has none."""
    commands = _reading(key)
    large_blob_key = _key_of(key, credential)
    with asking(key):
        return commands.get_blob(large_blob_key)


class BlobWriter:
    """Credentials, and the right to write their blobs: one authorisation for both."""

    def __init__(self, key: OpenKey, pin: str) -> None:
        require_blobs(key)
        self._key = key
        self.credentials = Credentials(
            key, pin, Permission.CREDENTIAL_MGMT | Permission.LARGE_BLOB_WRITE
        )
        granted = self.credentials.authorisation
        with asking(key):
            self._commands = LargeBlobs(granted.ctap, granted.protocol, granted.token)

    def put(self, credential: StoredCredential, data: bytes) -> None:
        """Make ``data`` the blob of ``credential``, in place of any other."""
        large_blob_key = _key_of(self._key, credential)
        with asking(self._key):
            self._commands.put_blob(large_blob_key, data)

    def delete(self, credential: StoredCredential) -> bool:
        """Erase the blob of ``credential``; whether there was one."""
        large_blob_key = _key_of(self._key, credential)
        with asking(self._key):
            there = any(_opens(large_blob_key, each) for each in self._commands.read_blob_array())
            if there:
                self._commands.delete_blob(large_blob_key)
            return there


def supports_blobs(key: OpenKey) -> bool:
    """Whether it stores large blobs."""
    return LargeBlobs.is_supported(key.ctap2().info)


def require_blobs(key: OpenKey) -> None:
    """UnsupportedError if it stores none."""
    if not supports_blobs(key):
        raise UnsupportedError(f"{key}: stores no large blobs")


def _reading(key: OpenKey) -> LargeBlobs:
    require_blobs(key)
    with asking(key):
        return LargeBlobs(key.ctap2())


def _key_of(key: OpenKey, credential: StoredCredential) -> bytes:
    if credential.large_blob_key is None:
        raise UnsupportedError(
            f"{key}: {credential} can have no large blob: it was made without largeBlobKey"
        )
    return credential.large_blob_key


def _describe(entry: Mapping[int, Any], owners: list[StoredCredential]) -> BlobEntry:
    owner = next((each for each in owners if _opens(each.large_blob_key, entry)), None)
    if not isinstance(entry, Mapping):  # §6.10.3: others may have written what they like
        return BlobEntry(0, 0, owner)
    ciphertext, size = entry.get(1), entry.get(3)
    return BlobEntry(
        len(ciphertext) if isinstance(ciphertext, bytes) else 0,
        size if isinstance(size, int) else 0,
        owner,
    )


def _opens(large_blob_key: bytes | None, entry: Mapping[int, Any]) -> bool:
    """§6.10.3: whether the entry was encrypted with this key."""
    if large_blob_key is None:
        return False
    try:
        associated = b"blob" + struct.pack("<Q", entry[3])
        AESGCM(large_blob_key).decrypt(entry[2], entry[1], associated)
    except (TypeError, LookupError, ValueError, struct.error, InvalidTag):
        return False
    return True
