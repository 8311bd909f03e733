"""hmac-secret (CTAP 2.1 §12.5): a credential's secret function of the platform's salts.

The credential's two random values, one for verified users and one for others, follow from its
private key, so that a server-side credential's id does not have to hold them.
"""

import hmac

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.extension import Assertion, Extension, Registration
from firmware_sim.fido.request import of_type, optional, required
from firmware_sim.fido.status import CtapStatusError, Status

IDENTIFIER = "hmac-secret"
SALT_BYTES = 32


def evaluate(
    authenticator: Authenticator, private_key: bytes, verified: bool, value: object
) -> bytes:
    """Both steps of the extension's input: open the salts, seal what they give.

    MISSING_PARAMETER, PIN_AUTH_INVALID, INVALID_PARAMETER (protocol, key, length of the salts).
    """
    members = of_type(value, dict)
    key_agreement = required(members, 1, dict)
    sealed = required(members, 2, bytes)
    tag = required(members, 3, bytes)
    number = optional(members, 4, int)
    protocol = authenticator.protocols.get(1 if number is None else number)
    if protocol is None:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    secret = protocol.decapsulate(key_agreement)
    if not protocol.verify(secret, sealed, tag):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    salts = protocol.decrypt(secret, sealed)
    if salts is None or len(salts) not in (SALT_BYTES, 2 * SALT_BYTES):
        raise CtapStatusError(Status.INVALID_PARAMETER)
    which = b"CredRandomWithUV" if verified else b"CredRandomWithoutUV"
    random = hmac.digest(private_key, which, "sha256")
    outputs = (
        hmac.digest(random, salts[start : start + SALT_BYTES], "sha256")
        for start in range(0, len(salts), SALT_BYTES)
    )
    return protocol.encrypt(secret, b"".join(outputs))


def _register(registration: Registration, value: object) -> bool | None:
    if not of_type(value, bool):
        return None
    registration.state[IDENTIFIER] = True
    return True


def _sign(assertion: Assertion, value: object) -> bytes | None:
    if not assertion.present:
        raise CtapStatusError(Status.UNSUPPORTED_OPTION)
    credential = assertion.credential
    if IDENTIFIER not in credential.extensions:
        return None
    return evaluate(assertion.authenticator, credential.key.secret, assertion.verified, value)


EXTENSION = Extension(IDENTIFIER, register=_register, sign=_sign, server_side_state=True)
