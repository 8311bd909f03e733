"""CTAP2 canonical CBOR (CTAP 2.1 §8): a decoder that accepts no other form, and its encoder.

python-fido2's decoder is lenient (truncated strings, duplicate keys, any order), and decoding,
encoding again and comparing costs more than the rest of an assertion without its signature.
Types: int (64-bit range), bytes, str, bool, list, dict; null, floats and other simple values, which
no member of a request is, are :class:`Other`, for what ignores them. Tags, indefinite lengths and
more than four levels of nesting have no place in CTAP2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Other:
    """A value that no request means anything by; ``encoded`` is all that is known of it."""

    encoded: bytes


class CborError(ValueError):
    """The bytes are not one canonical CBOR item."""


def decode(data: bytes) -> Any:
    """The one item that ``data`` is, all of it; raises :class:`CborError`."""
    try:
        value, end = _item(data, 0, 0)
    except IndexError:
        raise CborError("truncated") from None
    except UnicodeDecodeError:
        raise CborError("text is not UTF-8") from None
    if end != len(data):
        raise CborError(f"{len(data) - end} bytes after the item")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    first = data[at]
    at += 1
    if first < 24:  # most map keys
        return first, at
    major, argument = first >> 5, first & 0x1F
    if major == 7:
        if first == 0xF5:
            return True, at
        if first == 0xF4:
            return False, at
        return _other(data, at, argument)
    if argument > 23:
        if argument > 27:
            raise CborError("indefinite or reserved length")
        size = 1 << (argument - 24)
        if at + size > len(data):
            raise CborError("truncated")
        argument = int.from_bytes(data[at : at + size], "big")
        # the shortest form only: the value must not fit the next smaller one
        if argument < (24 if size == 1 else 1 << (size * 4)):
            raise CborError("number is not in its shortest form")
        at += size
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if major == 2 or major == 3:
        end = at + argument
        if end > len(data):
            raise CborError("truncated")
        raw = data[at:end]
        return (raw if major == 2 else raw.decode()), end
    if major == 6:
        raise CborError("tags are not allowed")
    if depth == MAX_DEPTH:
        raise CborError("nested too deeply")
    depth += 1
    if major == 4:
        # every element takes a byte, so a huge count cannot make a huge list
        items = []
        for _ in range(argument):
            value, at = _item(data, at, depth)
            items.append(value)
        return items, at
    pairs: dict[Any, Any] = {}
    last_major, last = -1, b""
    for _ in range(argument):
        start = at
        first = data[at]
        key_major = first >> 5
        if first < 24:
            key = first
            at += 1
        elif key_major > 3:
            raise CborError("a map key must be a number or a string")
        else:
            key, at = _item(data, at, depth)
        raw = data[start:at]
        # keys ascend by major type, then length, then bytes
        if key_major == last_major:
            ascends = raw > last if len(raw) == len(last) else len(raw) > len(last)
        else:
            ascends = key_major > last_major
        if not ascends:
            raise CborError("map keys are repeated or out of order")
        last_major, last = key_major, raw
        pairs[key], at = _item(data, at, depth)
    return pairs, at


def _other(data: bytes, at: int, argument: int) -> tuple[Other, int]:
    """A simple value or float; its length is in the low bits, as a number's is."""
    if argument > 27:
        raise CborError("indefinite or reserved length")
    end = at + (1 << (argument - 24) if argument > 23 else 0)
    if end > len(data):
        raise CborError("truncated")
    if argument == 24 and data[at] < 32:
        raise CborError("simple value is not in its shortest form")
    return Other(data[at - 1 : end]), end


def encode(value: Any) -> bytes:
    """``value`` in canonical form; raises :class:`CborError` for a type CTAP2 does not use."""
    try:
        return _ENCODERS[type(value)](value)
    except KeyError:
        raise CborError(f"{type(value).__name__} has no place in CTAP2") from None


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major | argument,))
    if argument < 0x100:
        return bytes((major | 24, argument))
    if argument < 0x10000:
        return bytes((major | 25, argument >> 8, argument & 0xFF))
    if argument < 0x100000000:
        return bytes((major | 26,)) + argument.to_bytes(4, "big")
    if argument < 0x10000000000000000:
        return bytes((major | 27,)) + argument.to_bytes(8, "big")
    raise CborError("a number of more than 64 bits")


def _int(value: int) -> bytes:
    return _head(0x00, value) if value >= 0 else _head(0x20, -1 - value)


def _text(value: str) -> bytes:
    raw = value.encode()
    return _head(0x60, len(raw)) + raw


def _list(value: list[Any]) -> bytes:
    return _head(0x80, len(value)) + b"".join([encode(item) for item in value])


def _map(value: dict[Any, Any]) -> bytes:
    items = [(_key(key), encode(item)) for key, item in value.items()]
    if len(items) > 1:
        items.sort()
    return _head(0xA0, len(items)) + b"".join([key[2] + item for key, item in items])


@lru_cache(maxsize=1024, typed=True)
def _key(key: Any) -> tuple[int, int, bytes]:
    """What the order of keys goes by: major type, length and bytes of the encoded key."""
    raw = encode(key)
    return raw[0] >> 5, len(raw), raw


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: b"\xf5" if value else b"\xf4",
    int: _int,
    bytes: lambda value: _head(0x40, len(value)) + value,
    str: _text,
    list: _list,
    dict: _map,
    Other: lambda value: value.encoded,
}
