"""authenticatorMakeCredential (CTAP 2.3 §6.1); step numbers are §6.1.2's."""

from firmware_sim.fido import auth_data, extension
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.credential import hash_of
from firmware_sim.fido.extension import Registration
from firmware_sim.fido.extensions import cred_protect
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import (
    Map,
    descriptor_ids,
    of_type,
    optional,
    required,
    user_entity,
)
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import read_options, read_user, verification_required


async def run(authenticator: Authenticator, parameters: Map) -> Map:
    client_data_hash = required(parameters, 1, bytes)
    if len(client_data_hash) != 32:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    rp_id, user = _rp_id(parameters), user_entity(required(parameters, 3, dict))
    key_parameters = required(parameters, 4, list)
    profile = authenticator.profile
    excluded = descriptor_ids(parameters, 5, profile.max_credentials_in_list)
    inputs = optional(parameters, 6, dict)
    options = read_options(parameters, 7)
    rk = options.rk is True
    preference = _formats(parameters)

    who = await read_user(authenticator, parameters, options.uv, 8, 9)  # steps 1, 2
    algorithm = _choose_algorithm(key_parameters, authenticator.algorithms)  # step 3
    who.check_built_in()  # step 5
    if options.rk is not None and "rk" not in profile.options:
        raise CtapStatusError(Status.UNSUPPORTED_OPTION)
    if options.up is False:
        raise CtapStatusError(Status.INVALID_OPTION)
    if authenticator.settings.always_uv:
        who.demand_verification()  # step 6
    not_required = _uv_not_required(authenticator) and not rk  # steps 7, 8
    if authenticator.is_protected and not who.is_to_be_verified and not not_required:
        raise verification_required(authenticator)
    enterprise = _is_enterprise(authenticator, parameters, rp_id)  # step 9
    register = f"register at {rp_id}"
    await who.verify(client_data_hash, Permission.MAKE_CREDENTIAL, rp_id, register)  # 10, 11

    for credential_id in excluded or ():  # step 12
        known = authenticator.credentials.find(credential_id, hash_of(rp_id))
        if known is not None and not cred_protect.is_hidden(known, who.verified, listed=True):
            if not who.present:
                await _tell_excluded(authenticator, rp_id)
            raise CtapStatusError(Status.CREDENTIAL_EXCLUDED)

    await who.touch(register)  # steps 13, 14

    credentials = authenticator.credentials  # steps 15-18
    key = credentials.new_key(algorithm)
    outputs: Map = {}
    state: Map = {}
    members: Map = {}
    if inputs:
        registration = Registration(
            authenticator,
            client_data_hash,
            rp_id,
            rk,
            who.verified,
            preference,
            key,
            inputs,
            state,
            members,
        )
        outputs = extension.register(registration)
    if rk:
        credential, replaced, changes = credentials.add_discoverable(rp_id, user, key, state)
        if replaced is not None:
            changes |= authenticator.counter.forget(replaced.credential_id)
        counter = authenticator.counter.next(credential.credential_id, changes)
        credentials.remember(credential, replaced)
    else:
        credential = credentials.add_server_side(hash_of(rp_id), key, state)
        counter = authenticator.counter.next(credential.credential_id)
    flags = auth_data.UP | (auth_data.UV if who.verified else 0)
    data = auth_data.attested_data(credential, profile.aaguid, flags, counter, outputs)
    attestation = authenticator.attestation  # step 19
    name = attestation.choose(preference, algorithm, enterprise)
    statement = attestation.statement(name, credential, data, client_data_hash, enterprise)
    answer: Map = {1: name, 2: data, 3: statement, **members}
    if enterprise:
        answer[4] = True
    return answer


def info(authenticator: Authenticator) -> Map:
    profile = authenticator.profile
    members: Map = {
        0x04: {
            "rk": True,
            "ep": authenticator.settings.enterprise_attestation,
            "makeCredUvNotRqd": _uv_not_required(authenticator),
        },
        0x07: profile.max_credentials_in_list,
        0x08: profile.max_credential_id_length,
        0x0A: [{"alg": number, "type": "public-key"} for number in authenticator.algorithms],
        0x14: authenticator.credentials.remaining,
    }
    if authenticator.attestation.formats:  # none is implied, and not to be listed
        members[0x16] = list(authenticator.attestation.formats)
    return members


async def _tell_excluded(authenticator: Authenticator, rp_id: str) -> None:
    """Step 12: the platform learns it after a touch, or when none has come in time."""
    try:
        await authenticator.user_presence(f"tell that it is registered at {rp_id}")
    except CtapStatusError as error:
        if error.status is Status.KEEPALIVE_CANCEL:
            raise


def _uv_not_required(authenticator: Authenticator) -> bool:
    """Whether server-side credentials are made without the PIN that is set."""
    offered = "makeCredUvNotRqd" in authenticator.profile.options
    return offered and not authenticator.settings.always_uv


def _is_enterprise(authenticator: Authenticator, parameters: Map, rp_id: str) -> bool:
    """Whether the statement is to name this very key (step 9): 1 asks it for the RPs that the
    vendor listed, 2 for any RP, as the platform's manager wishes."""
    asked = optional(parameters, 10, int)
    if asked is None:
        return False
    if not authenticator.settings.enterprise_attestation:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if asked not in (1, 2):
        raise CtapStatusError(Status.INVALID_OPTION)
    return asked == 2 or rp_id in authenticator.profile.enterprise_rp_ids


def _formats(parameters: Map) -> list[str]:
    """attestationFormatsPreference (2.2)."""
    return [of_type(name, str) for name in optional(parameters, 11, list) or []]


def _rp_id(parameters: Map) -> str:
    rp = required(parameters, 2, dict)
    optional(rp, "name", str)
    return required(rp, "id", str)


def _choose_algorithm(key_parameters: list[Map], supported: list[int]) -> int:
    """The first that both sides know; every entry is checked even after one is chosen."""
    chosen = None
    for entry in key_parameters:
        if type(entry) is not dict:
            raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)
        algorithm, kind = required(entry, "alg", int), required(entry, "type", str)
        known = kind == "public-key" and algorithm in supported
        if chosen is None and known:
            chosen = algorithm
    if chosen is None:
        raise CtapStatusError(Status.UNSUPPORTED_ALGORITHM)
    return chosen


COMMAND = Command(0x01, run, info=info, permission=Permission.MAKE_CREDENTIAL)
