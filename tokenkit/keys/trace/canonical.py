"""CBOR as CTAP2 has it (CTAP 2.1 §8): python-fido2 reads more, and takes null for false."""

import struct
from typing import Any

from fido2 import cbor

BAD_CBOR = (ValueError, TypeError, LookupError, struct.error, RecursionError)


def decode_from(data: bytes) -> tuple[Any, bytes]:
    """The item at the start of ``data``, and the rest; one of ``BAD_CBOR`` if it is not canonical.

    Items that are cut off or of other types than CTAP uses are not canonical, either.
    """
    value, rest = cbor.decode_from(data)
    if cbor.encode(value) != data[: len(data) - len(rest)]:
        raise ValueError("not canonical")
    return value, rest


def decode(data: bytes) -> Any:
    """As :func:`decode_from`, where nothing may follow."""
    value, rest = decode_from(data)
    if rest:
        raise ValueError(f"{len(rest)} bytes too many")
    return value
