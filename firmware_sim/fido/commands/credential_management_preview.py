"""authenticatorCredentialManagement as FIDO_2_1_PRE had it, under a vendor's command byte."""

from dataclasses import replace

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.commands import credential_management
from firmware_sim.fido.request import Map, required
from firmware_sim.fido.status import CtapStatusError, Status

_UPDATE_USER = 0x07


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    """The same, less updateUserInformation, which came with CTAP 2.1."""
    if required(parameters, 1, int) == _UPDATE_USER:
        raise CtapStatusError(Status.INVALID_SUBCOMMAND)
    return await credential_management.run(authenticator, parameters)


COMMAND: Command = replace(
    credential_management.COMMAND,
    code=0x41,
    run=run,
    options=("credentialMgmtPreview",),
    info=lambda authenticator: {0x04: {"credentialMgmtPreview": True}},
)
