"""performBuiltInUv: the user verified by the key itself (CTAP 2.1 §6.5.3.1)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.status import CtapStatusError, Status


async def verify_user(authenticator: Authenticator, reason: str, attempts: int) -> None:
    """Return once an enrolled finger was seen, which is evidence of user presence, too.

    UV_BLOCKED without retries, UV_INVALID after ``attempts`` strange fingers,
    USER_ACTION_TIMEOUT without any, OPERATION_DENIED if the user refuses.
    """
    fingerprints = authenticator.fingerprints
    for _ in range(attempts):
        if not fingerprints.retries:
            break
        touch = await authenticator.user_presence(reason)
        if fingerprints.is_known(touch.press):
            return
    raise CtapStatusError(Status.UV_INVALID if fingerprints.retries else Status.UV_BLOCKED)
