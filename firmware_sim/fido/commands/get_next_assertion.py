"""authenticatorGetNextAssertion (CTAP 2.1 §6.3)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.commands import get_assertion
from firmware_sim.fido.request import Map
from firmware_sim.fido.status import CtapStatusError, Status

TIMEOUT_S = 30.0


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    """NOT_ALLOWED when nothing is left, 30 s after the last assertion, and once the token that the
    first came with is no more."""
    pending = authenticator.continuation.get(get_assertion.CODE)
    now_s = authenticator.clock.now()
    if (
        pending is None
        or now_s - pending.since_s > TIMEOUT_S
        or not pending.grant.holds(authenticator)
    ):
        authenticator.continuation.clear()
        raise CtapStatusError(Status.NOT_ALLOWED)
    credential = pending.left.pop()
    pending.since_s = now_s
    if not pending.left:
        authenticator.continuation.clear()
    return get_assertion.sign(authenticator, credential, pending.asked)


COMMAND = Command(0x08, run, takes_parameters=False, follows=get_assertion.CODE)
