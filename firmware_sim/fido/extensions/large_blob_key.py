"""largeBlobKey (CTAP 2.1 §12.3): the key to a discoverable credential's part of the large blobs.

It follows from the credential's private key.
"""

import hmac

from firmware_sim.fido.credential import Credential
from firmware_sim.fido.extension import Assertion, Extension, Registration
from firmware_sim.fido.request import of_type
from firmware_sim.fido.status import CtapStatusError, Status

IDENTIFIER = "largeBlobKey"


def key_of(credential: Credential) -> bytes | None:
    """32 bytes, or None if the credential was made without."""
    return _derived(credential.key.secret) if IDENTIFIER in credential.extensions else None


def _register(registration: Registration, value: object) -> None:
    """A member of the response, not of authenticator data; INVALID_OPTION for other than true."""
    if not of_type(value, bool) or not registration.rk:
        raise CtapStatusError(Status.INVALID_OPTION)
    registration.state[IDENTIFIER] = True
    registration.members[5] = _derived(registration.key.secret)


def _sign(assertion: Assertion, value: object) -> None:
    if not of_type(value, bool):
        raise CtapStatusError(Status.INVALID_OPTION)
    key = key_of(assertion.credential)
    if key is not None:
        assertion.members[7] = key


def _derived(secret: bytes) -> bytes:
    return hmac.digest(secret, b"largeBlobKey", "sha256")


EXTENSION = Extension(IDENTIFIER, register=_register, sign=_sign)
