"""credBlob (CTAP 2.1 §12.2): a few bytes of the relying party's with a discoverable credential."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.extension import Assertion, Extension, Registration
from firmware_sim.fido.request import Map, of_type

IDENTIFIER = "credBlob"


def _register(registration: Registration, value: object) -> bool:
    """Whether it was stored; one that does not fit is no error."""
    blob = of_type(value, bytes)
    if not registration.rk or len(blob) > registration.authenticator.profile.max_cred_blob_length:
        return False
    registration.state[IDENTIFIER] = blob
    return True


def _sign(assertion: Assertion, value: object) -> bytes | None:
    if not of_type(value, bool):
        return None
    found: bytes = assertion.credential.extensions.get(IDENTIFIER, b"")
    return found


def _info(authenticator: Authenticator) -> Map:
    return {0x0F: authenticator.profile.max_cred_blob_length}


EXTENSION = Extension(IDENTIFIER, register=_register, sign=_sign, info=_info)
