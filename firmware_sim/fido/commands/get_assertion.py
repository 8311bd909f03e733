"""authenticatorGetAssertion (CTAP 2.1 §6.2); step numbers are §6.2.2's."""

from dataclasses import dataclass

from firmware_sim.fido import auth_data
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, descriptor_ids, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import read_options, read_pin_uv_auth

CODE = 0x02


@dataclass(slots=True)
class Pending:
    """What getNextAssertion continues from: the credentials left, the next one last."""

    left: list[Credential]
    client_data_hash: bytes
    flags: int
    since_s: float


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    rp_id = required(parameters, 1, str)
    client_data_hash = required(parameters, 2, bytes)
    if len(client_data_hash) != 32:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    limit = authenticator.profile.max_credentials_in_list
    allowed = descriptor_ids(parameters, 3, limit)
    optional(parameters, 4, dict)  # extensions: none that this authenticator knows
    options = read_options(parameters, 5)

    # steps 1-2
    pin_uv_auth = await read_pin_uv_auth(authenticator, parameters, 6, 7)
    if options.rk is not None:  # step 4
        raise CtapStatusError(Status.UNSUPPORTED_OPTION)
    flags = 0
    if pin_uv_auth is not None and authenticator.pin.is_set:  # step 6
        pin_uv_auth.verify(authenticator, client_data_hash, Permission.GET_ASSERTION, rp_id)
        flags |= auth_data.UV

    credentials = authenticator.credentials  # step 7
    if allowed:
        found = (credentials.find(credential_id, rp_id) for credential_id in allowed)
        applicable = [credential for credential in found if credential is not None][:1]
    else:
        applicable = credentials.discoverable(rp_id)
    if not applicable:
        raise CtapStatusError(Status.NO_CREDENTIALS)

    if options.up is not False:  # steps 8-9
        await authenticator.user_presence(f"sign in to {rp_id}")
        authenticator.token.spend()
        flags |= auth_data.UP

    answer = sign(authenticator, applicable[0], client_data_hash, flags, len(applicable) > 1)
    if len(applicable) > 1:  # steps 11-12: the newest first, the rest on request
        answer[5] = len(applicable)
        authenticator.continuation[CODE] = Pending(
            applicable[:0:-1], client_data_hash, flags, authenticator.clock.now()
        )
    return answer


def sign(
    authenticator: Authenticator,
    credential: Credential,
    client_data_hash: bytes,
    flags: int,
    several: bool,
) -> Map:
    """One assertion (step 13); names go out only where a verified user must choose by them."""
    data = auth_data.assertion_data(credential.rp_id, flags, authenticator.next_counter(), {})
    answer: Map = {
        1: {"id": credential.credential_id, "type": "public-key"},
        2: data,
        3: credential.key.sign(data + client_data_hash),
    }
    if credential.user is not None:
        named = several and flags & auth_data.UV
        answer[4] = credential.user if named else {"id": credential.user["id"]}
    return answer


COMMAND = Command(CODE, run, info=lambda authenticator: {0x04: {"up": True}})
