"""authenticatorGetInfo (CTAP 2.3 §6.4), every member by its name."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fido2 import cbor
from fido2.cose import CoseKey, UnsupportedKey
from fido2.ctap import CtapError
from fido2.ctap2.base import Ctap2
from fido2.hid import CTAPHID

from tokenkit.keys.errors import talking_to
from tokenkit.keys.opened import OpenKey

MEMBERS = [
    "versions",
    "extensions",
    "aaguid",
    "options",
    "maxMsgSize",
    "pinUvAuthProtocols",
    "maxCredentialCountInList",
    "maxCredentialIdLength",
    "transports",
    "algorithms",
    "maxSerializedLargeBlobArray",
    "forcePINChange",
    "minPINLength",
    "firmwareVersion",
    "maxCredBlobLength",
    "maxRPIDsForSetMinPINLength",
    "preferredPlatformUvAttempts",
    "uvModality",
    "certifications",
    "remainingDiscoverableCredentials",
    "vendorPrototypeConfigCommands",
    "attestationFormats",
    "uvCountSinceLastPinEntry",
    "longTouchForReset",
    "encIdentifier",
    "transportsForReset",
    "pinComplexityPolicy",
    "pinComplexityPolicyURL",
    "maxPINLength",
    "encCredStoreState",
    "authenticatorConfigCommands",
]


def read_info(key: OpenKey) -> dict[str, Any]:
    """What the key sends, and nothing that it does not, ready for JSON, in the order sent.

    Bytes are in hexadecimal, the AAGUID is a UUID, the policy's URL text; a member that CTAP 2.3
    does not know is named by its number, like ``0x2a``.
    """
    key.require_ctap2()
    with talking_to(key.selector):
        # not through python-fido2's Info, which gives up on the odd answers one wants to see
        answer = key.device.call(CTAPHID.CBOR, bytes((Ctap2.CMD.GET_INFO,)))
        if answer[0]:
            raise CtapError(answer[0])
        sent = cbor.decode(answer[1:])
        if not isinstance(sent, Mapping):
            raise TypeError("getInfo answered something else than a map")
        return {_name(number): _plain(_name(number), value) for number, value in sent.items()}


def algorithm_name(number: int) -> str:
    """``ES256`` for -7, and so on; the number itself if python-fido2 knows no name."""
    kind = CoseKey.for_alg(number)
    return str(number) if kind is UnsupportedKey else kind.__name__


def _name(number: object) -> str:
    if isinstance(number, int) and 1 <= number <= len(MEMBERS):
        return MEMBERS[number - 1]
    return f"0x{number:02x}" if isinstance(number, int) and number >= 0 else str(number)


def _plain(name: str, value: Any) -> Any:
    if name == "aaguid" and isinstance(value, bytes) and len(value) == 16:
        return str(UUID(bytes=value))
    if name == "pinComplexityPolicyURL" and isinstance(value, bytes):  # text, sent as bytes
        return value.decode(errors="replace")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): _plain("", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain("", each) for each in value]
    return value
