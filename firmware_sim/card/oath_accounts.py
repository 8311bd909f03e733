"""What the OATH application keeps in flash: accounts, its salt, its access key."""

import hashlib
import hmac
from dataclasses import dataclass, field, replace

from firmware_sim.card.apdu import StatusWord, StatusWordError
from firmware_sim.fido import cbor
from firmware_sim.otp.token import TokenKind, TokenSpec
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.flash import Flash

PREFIX = "oath/"
_SALT, _ACCESS_KEY, _ACCOUNT = PREFIX + "salt", PREFIX + "access-key", PREFIX + "account/"
SALT_BYTES = 8
HOTP, TOTP = 0x10, 0x20
# by their number in the protocol: name, and bytes in a block, which are the most a key may have
HASHES = {1: ("SHA1", 64), 2: ("SHA256", 64), 3: ("SHA512", 128)}
MIN_KEY_BYTES = 14
MAX_NAME_BYTES = 64
DIGITS = (6, 7, 8)
_COUNTERS = 1 << 64


@dataclass(frozen=True)
class Account:
    """One account, ``name`` being ``[period/][issuer:]account`` and ``kind`` HOTP or TOTP.

    ``algorithm`` is a number in HASHES. ``counter`` is the next one of an HOTP account,
    ``last_challenge`` the last one of a TOTP account that must be ``increasing``. StatusWordError
    WRONG_DATA if a field is out of range.
    """

    name: bytes
    kind: int
    algorithm: int
    digits: int
    key: bytes = field(repr=False)
    increasing: bool = False
    touch: bool = False
    counter: int = 0
    last_challenge: bytes = b""

    def __post_init__(self) -> None:
        if (
            not 1 <= len(self.name) <= MAX_NAME_BYTES
            or self.kind not in (HOTP, TOTP)
            or self.algorithm not in HASHES
            or self.digits not in DIGITS
            or not MIN_KEY_BYTES <= len(self.key) <= HASHES[self.algorithm][1]
        ):
            raise StatusWordError(StatusWord.WRONG_DATA)

    @classmethod
    def of_token(cls, spec: TokenSpec) -> "Account":
        """The account that gives the codes of a hardware token whose clock is right.

        It has the serial number for a name, which must be short enough.
        """
        algorithm = next(each for each, (name, _) in HASHES.items() if name == spec.algorithm)
        seed = spec.seed
        if len(seed) > HASHES[algorithm][1]:  # what HMAC itself does with it (RFC 2104 §2)
            seed = hashlib.new(spec.algorithm, seed).digest()
        if spec.kind == TokenKind.HOTP:
            return cls(spec.serial_number.encode(), HOTP, algorithm, spec.digits, seed)
        period = "" if spec.period_s == 30 else f"{spec.period_s}/"
        return cls(f"{period}{spec.serial_number}".encode(), TOTP, algorithm, spec.digits, seed)

    def mac(self, challenge: bytes) -> bytes:
        """The whole HMAC, of the counter if this is an HOTP account."""
        message = self.counter.to_bytes(8, "big") if self.kind == HOTP else challenge
        return hmac.digest(self.key, message, HASHES[self.algorithm][0].lower())

    def after(self, challenge: bytes) -> "Account":
        """What is left once a code was given for ``challenge``; StatusWordError if none may be."""
        if self.kind == HOTP:
            return replace(self, counter=(self.counter + 1) % _COUNTERS)
        if not 1 <= len(challenge) <= 64:
            raise StatusWordError(StatusWord.WRONG_DATA)
        if not self.increasing:
            return self
        if int.from_bytes(challenge, "big") < int.from_bytes(self.last_challenge, "big"):
            raise StatusWordError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
        return replace(self, last_challenge=challenge)

    def encode(self) -> bytes:
        return cbor.encode(
            {
                1: self.name,
                2: self.kind,
                3: self.algorithm,
                4: self.digits,
                5: self.key,
                6: self.increasing,
                7: self.touch,
                8: self.counter,
                9: self.last_challenge,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Account":
        members = cbor.decode(data)
        return cls(*(members[number] for number in range(1, 10)))


class OathAccounts:
    """Accounts in numbered places, at most ``capacity``; each change is one flash write."""

    def __init__(self, flash: Flash, entropy: Entropy, capacity: int) -> None:
        self._flash = flash
        self._entropy = entropy
        self._capacity = capacity

    def salt(self) -> bytes:
        """Drawn at first use and at each reset; clients know the application again by it."""
        salt = self._flash.get(_SALT)
        if salt is None:
            salt = self._entropy.bytes(SALT_BYTES)
            self._flash.write({_SALT: salt})
        return salt

    @property
    def access_key(self) -> tuple[int, bytes] | None:
        """The number of the hash and the key that a host must prove to have, if it must."""
        stored = self._flash.get(_ACCESS_KEY)
        return None if stored is None else (stored[0], stored[1:])

    def set_access_key(self, algorithm: int, key: bytes) -> None:
        self._flash.write({_ACCESS_KEY: bytes((algorithm,)) + key})

    def unset_access_key(self) -> None:
        self._flash.write({_ACCESS_KEY: None})

    def all(self) -> list[Account]:
        """In the order of their places: a new account takes the first free one."""
        return list(self._places().values())

    def find(self, name: bytes) -> Account:
        """StatusWordError DATA_INVALID if there is none of that name."""
        return self._find(name)[1]

    def put(self, *accounts: Account) -> None:
        """Add them, each in the place of the one with its name; NO_SPACE if there is no room."""
        places = self._places()
        changes: dict[str, bytes | None] = {}
        for account in accounts:
            place = next((at for at, each in places.items() if each.name == account.name), None)
            if place is None:
                every = (f"{_ACCOUNT}{number:02}" for number in range(self._capacity))
                place = next((each for each in every if each not in places), None)
            if place is None:
                raise StatusWordError(StatusWord.NO_SPACE)
            places[place] = account
            changes[place] = account.encode()
        if changes:
            self._flash.write(changes)

    def delete(self, name: bytes) -> None:
        self._flash.write({self._find(name)[0]: None})

    def rename(self, name: bytes, new: bytes) -> None:
        """WRONG_DATA if another has the new name."""
        place, account = self._find(name)
        if any(each.name == new for at, each in self._places().items() if at != place):
            raise StatusWordError(StatusWord.WRONG_DATA)
        self._flash.write({place: replace(account, name=new).encode()})

    def reset(self) -> None:
        """Erase all, and draw a new salt."""
        erased = {key: None for key, _ in self._flash.items(PREFIX)}
        self._flash.write({**erased, _SALT: self._entropy.bytes(SALT_BYTES)})

    def _places(self) -> dict[str, Account]:
        return {place: Account.decode(data) for place, data in self._flash.items(_ACCOUNT)}

    def _find(self, name: bytes) -> tuple[str, Account]:
        for place, account in self._places().items():
            if account.name == name:
                return place, account
        raise StatusWordError(StatusWord.DATA_INVALID)
