"""authenticatorGetInfo (CTAP 2.1 §6.4)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.request import Map


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    profile = authenticator.profile
    answer: Map = {
        0x01: authenticator.versions,
        0x03: profile.aaguid,
        0x04: {"plat": False},
        0x05: profile.max_msg_size,
        0x09: ["usb"],
        0x0E: profile.firmware_version,
    }
    if authenticator.extensions:
        answer[0x02] = list(authenticator.extensions)
    infos = [command.info for command in authenticator.commands.values()]
    infos += [each.info for each in authenticator.extensions.values()]
    for info in infos:
        if info is not None:
            members = info(authenticator)
            answer[0x04] |= members.pop(0x04, {})
            answer |= members
    return answer


COMMAND = Command(0x04, run, takes_parameters=False)
