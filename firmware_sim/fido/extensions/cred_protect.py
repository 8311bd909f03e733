"""credProtect (CTAP 2.1 §12.1): credentials that do not show themselves to everybody."""

from firmware_sim.fido.credential import Credential
from firmware_sim.fido.extension import Extension, Registration
from firmware_sim.fido.request import of_type
from firmware_sim.fido.status import CtapStatusError, Status

IDENTIFIER = "credProtect"
UV_OPTIONAL, UV_OPTIONAL_WITH_LIST, UV_REQUIRED = 1, 2, 3


def level(credential: Credential) -> int:
    """1 to 3; what has none is as if it had 1."""
    found: int = credential.extensions.get(IDENTIFIER, UV_OPTIONAL)
    return found


def is_hidden(credential: Credential, verified: bool, listed: bool) -> bool:
    """Whether a request must be answered as if the credential were not there.

    ``verified``: the user was; ``listed``: the request names the credential by its id.
    """
    if verified:
        return False
    protection = level(credential)
    return protection == UV_REQUIRED or (protection == UV_OPTIONAL_WITH_LIST and not listed)


def _register(registration: Registration, value: object) -> int:
    protection = of_type(value, int)
    if not UV_OPTIONAL <= protection <= UV_REQUIRED:
        raise CtapStatusError(Status.INVALID_OPTION)
    registration.state[IDENTIFIER] = protection
    return protection


EXTENSION = Extension(IDENTIFIER, register=_register, server_side_state=UV_REQUIRED)
