"""Strict access to a request's members: right type, present when required."""

from typing import Any, TypeVar

from firmware_sim.fido.status import CtapStatusError, Status

Map = dict[Any, Any]
T = TypeVar("T")


def optional(members: Map, key: int | str, kind: type[T]) -> T | None:
    """The member, or None where it is absent; CBOR_UNEXPECTED_TYPE for any other type."""
    value = members.get(key)
    return None if value is None else of_type(value, kind)


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
        if type(descriptor) is not dict:
            raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)
        credential_id = required(descriptor, "id", bytes)
        if required(descriptor, "type", str) == "public-key":
            ids.append(credential_id)
    return ids
