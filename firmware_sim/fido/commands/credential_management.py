"""authenticatorCredentialManagement (CTAP 2.1 §6.8)."""

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.fido import cbor
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.credential import Credential, hash_of
from firmware_sim.fido.extensions import cred_protect, large_blob_key, third_party_payment
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, descriptor_id, optional, required, user_entity
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import Grant, require_token

CODE = 0x0A
TIMEOUT_S = 30.0


@dataclass(slots=True)
class _Enumeration:
    """What GetNext continues from: the answers left, the next one last."""

    subcommand: int
    left: list[Map]
    since_s: float
    grant: Grant


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    number = required(parameters, 1, int)
    details = optional(parameters, 2, dict)
    if number in _NEXT:
        return _next(authenticator, number)
    authenticator.continuation.clear()
    subcommand = _SUBCOMMANDS.get(number)
    if subcommand is None:
        raise CtapStatusError(Status.INVALID_SUBCOMMAND)
    message = bytes((number,)) + (b"" if details is None else cbor.encode(details))
    grant = require_token(
        authenticator,
        parameters,
        4,
        3,
        message,
        Permission.CREDENTIAL_MANAGEMENT,
        persistent=number in _READING,
    )
    return subcommand(authenticator, details or {}, grant)


def _metadata(authenticator: Authenticator, details: Map, grant: Grant) -> Map:
    """§6.8.2; only for a token that is bound to no RP."""
    _demand_unbound(grant)
    credentials = authenticator.credentials
    return {1: len(credentials), 2: credentials.remaining}


def _enumerate_rps(authenticator: Authenticator, details: Map, grant: Grant) -> Map:
    """§6.8.3; only for a token that is bound to no RP."""
    _demand_unbound(grant)
    answers = [
        {3: {"id": rp_id}, 4: hash_of(rp_id)} for rp_id in authenticator.credentials.rp_ids()
    ]
    return _begin(authenticator, grant, _NEXT_RP, answers, 5)


def _enumerate_credentials(authenticator: Authenticator, details: Map, grant: Grant) -> Map:
    """§6.8.4."""
    rp_id_hash = required(details, 1, bytes)
    rp_id = next(
        (rp_id for rp_id in authenticator.credentials.rp_ids() if hash_of(rp_id) == rp_id_hash),
        None,
    )
    bound = grant.rp_id
    if bound is not None and hash_of(bound) != rp_id_hash:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    found = [] if rp_id is None else authenticator.credentials.discoverable(rp_id)
    answers = [_described(authenticator, each) for each in found]
    return _begin(authenticator, grant, _NEXT_CREDENTIAL, answers, 9)


def _delete(authenticator: Authenticator, details: Map, grant: Grant) -> None:
    """§6.8.5."""
    credential = _chosen(authenticator, details, grant)
    forgotten = authenticator.counter.forget(credential.credential_id)
    authenticator.credentials.delete(credential, forgotten)


def _update_user(authenticator: Authenticator, details: Map, grant: Grant) -> None:
    """§6.8.6; the user's id stays, a name that is not there or empty goes."""
    entity = user_entity(required(details, 3, dict))
    user = {name: value for name, value in entity.items() if value}
    credential = _chosen(authenticator, details, grant)
    assert credential.user is not None
    if user["id"] != credential.user["id"]:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    authenticator.credentials.update_user(credential, user)


def _chosen(authenticator: Authenticator, details: Map, grant: Grant) -> Credential:
    """The discoverable credential that the request names, if the token may touch it."""
    credential_id = descriptor_id(required(details, 2, dict))
    credential = authenticator.credentials.stored(credential_id)
    if credential is None:
        raise CtapStatusError(Status.NO_CREDENTIALS)
    if grant.rp_id not in (None, credential.rp_id):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    return credential


def _described(authenticator: Authenticator, credential: Credential) -> Map:
    answer: Map = {
        6: credential.user,
        7: {"id": credential.credential_id, "type": "public-key"},
        8: cbor.decode(credential.key.cose_key()),
    }
    if cred_protect.IDENTIFIER in authenticator.extensions:
        answer[10] = cred_protect.level(credential)
    if third_party_payment.IDENTIFIER in authenticator.extensions:
        answer[12] = third_party_payment.is_enabled(credential)
    large_blob = large_blob_key.key_of(credential)
    if large_blob is not None:
        answer[11] = large_blob
    return answer


def _begin(
    authenticator: Authenticator, grant: Grant, following: int, answers: list[Map], total: int
) -> Map:
    if not answers:
        raise CtapStatusError(Status.NO_CREDENTIALS)
    if len(answers) > 1:
        authenticator.continuation[CODE] = _Enumeration(
            following, answers[:0:-1], authenticator.clock.now(), grant
        )
    return answers[0] | {total: len(answers)}


def _next(authenticator: Authenticator, number: int) -> Map:
    """NOT_ALLOWED unless such an enumeration is under way, was looked at 30 s ago or less, and its
    token lives."""
    enumeration = authenticator.continuation.get(CODE)
    now_s = authenticator.clock.now()
    if (
        enumeration is None
        or enumeration.subcommand != number
        or now_s - enumeration.since_s > TIMEOUT_S
        or not enumeration.grant.holds(authenticator)
    ):
        authenticator.continuation.clear()
        raise CtapStatusError(Status.NOT_ALLOWED)
    answer: Map = enumeration.left.pop()
    enumeration.since_s = now_s
    if not enumeration.left:
        authenticator.continuation.clear()
    return answer


def _demand_unbound(grant: Grant) -> None:
    if grant.rp_id is not None:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)


_NEXT_RP, _NEXT_CREDENTIAL = _NEXT = (0x03, 0x05)
_SUBCOMMANDS: dict[int, Callable[[Authenticator, Map, Grant], Map | None]] = {
    0x01: _metadata,
    0x02: _enumerate_rps,
    0x04: _enumerate_credentials,
    0x06: _delete,
    0x07: _update_user,
}
# what the persistent token may do, too (2.2)
_READING = (0x01, 0x02, 0x04)

COMMAND = Command(
    CODE,
    run,
    options=("credMgmt",),
    info=lambda authenticator: {0x04: {"credMgmt": True, "perCredMgmtRO": True}},
    follows=CODE,
    permission=Permission.CREDENTIAL_MANAGEMENT,
)
