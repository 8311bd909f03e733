"""thirdPartyPayment (CTAP 2.2 §12.9): whether others may ask for the credential to pay."""

from firmware_sim.fido.credential import Credential
from firmware_sim.fido.extension import Assertion, Extension, Registration
from firmware_sim.fido.request import of_type

IDENTIFIER = "thirdPartyPayment"


def is_enabled(credential: Credential) -> bool:
    """Whether the credential may be used so."""
    return IDENTIFIER in credential.extensions


def _register(registration: Registration, value: object) -> bool | None:
    if not of_type(value, bool):
        return None
    registration.state[IDENTIFIER] = True
    return True


def _sign(assertion: Assertion, value: object) -> bool | None:
    return is_enabled(assertion.credential) if of_type(value, bool) else None


EXTENSION = Extension(IDENTIFIER, register=_register, sign=_sign, server_side_state=True)
