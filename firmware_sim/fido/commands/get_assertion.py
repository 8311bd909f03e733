"""authenticatorGetAssertion (CTAP 2.3 §6.2); step numbers are §6.2.2's."""

from dataclasses import dataclass

from firmware_sim.fido import auth_data, extension
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.credential import Credential, hash_of
from firmware_sim.fido.extension import Assertion
from firmware_sim.fido.extensions import cred_protect
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, descriptor_ids, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import Grant, read_options, read_user

CODE = 0x02


@dataclass(slots=True)
class Asked:
    """What all assertions of one request have in common; ``inputs`` are extensions'."""

    client_data_hash: bytes
    flags: int
    inputs: Map
    listed: bool
    several: bool


@dataclass(slots=True)
class Pending:
    """What getNextAssertion continues from: the credentials left, the next one last.

    ``grant`` is of the token that the request came with, if any.
    """

    left: list[Credential]
    asked: Asked
    since_s: float
    grant: Grant


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    rp_id = required(parameters, 1, str)
    client_data_hash = required(parameters, 2, bytes)
    if len(client_data_hash) != 32:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    limit = authenticator.profile.max_credentials_in_list
    allowed = descriptor_ids(parameters, 3, limit) or ()
    listed = bool(parameters.get(3))  # a list of strange types denotes nothing, and is a list
    inputs = optional(parameters, 4, dict)
    options = read_options(parameters, 5)

    who = await read_user(authenticator, parameters, options.uv, 6, 7)  # steps 1, 2
    who.check_built_in()  # step 4
    if options.rk is not None:
        raise CtapStatusError(Status.UNSUPPORTED_OPTION)
    up = options.up is not False
    if authenticator.settings.always_uv and up:
        who.demand_verification()  # step 5
    sign_in = f"sign in to {rp_id}"
    await who.verify(client_data_hash, Permission.GET_ASSERTION, rp_id, sign_in)  # step 6

    credentials = authenticator.credentials  # step 7
    if listed:
        rp_id_hash = hash_of(rp_id)
        found = (credentials.find(credential_id, rp_id_hash) for credential_id in allowed)
        applicable = [
            credential
            for credential in found
            if credential is not None
            and not cred_protect.is_hidden(credential, who.verified, listed=True)
        ][:1]
    else:
        applicable = [
            credential
            for credential in credentials.discoverable(rp_id)
            if not cred_protect.is_hidden(credential, who.verified, listed=False)
        ]
    if not applicable:
        raise CtapStatusError(Status.NO_CREDENTIALS)

    if up:  # steps 8-9
        await who.touch(sign_in)
    present = up or (who.built_in and who.verified)
    flags = (auth_data.UP if present else 0) | (auth_data.UV if who.verified else 0)

    several = len(applicable) > 1
    asked = Asked(client_data_hash, flags, inputs or {}, listed, several)
    answer = sign(authenticator, applicable[0], asked)
    if several:  # steps 11-12: the newest first, the rest on request
        answer[5] = len(applicable)
        token = None if who.protocol is None else authenticator.token.number
        authenticator.continuation[CODE] = Pending(
            applicable[:0:-1], asked, authenticator.clock.now(), Grant(rp_id, token)
        )
    return answer


def sign(authenticator: Authenticator, credential: Credential, asked: Asked) -> Map:
    """One assertion (steps 10, 13); names go out only where a verified user must choose by them."""
    outputs: Map = {}
    members: Map = {}
    flags = asked.flags
    if asked.inputs:
        present, verified = bool(flags & auth_data.UP), bool(flags & auth_data.UV)
        outputs = extension.sign(
            Assertion(
                authenticator, credential, asked.listed, present, verified, asked.inputs, members
            )
        )
    counter = authenticator.counter.next(credential.credential_id)
    data = auth_data.assertion_data(credential.rp_id_hash, flags, counter, outputs)
    answer: Map = {
        1: {"id": credential.credential_id, "type": "public-key"},
        2: data,
        3: credential.key.sign(data + asked.client_data_hash),
        **members,
    }
    if credential.user is not None:
        named = asked.several and flags & auth_data.UV
        answer[4] = credential.user if named else {"id": credential.user["id"]}
    return answer


COMMAND = Command(
    CODE,
    run,
    info=lambda authenticator: {0x04: {"up": True}},
    permission=Permission.GET_ASSERTION,
)
