"""Tag, length, value, as Yubico's applications write them: tags of one byte, lengths as in BER."""

from firmware_sim.card.apdu import StatusWord, StatusWordError


def tlv(tag: int, value: bytes) -> bytes:
    """``value`` of at most 65,535 bytes under ``tag``."""
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    if length < 0x100:
        return bytes((tag, 0x81, length)) + value
    return bytes((tag, 0x82)) + length.to_bytes(2, "big") + value


class TlvReader:
    """Takes members in the order in which they must come; StatusWordError WRONG_DATA if not."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, tag: int) -> bytes:
        """The value of the next member, which is ``tag``."""
        if not self.is_next(tag):
            raise StatusWordError(StatusWord.WRONG_DATA)
        self._at += 1
        return self.raw(self._length())

    def take_byte(self, tag: int) -> int:
        """The value of the next member, which is ``tag`` and one byte without a length."""
        if not self.is_next(tag):
            raise StatusWordError(StatusWord.WRONG_DATA)
        self._at += 1
        return self.raw(1)[0]

    def is_next(self, tag: int) -> bool:
        return self._data[self._at : self._at + 1] == bytes((tag,))

    def end(self) -> None:
        """There must be nothing more."""
        if self._at != len(self._data):
            raise StatusWordError(StatusWord.WRONG_DATA)

    def raw(self, count: int) -> bytes:
        """The next ``count`` bytes, whatever they are."""
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise StatusWordError(StatusWord.WRONG_DATA)
        self._at += count
        return part

    def _length(self) -> int:
        first = self.raw(1)[0]
        if first < 0x80:
            return first
        if first not in (0x81, 0x82):
            raise StatusWordError(StatusWord.WRONG_DATA)
        return int.from_bytes(self.raw(first & 0x0F), "big")
