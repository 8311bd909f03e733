"""authenticatorLargeBlobs (CTAP 2.1 §6.10): one array of bytes that anybody may read."""

import hashlib
from dataclasses import dataclass, field

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, optional
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import require_token

CODE = 0x0C
_CHECK_BYTES = 16
_STORED = "large-blobs"
_EMPTY = b"\x80"  # an empty CBOR array


@dataclass(slots=True)
class _Writing:
    """An array of which the first ``len(received)`` bytes of ``length`` have come."""

    length: int
    received: bytearray = field(default_factory=bytearray)


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    count, fragment = optional(parameters, 1, int), optional(parameters, 2, bytes)
    offset, length = optional(parameters, 3, int), optional(parameters, 4, int)
    if offset is None or offset < 0 or (count is None) is (fragment is None):
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if count is not None:
        return _read(authenticator, parameters, count, offset)
    assert fragment is not None
    await _write(authenticator, parameters, fragment, offset, length)
    return None


def _read(authenticator: Authenticator, parameters: Map, count: int, offset: int) -> Map:
    """§6.10.2, get."""
    if count < 0 or any(member in parameters for member in (4, 5, 6)):
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if count > _max_fragment(authenticator):
        raise CtapStatusError(Status.INVALID_LENGTH)
    stored = authenticator.flash.get(_STORED) or _EMPTY + _check(_EMPTY)
    if offset > len(stored):
        raise CtapStatusError(Status.INVALID_PARAMETER)
    return {1: stored[offset : offset + count]}


async def _write(
    authenticator: Authenticator, parameters: Map, fragment: bytes, offset: int, length: int | None
) -> None:
    """§6.10.2, set: fragments in order, and the whole replaces the old array when it is right."""
    if len(fragment) > _max_fragment(authenticator):
        raise CtapStatusError(Status.INVALID_LENGTH)
    writing: _Writing | None = authenticator.continuation.get(CODE)
    if offset == 0:
        if length is None:
            raise CtapStatusError(Status.INVALID_PARAMETER)
        if length > authenticator.profile.max_large_blob_array:
            raise CtapStatusError(Status.LARGE_BLOB_STORAGE_FULL)
        if length <= _CHECK_BYTES:
            raise CtapStatusError(Status.INVALID_PARAMETER)
        writing = _Writing(length)
    elif length is not None:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if writing is None or offset != len(writing.received):
        raise CtapStatusError(Status.INVALID_SEQ)
    if authenticator.is_protected or authenticator.settings.always_uv:
        message = (
            b"\xff" * 32
            + bytes((CODE, 0))
            + offset.to_bytes(4, "little")
            + hashlib.sha256(fragment).digest()
        )
        require_token(authenticator, parameters, 5, 6, message, Permission.LARGE_BLOB_WRITE)
    if offset + len(fragment) > writing.length:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    writing.received += fragment
    authenticator.continuation[CODE] = writing
    if len(writing.received) < writing.length:
        return
    authenticator.continuation.clear()
    whole = bytes(writing.received)
    if whole[-_CHECK_BYTES:] != _check(whole[:-_CHECK_BYTES]):
        raise CtapStatusError(Status.INTEGRITY_FAILURE)
    authenticator.flash.write({_STORED: whole})


def _max_fragment(authenticator: Authenticator) -> int:
    return authenticator.profile.max_msg_size - 64


def _check(contents: bytes) -> bytes:
    return hashlib.sha256(contents).digest()[:_CHECK_BYTES]


def _info(authenticator: Authenticator) -> Map:
    return {0x04: {"largeBlobs": True}, 0x0B: authenticator.profile.max_large_blob_array}


COMMAND = Command(
    CODE,
    run,
    options=("largeBlobs",),
    info=_info,
    follows=CODE,
    permission=Permission.LARGE_BLOB_WRITE,
)
