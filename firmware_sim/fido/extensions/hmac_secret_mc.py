"""hmac-secret-mc (CTAP 2.2 §12.8): hmac-secret's output with the registration itself."""

from firmware_sim.fido.extension import Extension, Registration
from firmware_sim.fido.extensions import hmac_secret
from firmware_sim.fido.status import CtapStatusError, Status

IDENTIFIER = "hmac-secret-mc"


def _register(registration: Registration, value: object) -> bytes:
    """MISSING_PARAMETER without ``hmac-secret: true`` beside it."""
    if registration.inputs.get(hmac_secret.IDENTIFIER) is not True:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return hmac_secret.evaluate(
        registration.authenticator, registration.key.secret, registration.verified, value
    )


EXTENSION = Extension(IDENTIFIER, register=_register)
