"""authenticatorSelection (CTAP 2.1 §6.9)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.request import Map


async def run(authenticator: Authenticator, parameters: Map) -> None:
    await authenticator.user_presence("select this key")


COMMAND = Command(0x0B, run, takes_parameters=False, versions=("FIDO_2_1", "FIDO_2_3"))
