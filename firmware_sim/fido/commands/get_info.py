"""authenticatorGetInfo (CTAP 2.3 §6.4)."""

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.request import Map

MEMBERS = {
    "versions": 0x01,
    "extensions": 0x02,
    "aaguid": 0x03,
    "options": 0x04,
    "maxMsgSize": 0x05,
    "pinUvAuthProtocols": 0x06,
    "maxCredentialCountInList": 0x07,
    "maxCredentialIdLength": 0x08,
    "transports": 0x09,
    "algorithms": 0x0A,
    "maxSerializedLargeBlobArray": 0x0B,
    "forcePINChange": 0x0C,
    "minPINLength": 0x0D,
    "firmwareVersion": 0x0E,
    "maxCredBlobLength": 0x0F,
    "maxRPIDsForSetMinPINLength": 0x10,
    "preferredPlatformUvAttempts": 0x11,
    "uvModality": 0x12,
    "certifications": 0x13,
    "remainingDiscoverableCredentials": 0x14,
    "vendorPrototypeConfigCommands": 0x15,
    "attestationFormats": 0x16,
    "uvCountSinceLastPinEntry": 0x17,
    "longTouchForReset": 0x18,
    "encIdentifier": 0x19,
    "transportsForReset": 0x1A,
    "pinComplexityPolicy": 0x1B,
    "pinComplexityPolicyURL": 0x1C,
    "maxPINLength": 0x1D,
    "encCredStoreState": 0x1E,
    "authenticatorConfigCommands": 0x1F,
}
_ALWAYS = {"versions", "aaguid"}


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    """What commands and extensions say of themselves, less what the profile does not send."""
    profile = authenticator.profile
    answer: Map = {
        0x01: authenticator.versions,
        0x03: profile.aaguid,
        0x04: {"plat": False, "up": True},
        0x05: profile.max_msg_size,
        0x09: list(profile.transports),
    }
    if authenticator.extensions:
        answer[0x02] = list(authenticator.extensions)
    if profile.firmware_version is not None:
        answer[0x0E] = profile.firmware_version
    if profile.certifications:
        answer[0x13] = dict(profile.certifications)
    kept = authenticator.persistent_token
    if kept is not None:
        answer[0x19] = kept.seal(b"encIdentifier", kept.device_identifier)
        answer[0x1E] = kept.seal(b"encCredStoreState", authenticator.credentials.state)
    infos = [command.info for command in authenticator.commands.values()]
    infos += [each.info for each in authenticator.extensions.values()]
    for info in infos:
        if info is not None:
            members = info(authenticator)
            answer[0x04] |= members.pop(0x04, {})
            answer |= members
    answer[0x04] = {name: answer[0x04][name] for name in profile.options} | profile.extra_options
    if not profile.info_members:
        return answer
    sent = {MEMBERS[name] for name in _ALWAYS.union(profile.info_members)}
    return {number: value for number, value in answer.items() if number in sent}


COMMAND = Command(0x04, run, takes_parameters=False)
