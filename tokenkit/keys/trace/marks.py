"""What in a message is secret, and what differs from one session to the next by its nature.

A secret is what lets a reader of the trace act in the user's place, or learn what is private:

- the PIN and what comes of it, encrypted or not: newPinEnc, pinHashEnc, pinUvAuthParam,
  pinUvAuthToken; someone may have the key that undoes it, and virtual keys' are no secret;
- what relying parties keep on the key: credBlob, largeBlobKey, salts and outputs of hmac-secret;
- who the user is: all of a user but the id, a fingerprint's templateFriendlyName;
- what cannot be told apart: members, extensions and vendor commands without a name here, and all
  that a smart card's other applets (OATH, say) are asked and answer.

RP IDs, user handles, credential ids, public keys and signatures are shown: a trace is of little use
without them. Truth values and numbers are shown wherever they are.
"""

from dataclasses import dataclass
from typing import Any

SECRET = {
    "newPinEnc",
    "pinHashEnc",
    "pinUvAuthParam",
    "pinUvAuthToken",
    "credBlob",
    "largeBlobKey",
    "hmac-secret",
    "hmac-secret-mc",
    "saltEnc",
    "saltAuth",
    "templateFriendlyName",
}
VARIES = {
    "nonce",
    "channel",
    "clientDataHash",
    "keyAgreement",
    "newPinEnc",
    "pinHashEnc",
    "pinUvAuthParam",
    "pinUvAuthToken",
    "hmac-secret",
    "hmac-secret-mc",
    "saltEnc",
    "saltAuth",
    "largeBlobKey",
    "credentialId",
    "credentialPublicKey",
    "signCount",
    "attStmt",
    "signature",
    "encIdentifier",
    "encCredStoreState",
    "challenge",
    "keyHandle",
    "publicKey",
    "certificate",
    "templateId",
}


@dataclass(frozen=True)
class Marked:
    """A value that is ``secret``, or that ``varies`` by its nature."""

    value: Any
    secret: bool = False
    varies: bool = False


class Unreadable(Marked):
    """What should be CBOR, and is not canonical; hidden, as nothing in it can be picked out."""

    def __init__(self, data: bytes) -> None:
        super().__init__({"not canonical CBOR": data}, secret=True)


def mark(name: str, value: Any) -> Any:
    """``value`` of the member ``name``, marked if need be."""
    secret = name in SECRET and not _is_plain(value)
    varies = name in VARIES and not isinstance(value, bool)
    return Marked(value, secret, varies) if secret or varies else value


def hide(value: Any) -> Any:
    """A value without a name that says what it is."""
    return value if _is_plain(value) or isinstance(value, Marked) else Marked(value, secret=True)


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | None)
