"""authenticatorReset (CTAP 2.3 §6.6)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.request import Map
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.identity import erasure

AFTER_POWER_UP_S = 10.0
LONG_TOUCH_S = 5.0


async def run(authenticator: Authenticator, parameters: Map) -> None:
    """Erase all but who the key is, in one transaction; only in the first 10 s after power-up, with
    a touch, a long one where that is set, and by a transport that is for it."""
    transports = authenticator.profile.transports_for_reset
    if transports and authenticator.transport not in transports:
        raise CtapStatusError(Status.OPERATION_DENIED)
    if authenticator.age_s > AFTER_POWER_UP_S:
        raise CtapStatusError(Status.NOT_ALLOWED)
    hold_s = LONG_TOUCH_S if authenticator.settings.long_touch_for_reset else 0.0
    await authenticator.user_presence("erase everything on it", hold_s)
    authenticator.flash.write(erasure(authenticator.flash) | authenticator.fresh_secrets())
    authenticator.load()


def info(authenticator: Authenticator) -> Map:
    profile = authenticator.profile
    members: Map = {}
    if profile.long_touch_for_reset != "absent":
        members[0x18] = authenticator.settings.long_touch_for_reset
    if profile.transports_for_reset:
        members[0x1A] = list(profile.transports_for_reset)
    return members


COMMAND = Command(0x07, run, takes_parameters=False, info=info)
