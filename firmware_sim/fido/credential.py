"""Credentials: discoverable ones in flash, server-side ones wrapped into their own id."""

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from firmware_sim.fido import cbor
from firmware_sim.fido.algorithms import ALGORITHMS, KNOWN, SigningKey
from firmware_sim.fido.request import Map
from firmware_sim.fido.settings import Changes
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.flash import Flash

WRAP_KEY = "credential-wrap-key"
_PREFIX = "credential/"
_STATE = "credential-store-state"
_WRAPPED = b"\x01"
_NONCE_LENGTH = 12
# COSE algorithm and length of the secret, which follows; then the extensions' state, if any
_WRAPPED_KEY = struct.Struct(">iH")
_TAG_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential source, bound to the SHA-256 of an RP ID, or of a U2F application's.

    For a server-side one ``rp_id`` is not known, ``user`` is None and ``created`` 0.
    """

    credential_id: bytes
    rp_id_hash: bytes
    key: SigningKey
    rp_id: str = ""
    user: Map | None = None
    created: int = 0
    extensions: Map = field(default_factory=dict)


def hash_of(rp_id: str) -> bytes:
    """SHA-256 of an RP ID: what credentials are bound to, and authenticator data begins with."""
    return hashlib.sha256(rp_id.encode()).digest()


def max_id_length(algorithms: Iterable[int], extensions: Map) -> int:
    """Bytes of the longest credential id, a wrapped one: with a key of one of ``algorithms`` and
    ``extensions`` as its state."""
    head = len(_WRAPPED) + _NONCE_LENGTH + _WRAPPED_KEY.size
    secret = max(KNOWN[number].secret_length for number in algorithms)
    state = len(cbor.encode(extensions)) if extensions else 0
    return head + secret + state + _TAG_LENGTH


class CredentialStore:
    """All credentials of one authenticator; discoverable ones are indexed by RP ID.

    A server-side credential's id is version, nonce and AES-256-GCM ciphertext of its key under
    the device's wrap key, bound to the RP ID hash: nothing is stored, and any change of the id
    or the RP makes it a stranger.
    """

    def __init__(self, flash: Flash, entropy: Entropy, capacity: int) -> None:
        self._flash = flash
        self._entropy = entropy
        self._capacity = capacity
        self._by_id: dict[bytes, Credential] = {}
        self._by_rp: dict[str, list[Credential]] = defaultdict(list)
        self._created = 0
        self._cipher = AESGCM(flash.get(WRAP_KEY) or b"")
        for name, value in flash.items(_PREFIX):
            self._index(self._load(bytes.fromhex(name.removeprefix(_PREFIX)), value))
        # opening a key costs as much as signing with it
        self._open = lru_cache(maxsize=256)(self._unwrap)

    @staticmethod
    def fresh(entropy: Entropy) -> Changes:
        """What must be in flash before a store is made."""
        return {WRAP_KEY: entropy.bytes(32), _STATE: entropy.bytes(16)}

    def __len__(self) -> int:
        """How many discoverable credentials there are."""
        return len(self._by_id)

    @property
    def state(self) -> bytes:
        """16 bytes that change with each change of a discoverable credential (CTAP 2.3 §6.4)."""
        return self._flash.get(_STATE) or b""

    @property
    def remaining(self) -> int:
        """How many more discoverable credentials fit, at least."""
        return self._capacity - len(self._by_id)

    def new_key(self, algorithm: int) -> SigningKey:
        return ALGORITHMS[algorithm].new(self._entropy)

    def add_server_side(self, rp_id_hash: bytes, key: SigningKey, extensions: Map) -> Credential:
        """Wrap ``key`` into a credential id."""
        nonce = self._entropy.bytes(_NONCE_LENGTH)
        plain = _WRAPPED_KEY.pack(key.algorithm, len(key.secret)) + key.secret
        if extensions:
            plain += cbor.encode(extensions)
        sealed = self._cipher.encrypt(nonce, plain, rp_id_hash)
        return Credential(_WRAPPED + nonce + sealed, rp_id_hash, key, extensions=extensions)

    def add_discoverable(
        self, rp_id: str, user: Map, key: SigningKey, extensions: Map
    ) -> tuple[Credential, Credential | None, Changes]:
        """A credential, the one of the same user that it replaces, and the flash changes.

        KEY_STORE_FULL if there is no room. Nothing is changed until the caller has written the
        changes and calls :meth:`remember`.
        """
        replaced = self._of_user(rp_id, user["id"])
        if replaced is None and self.remaining <= 0:
            raise CtapStatusError(Status.KEY_STORE_FULL)
        created = self._created + 1
        credential = Credential(
            self._entropy.bytes(32), hash_of(rp_id), key, rp_id, user, created, extensions
        )
        changes = self._record(credential)
        if replaced is not None:
            changes[_PREFIX + replaced.credential_id.hex()] = None
        return credential, replaced, changes

    def remember(self, credential: Credential, replaced: Credential | None) -> None:
        """Index a stored credential in place of the earlier one."""
        if replaced is not None:
            self._forget(replaced)
        self._index(credential)

    def find(self, credential_id: bytes, rp_id_hash: bytes) -> Credential | None:
        """The credential with this id if it belongs to this RP."""
        known = self._by_id.get(credential_id)
        if known is not None:
            return known if known.rp_id_hash == rp_id_hash else None
        return self._open(credential_id, rp_id_hash)

    def discoverable(self, rp_id: str) -> list[Credential]:
        """Discoverable credentials of this RP, the newest first."""
        return sorted(self._by_rp.get(rp_id, ()), key=lambda c: c.created, reverse=True)

    def stored(self, credential_id: bytes) -> Credential | None:
        """The discoverable credential with this id, of whichever RP."""
        return self._by_id.get(credential_id)

    def rp_ids(self) -> list[str]:
        """The RPs that have discoverable credentials, those with the oldest first."""
        return [rp_id for rp_id, held in self._by_rp.items() if held]

    def delete(self, credential: Credential, more: Mapping[str, bytes | None]) -> None:
        """Erase a discoverable credential, with ``more`` in the same transaction."""
        erased = {_PREFIX + credential.credential_id.hex(): None}
        self._flash.write({**erased, **self._with_new_state(), **more})
        self._forget(credential)

    def update_user(self, credential: Credential, user: Map) -> None:
        """Replace the user entity of a discoverable credential."""
        changed = replace(credential, user=user)
        self._flash.write(self._record(changed))
        self._forget(credential)
        self._index(changed)

    def _of_user(self, rp_id: str, user_id: bytes) -> Credential | None:
        for known in self._by_rp.get(rp_id, ()):
            if known.user is not None and known.user["id"] == user_id:
                return known
        return None

    def _index(self, credential: Credential) -> None:
        self._created = max(self._created, credential.created)
        self._by_id[credential.credential_id] = credential
        self._by_rp[credential.rp_id].append(credential)

    def _forget(self, credential: Credential) -> None:
        del self._by_id[credential.credential_id]
        self._by_rp[credential.rp_id].remove(credential)

    def _with_new_state(self) -> Changes:
        return {_STATE: self._entropy.bytes(16)}

    def _record(self, credential: Credential) -> Changes:
        """The flash change that stores a discoverable credential."""
        record = {
            1: credential.rp_id,
            2: credential.user,
            3: credential.key.algorithm,
            4: credential.key.secret,
            5: credential.created,
            6: credential.extensions,
        }
        stored = {_PREFIX + credential.credential_id.hex(): cbor.encode(record)}
        return {**stored, **self._with_new_state()}

    def _load(self, credential_id: bytes, value: bytes) -> Credential:
        record = cbor.decode(value)
        key = ALGORITHMS[record[3]].load(record[4], self._entropy.reproducible)
        rp_id = record[1]
        return Credential(
            credential_id, hash_of(rp_id), key, rp_id, record[2], record[5], record[6]
        )

    def _unwrap(self, credential_id: bytes, rp_id_hash: bytes) -> Credential | None:
        nonce, sealed = credential_id[1 : 1 + _NONCE_LENGTH], credential_id[1 + _NONCE_LENGTH :]
        if credential_id[:1] != _WRAPPED or len(sealed) < _TAG_LENGTH:
            return None
        try:
            plain = self._cipher.decrypt(nonce, sealed, rp_id_hash)
        except InvalidTag:
            return None
        algorithm, length = _WRAPPED_KEY.unpack_from(plain)
        end = _WRAPPED_KEY.size + length
        secret = plain[_WRAPPED_KEY.size : end]
        key = ALGORITHMS[algorithm].load(secret, self._entropy.reproducible)
        extensions = cbor.decode(plain[end:]) if plain[end:] else {}
        return Credential(credential_id, rp_id_hash, key, extensions=extensions)
