"""The members of CTAP2 requests and answers by name, marked where they are secret or vary."""

import struct
from typing import Any

from tokenkit.keys.trace import canonical
from tokenkit.keys.trace.marks import Marked, hide, mark
from tokenkit.keys.trace.names import HMAC_SECRET, TEMPLATE_INFO, CborCommand, Names

_EXTENSIONS = {
    "credBlob",
    "credProtect",
    "hmac-secret",
    "hmac-secret-mc",
    "largeBlobKey",
    "minPinLength",
    "pinComplexityPolicy",
    "thirdPartyPayment",
}
_AUTH_DATA = struct.Struct(">32sBI")
_ATTESTED, _EXTENDED = 0x40, 0x80
_FLAGS = ((0x01, "UP"), (0x04, "UV"), (0x08, "BE"), (0x10, "BS"), (0x40, "AT"), (0x80, "ED"))
_AAGUID_SIZE = 16


def request_members(command: CborCommand, tree: Any) -> Any:
    """``tree`` is what the request's CBOR says."""
    if not isinstance(tree, dict):
        return hide(tree)
    number = tree.get(command.subcommand)
    inner = command.inner.get(number if type(number) is int else 0, command.inner.get(0, {}))
    return _named(tree, command.request, inner)


def answer_members(command: CborCommand, tree: Any) -> Any:
    """``tree`` is what the answer's CBOR says; of getInfo nothing is private."""
    if not isinstance(tree, dict):
        return hide(tree)
    return _named(tree, command.answer, {}, public=command.name == "authenticatorGetInfo")


def _named(tree: dict[Any, Any], names: Names, inner: Names, public: bool = False) -> Any:
    shown = {}
    for number, value in tree.items():
        name = names.get(number) if type(number) is int else None
        if name is None:
            shown[number] = value if public else hide(value)
        elif name == "subCommandParams":
            shown[name] = _named(value, inner, {}) if isinstance(value, dict) else hide(value)
        else:
            shown[name] = _member(name, value)
    return shown


def _member(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        if name == "user":
            return {
                each: text if each == "id" else Marked(text, secret=True)
                for each, text in value.items()
            }
        if name in ("extensions", "unsignedExtensionOutputs"):
            return _extensions(value)
        if name == "credential":
            return _descriptor(value)
    if isinstance(value, list):
        if name in ("allowList", "excludeList"):
            return [_descriptor(each) for each in value]
        if name == "templateInfos":
            return [
                _named(each, TEMPLATE_INFO, {}) if isinstance(each, dict) else hide(each)
                for each in value
            ]
    if name == "credentialID":
        return _descriptor(value)
    if name == "authData" and isinstance(value, bytes):
        return auth_data(value)
    return mark(name, value)


def _descriptor(value: Any) -> Any:
    """A PublicKeyCredentialDescriptor, whose id is another one for each key."""
    if not isinstance(value, dict) or "id" not in value:
        return value
    return value | {"id": Marked(value["id"], varies=True)}


def _extensions(value: dict[Any, Any]) -> Any:
    return {name: _extension(name, each) for name, each in value.items()}


def _extension(name: Any, value: Any) -> Any:
    if name not in _EXTENSIONS:
        return hide(value)
    if name in ("hmac-secret", "hmac-secret-mc") and isinstance(value, dict):
        return _named(value, HMAC_SECRET, {})
    return mark(name, value)


def auth_data(data: bytes) -> Any:
    """Authenticator data (WebAuthn §6.1) by its parts; the bytes if they are no such thing.

    Those may hold a secret, too.
    """
    try:
        return _auth_data(data)
    except canonical.BAD_CBOR:
        return Marked(data, secret=True)


def _auth_data(data: bytes) -> dict[str, Any]:
    rp_id_hash, flags, count = _AUTH_DATA.unpack_from(data)
    rest = data[_AUTH_DATA.size :]
    parts: dict[str, Any] = {
        "rpIdHash": rp_id_hash,
        "flags": [name for bit, name in _FLAGS if flags & bit],
        "signCount": mark("signCount", count),
    }
    if flags & _ATTESTED:
        parts["aaguid"], rest = rest[:_AAGUID_SIZE], rest[_AAGUID_SIZE:]
        (length,) = struct.unpack_from(">H", rest)
        credential_id, rest = rest[2 : 2 + length], rest[2 + length :]
        public_key, rest = canonical.decode_from(rest)
        parts["credentialId"] = mark("credentialId", credential_id)
        parts["credentialPublicKey"] = mark("credentialPublicKey", public_key)
    if flags & _EXTENDED:
        extensions, rest = canonical.decode_from(rest)
        if not isinstance(extensions, dict):
            raise ValueError("extensions are a map")
        parts["extensions"] = _extensions(extensions)
    if rest:
        raise ValueError(f"{len(rest)} bytes too many")
    return parts
