"""authenticatorReset (CTAP 2.1 §6.6)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.request import Map
from firmware_sim.fido.status import CtapStatusError, Status

AFTER_POWER_UP_S = 10.0


async def run(authenticator: Authenticator, parameters: Map) -> None:
    """Erase everything, in one transaction; only in the first 10 s after power-up, with a touch."""
    if authenticator.age_s > AFTER_POWER_UP_S:
        raise CtapStatusError(Status.NOT_ALLOWED)
    await authenticator.user_presence("erase everything on it")
    authenticator.flash.write({key: None for key, _ in authenticator.flash.items()})
    authenticator.load()


COMMAND = Command(0x07, run, takes_parameters=False)
