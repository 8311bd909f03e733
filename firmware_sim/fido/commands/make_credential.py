"""authenticatorMakeCredential (CTAP 2.1 §6.1); step numbers are §6.1.2's."""

from firmware_sim.fido import auth_data, extension
from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.credential import hash_of
from firmware_sim.fido.extension import Registration
from firmware_sim.fido.extensions import cred_protect
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, descriptor_ids, optional, required, user_entity
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import read_options, read_pin_uv_auth


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

    # steps 1-2
    pin_uv_auth = await read_pin_uv_auth(authenticator, parameters, 8, 9)
    algorithm = _choose_algorithm(key_parameters, profile.algorithms)  # step 3
    if options.up is False:  # step 5
        raise CtapStatusError(Status.INVALID_OPTION)
    flags = auth_data.UP
    if optional(parameters, 10, int) is not None:  # step 9: no enterprise attestation
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if authenticator.pin.is_set:  # steps 7, 8, 10, 11
        if pin_uv_auth is not None:
            pin_uv_auth.verify(authenticator, client_data_hash, Permission.MAKE_CREDENTIAL, rp_id)
            flags |= auth_data.UV
        elif options.rk or not _uv_not_required(authenticator):
            raise CtapStatusError(Status.PUAT_REQUIRED)
    elif authenticator.settings.always_uv:  # step 6
        raise CtapStatusError(Status.PUAT_REQUIRED)

    verified = bool(flags & auth_data.UV)
    for credential_id in excluded or ():  # step 12
        known = authenticator.credentials.find(credential_id, hash_of(rp_id))
        if known is not None and not cred_protect.is_hidden(known, verified, listed=True):
            await authenticator.user_presence(f"tell that it is already registered at {rp_id}")
            raise CtapStatusError(Status.CREDENTIAL_EXCLUDED)

    await authenticator.user_presence(f"register at {rp_id}")  # step 14
    authenticator.token.spend()

    credentials = authenticator.credentials  # steps 15-17
    key = credentials.new_key(algorithm)
    outputs: Map = {}
    state: Map = {}
    members: Map = {}
    if inputs:
        registration = Registration(
            authenticator, rp_id, options.rk is True, verified, key, inputs, state, members
        )
        outputs = extension.register(registration)
    if options.rk:
        credential, changes = credentials.add_discoverable(rp_id, user, key, state)
        counter = authenticator.next_counter(changes)
        credentials.remember(credential)
    else:
        credential = credentials.add_server_side(hash_of(rp_id), key, state)
        counter = authenticator.next_counter()
    data = auth_data.attested_data(credential, profile.aaguid, flags, counter, outputs)
    statement = authenticator.attestation.statement(credential, data, client_data_hash)
    return {1: "packed", 2: data, 3: statement, **members}


def info(authenticator: Authenticator) -> Map:
    profile = authenticator.profile
    return {
        0x04: {"rk": True, "makeCredUvNotRqd": _uv_not_required(authenticator)},
        0x07: profile.max_credentials_in_list,
        0x08: 128,  # wrapped ids take 67 bytes, discoverable ones 32
        0x0A: [{"alg": number, "type": "public-key"} for number in profile.algorithms],
        0x14: authenticator.credentials.remaining,
        0x16: ["packed"],
    }


def _uv_not_required(authenticator: Authenticator) -> bool:
    """Whether server-side credentials are made without the PIN that is set."""
    return authenticator.profile.make_cred_uv_not_rqd and not authenticator.settings.always_uv


def _rp_id(parameters: Map) -> str:
    rp = required(parameters, 2, dict)
    optional(rp, "name", str)
    return required(rp, "id", str)


def _choose_algorithm(key_parameters: list[Map], supported: tuple[int, ...]) -> int:
    """The first that both sides know; every entry is checked even after one is chosen."""
    chosen = None
    for entry in key_parameters:
        if type(entry) is not dict:
            raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)
        algorithm, kind = required(entry, "alg", int), required(entry, "type", str)
        known = kind == "public-key" and algorithm in supported and algorithm in ALGORITHMS
        if chosen is None and known:
            chosen = algorithm
    if chosen is None:
        raise CtapStatusError(Status.UNSUPPORTED_ALGORITHM)
    return chosen


COMMAND = Command(0x01, run, info=info, permission=Permission.MAKE_CREDENTIAL)
