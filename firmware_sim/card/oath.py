"""The OATH application: codes for accounts, by Yubico's YKOATH protocol.

Such a key has no clock: the host supplies the time step, so its drift is the host's.
"""

import hmac
from collections.abc import Awaitable, Callable

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError
from firmware_sim.card.card import Answer
from firmware_sim.card.oath_accounts import HASHES, HOTP, Account, OathAccounts
from firmware_sim.card.tlv import TlvReader, tlv
from firmware_sim.fido.status import CtapStatusError
from firmware_sim.world.entropy import Entropy

TOUCH_TIMEOUT_S = 15.0
_PUT, _DELETE, _SET_CODE, _RESET, _RENAME = 0x01, 0x02, 0x03, 0x04, 0x05
_LIST, _CALCULATE, _VALIDATE, _CALCULATE_ALL, _SEND_REMAINING = 0xA1, 0xA2, 0xA3, 0xA4, 0xA5
_NAME, _NAME_LIST, _KEY, _CHALLENGE, _RESPONSE, _TRUNCATED = 0x71, 0x72, 0x73, 0x74, 0x75, 0x76
_NO_RESPONSE, _PROPERTY, _VERSION, _COUNTER, _ALGORITHM, _TOUCH = 0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C
_INCREASING, _NEEDS_TOUCH = 0x01, 0x02
_RENAMES_FROM = (5, 3, 1)
_CHALLENGE_BYTES = 8
_MAX_ACCESS_KEY = 64

Touch = Callable[[str], Awaitable[object]]
"""Waits for a touch, for the reason given; CtapStatusError if there is none."""


