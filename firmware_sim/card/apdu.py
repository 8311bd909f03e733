"""Command APDUs and status words (ISO 7816-4 §5.1 and §5.3)."""

from dataclasses import dataclass
from enum import IntEnum

_SHORT, _EXTENDED = 0x100, 0x10000  # what an expected length of 0 stands for


class StatusWord(IntEnum):
    """Last two bytes of every answer; MORE_DATA and UPDATE have details in the data or low byte."""

    MORE_DATA = 0x6100
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    DATA_INVALID = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    COMMAND_NOT_ALLOWED = 0x6986
    WRONG_DATA = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    NO_SPACE = 0x6A84
    WRONG_P1P2 = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_PRECISE_DIAGNOSIS = 0x6F00
    NO_ERROR = 0x9000
    UPDATE = 0x9100  # a keep-alive over NFC (CTAP 2.1 §11.3)


class StatusWordError(Exception):
    """Ends a command with a status word and no data."""

    def __init__(self, status: StatusWord) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True, slots=True)
class Apdu:
    """A command; ``expected`` is the length Ne that the host has room for, None if it says none."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    expected: int | None = None
    extended: bool = False

    @property
    def room(self) -> int:
        """Most bytes of data that one answer may have.

        Hosts that leave the expected length out take what comes, as python-fido2 and yubikit do.
        """
        if self.expected is not None:
            return self.expected
        return _EXTENDED if self.extended else _SHORT


def parse_apdu(message: bytes) -> Apdu:
    """A command of any of the seven cases, in short or extended length.

    :class:`StatusWordError` WRONG_LENGTH for all else. Data of extended length 0 is none: old
    U2F hosts ask for the version so.
    """
    if len(message) < 4:
        raise StatusWordError(StatusWord.WRONG_LENGTH)
    cla, ins, p1, p2 = message[:4]
    body = message[4:]
    if not body:
        return Apdu(cla, ins, p1, p2)
    if len(body) == 1:
        return Apdu(cla, ins, p1, p2, b"", body[0] or _SHORT)
    if len(body) == 3 and body[0] == 0:
        return Apdu(cla, ins, p1, p2, b"", int.from_bytes(body[1:], "big") or _EXTENDED, True)
    extended = body[0] == 0
    start, tail = (3, 2) if extended else (1, 1)  # before the data, and after it
    end = start + int.from_bytes(body[:start], "big")
    data, rest = body[start:end], body[end:]
    if len(body) < max(start, end) or len(rest) not in (0, tail):
        raise StatusWordError(StatusWord.WRONG_LENGTH)
    expected = None
    if rest:
        expected = int.from_bytes(rest, "big") or (_EXTENDED if extended else _SHORT)
    return Apdu(cla, ins, p1, p2, data, expected, extended)
