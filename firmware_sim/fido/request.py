"""Strict access to a request's members: right type, present when required."""

from typing import Any, TypeVar

from firmware_sim.fido.status import CtapStatusError, Status

Map = dict[Any, Any]
T = TypeVar("T")
_USER_TEXT_BYTES = 64
_USER_TEXT = ("name", "displayName")  # icon went with CTAP 2.1, and is no error


def optional(members: Map, key: int | str, kind: type[T]) -> T | None:
    """The member, or None where it is absent; CBOR_UNEXPECTED_TYPE for any other type."""
    value = members.get(key)
    if value is None or type(value) is kind:  # as of_type, which costs a call
        return value
    raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)


def of_type(value: object, kind: type[T]) -> T:
    """``value``; CBOR_UNEXPECTED_TYPE unless it is of this very type."""
    if type(value) is not kind:  # bool is not an integer here
        raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)
    return value


def required(members: Map, key: int | str, kind: type[T]) -> T:
    """The member; MISSING_PARAMETER where it is absent."""
    value = optional(members, key, kind)
    if value is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return value


def descriptor_ids(members: Map, key: int, limit: int) -> list[bytes] | None:
    """Credential ids of a list of PublicKeyCredentialDescriptors, foreign types left out.

    None where the list is absent. LIMIT_EXCEEDED for more than ``limit`` entries.
    """
    descriptors = optional(members, key, list)
    if descriptors is None:
        return None
    if len(descriptors) > limit:
        raise CtapStatusError(Status.LIMIT_EXCEEDED)
    ids = []
    for descriptor in descriptors:
        credential_id = descriptor_id(of_type(descriptor, dict))
        if descriptor["type"] == "public-key":
            ids.append(credential_id)
    return ids


def descriptor_id(descriptor: Map) -> bytes:
    """The id in a PublicKeyCredentialDescriptor, whose type must be there, too."""
    required(descriptor, "type", str)
    return required(descriptor, "id", bytes)


def user_entity(entity: Map) -> Map:
    """A user entity's known members, names cut; id is 1 to 64 bytes (WebAuthn §5.4.3)."""
    user_id = required(entity, "id", bytes)
    if not 1 <= len(user_id) <= 64:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    user: Map = {"id": user_id}
    for name in _USER_TEXT:
        text = optional(entity, name, str)
        if text is not None:
            user[name] = _cut(text)
    return user


def _cut(text: str) -> str:
    """The first 64 bytes of it that are whole characters, which is what must fit at least
    (WebAuthn §6.4.1.2): a longer name could make an answer that fits no message."""
    return text.encode()[:_USER_TEXT_BYTES].decode(errors="ignore")