class OathApplet:
    """``version`` is what it says it is; ``touch`` asks the key's user.

    ``step_offset`` is added to every challenge of 8 bytes, which is a time step: with another
    number than 0 the key is faulty.
    """

    aid = bytes.fromhex("a0000005272101")
    more_ins = _SEND_REMAINING

    def __init__(
        self,
        accounts: OathAccounts,
        version: tuple[int, int, int],
        entropy: Entropy,
        touch: Touch,
    ) -> None:
        self.accounts = accounts
        self.step_offset = 0
        self._version = version
        self._entropy = entropy
        self._touch = touch
        self._locked = False
        self._challenge = b""  # what the host must answer to unlock
        # by instruction: what answers, and the values of P2 that it has (P1 is 0)
        self._commands: dict[int, tuple[Callable[[Apdu], bytes], tuple[int, ...]]] = {
            _PUT: (self._put, (0,)),
            _DELETE: (self._delete, (0,)),
            _SET_CODE: (self._set_code, (0,)),
            _LIST: (self._list, (0,)),
            _VALIDATE: (self._validate, (0,)),
            _CALCULATE_ALL: (self._calculate_all, (0, 1)),
        }
        if version >= _RENAMES_FROM:
            self._commands[_RENAME] = (self._rename, (0,))

    def select(self) -> bytes:
        answer = tlv(_VERSION, bytes(self._version)) + tlv(_NAME, self.accounts.salt())
        access_key = self.accounts.access_key
        self._locked = access_key is not None
        if access_key is not None:
            self._challenge = self._entropy.bytes(_CHALLENGE_BYTES)
            answer += tlv(_CHALLENGE, self._challenge) + tlv(_ALGORITHM, bytes((access_key[0],)))
        return answer

    def deselect(self) -> None:
        self._locked = True

    async def respond(self, apdu: Apdu) -> Answer:
        if apdu.cla != 0:
            raise StatusWordError(StatusWord.CLA_NOT_SUPPORTED)
        if apdu.ins == _RESET:  # also for those who have lost the access key
            self._reset(apdu)
            return Answer()
        if apdu.ins != _CALCULATE and apdu.ins not in self._commands:
            raise StatusWordError(StatusWord.INS_NOT_SUPPORTED)
        if self._locked and apdu.ins != _VALIDATE:
            raise StatusWordError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
        command, seconds = self._commands.get(apdu.ins, (None, (0, 1)))
        if apdu.p1 != 0 or apdu.p2 not in seconds:
            raise StatusWordError(StatusWord.WRONG_P1P2)
        if command is not None:
            return Answer(command(apdu))
        return Answer(await self._calculate(apdu))

    def _reset(self, apdu: Apdu) -> None:
        if (apdu.p1, apdu.p2) != (0xDE, 0xAD):
            raise StatusWordError(StatusWord.WRONG_P1P2)
        self.accounts.reset()
        self._locked = False

    # -- access ----------------------------------------------------------------------------------

    def _set_code(self, apdu: Apdu) -> bytes:
        """A new access key, of which the host shows that it has it; an empty one for none."""
        reader = TlvReader(apdu.data)
        key = reader.take(_KEY)
        if not key:
            reader.end()
            self.accounts.unset_access_key()
            return b""
        algorithm, key = key[0] & 0x0F, key[1:]
        challenge, response = reader.take(_CHALLENGE), reader.take(_RESPONSE)
        reader.end()
        if algorithm not in HASHES or not 1 <= len(key) <= _MAX_ACCESS_KEY or not challenge:
            raise StatusWordError(StatusWord.WRONG_DATA)
        if not hmac.compare_digest(_mac(algorithm, key, challenge), response):
            raise StatusWordError(StatusWord.DATA_INVALID)
        self.accounts.set_access_key(algorithm, key)
        return b""

    def _validate(self, apdu: Apdu) -> bytes:
        """The host shows that it has the access key, then the key does."""
        access_key = self.accounts.access_key
        if access_key is None:
            raise StatusWordError(StatusWord.DATA_INVALID)
        reader = TlvReader(apdu.data)
        response, challenge = reader.take(_RESPONSE), reader.take(_CHALLENGE)
        reader.end()
        expected = _mac(*access_key, self._challenge)
        if len(challenge) < _CHALLENGE_BYTES or not hmac.compare_digest(expected, response):
            raise StatusWordError(StatusWord.WRONG_DATA)
        self._locked = False
        return tlv(_RESPONSE, _mac(*access_key, challenge))

    # -- accounts --------------------------------------------------------------------------------

    def _put(self, apdu: Apdu) -> bytes:
        reader = TlvReader(apdu.data)
        name, key = reader.take(_NAME), reader.take(_KEY)
        properties = reader.take_byte(_PROPERTY) if reader.is_next(_PROPERTY) else 0
        counter = reader.take(_COUNTER) if reader.is_next(_COUNTER) else bytes(4)
        reader.end()
        if len(key) < 2 or len(counter) != 4:
            raise StatusWordError(StatusWord.WRONG_DATA)
        account = Account(
            name,
            key[0] & 0xF0,
            key[0] & 0x0F,
            key[1],
            key[2:],
            increasing=bool(properties & _INCREASING),
            touch=bool(properties & _NEEDS_TOUCH),
            counter=int.from_bytes(counter, "big"),
        )
        self.accounts.put(account)
        return b""

    def _delete(self, apdu: Apdu) -> bytes:
        reader = TlvReader(apdu.data)
        name = reader.take(_NAME)
        reader.end()
        self.accounts.delete(name)
        return b""

    def _rename(self, apdu: Apdu) -> bytes:
        reader = TlvReader(apdu.data)
        old, new = reader.take(_NAME), reader.take(_NAME)
        reader.end()
        self.accounts.rename(old, new)
        return b""

    def _list(self, apdu: Apdu) -> bytes:
        return b"".join(
            tlv(_NAME_LIST, bytes((account.kind | account.algorithm,)) + account.name)
            for account in self.accounts.all()
        )

    # -- codes -----------------------------------------------------------------------------------

    async def _calculate(self, apdu: Apdu) -> bytes:
        """One account's code; what it costs is in flash before it is given."""
        reader = TlvReader(apdu.data)
        name, challenge = reader.take(_NAME), reader.take(_CHALLENGE)
        reader.end()
        challenge = self._as_seen(challenge)
        account = self.accounts.find(name)
        account.after(challenge)  # asks for no touch in vain
        if account.touch:
            try:
                await self._touch(f"get a code for {name.decode(errors='replace')}")
            except CtapStatusError:
                raise StatusWordError(StatusWord.SECURITY_STATUS_NOT_SATISFIED) from None
        self._store([account], challenge)
        return _code(account, challenge, apdu.p2 == 1)

    def _calculate_all(self, apdu: Apdu) -> bytes:
        """All codes that cost neither a counter nor a touch, and the names of the others."""
        reader = TlvReader(apdu.data)
        challenge = reader.take(_CHALLENGE)
        reader.end()
        challenge = self._as_seen(challenge)
        accounts = self.accounts.all()
        given = [each for each in accounts if each.kind != HOTP and not each.touch]
        self._store(given, challenge)
        answer = b""
        for account in accounts:
            answer += tlv(_NAME, account.name)
            if account in given:
                answer += _code(account, challenge, apdu.p2 == 1)
            else:
                tag = _NO_RESPONSE if account.kind == HOTP else _TOUCH
                answer += tlv(tag, bytes((account.digits,)))
        return answer

    def _store(self, accounts: list[Account], challenge: bytes) -> None:
        """What codes for ``challenge`` cost, in one flash write."""
        after = [account.after(challenge) for account in accounts]
        self.accounts.put(*(each for each in after if each not in accounts))

    def _as_seen(self, challenge: bytes) -> bytes:
        if len(challenge) != _CHALLENGE_BYTES:
            return challenge
        step = int.from_bytes(challenge, "big") + self.step_offset
        return (step % (1 << 64)).to_bytes(_CHALLENGE_BYTES, "big")


def _code(account: Account, challenge: bytes, truncated: bool) -> bytes:
    """The number of digits, and the HMAC or the four bytes that RFC 4226 §5.3 takes of it."""
    mac, digits = account.mac(challenge), bytes((account.digits,))
    if not truncated:
        return tlv(_RESPONSE, digits + mac)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return tlv(_TRUNCATED, digits + number.to_bytes(4, "big"))


def _mac(algorithm: int, key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, HASHES[algorithm][0].lower())
