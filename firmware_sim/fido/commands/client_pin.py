"""authenticatorClientPIN (CTAP 2.1 §6.5.5, 2.2 for the persistent token)."""

from collections.abc import Callable, Coroutine
from functools import reduce
from operator import or_

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.built_in_uv import verify_user
from firmware_sim.fido.command import Command
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.fido.pin_uv_token import NO_PERMISSION, Permission
from firmware_sim.fido.request import Map, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.task import Wait
from firmware_sim.fido.verification import protocol_of

_RP_BOUND = Permission.MAKE_CREDENTIAL | Permission.GET_ASSERTION
_PERSISTENT = Permission.PERSISTENT_CREDENTIAL_MANAGEMENT
# permissions that built-in user verification gives only where an option says so (§6.4)
_BY_OPTION = {
    Permission.BIO_ENROLLMENT: "uvBioEnroll",
    Permission.AUTHENTICATOR_CONFIG: "uvAcfg",
}


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    number = required(parameters, 2, int)
    subcommand = _SUBCOMMANDS.get(number)
    options = authenticator.profile.options
    if subcommand is None or not all(option in options for option in _NEEDS.get(number, ())):
        raise CtapStatusError(Status.INVALID_SUBCOMMAND)
    return await subcommand(authenticator, parameters)


def info(authenticator: Authenticator) -> Map:
    profile, pin, fingerprints = (
        authenticator.profile,
        authenticator.pin,
        authenticator.fingerprints,
    )
    members: Map = {
        0x04: {
            "clientPin": pin.is_set,
            "uv": fingerprints.is_enrolled,
            "pinUvAuthToken": True,
            "noMcGaPermissionsWithClientPin": True,
        },
        0x06: list(authenticator.protocols),
    }
    if profile.uv_modality:
        members |= {
            0x11: profile.uv_attempts,
            0x12: profile.uv_modality,
            0x17: fingerprints.count_since_pin,
        }
    return members | (_pin_info(authenticator) if "clientPin" in profile.options else {})


def _pin_info(authenticator: Authenticator) -> Map:
    """What goes with a PIN alone."""
    profile = authenticator.profile
    members: Map = {
        0x0C: authenticator.pin.must_change,
        0x0D: authenticator.settings.min_pin_length,
        0x1D: profile.max_pin_length,
    }
    if profile.pin_complexity != "absent":
        members[0x1B] = authenticator.settings.pin_complexity
    if profile.pin_complexity_policy_url:
        members[0x1C] = profile.pin_complexity_policy_url.encode()
    return members


async def _get_pin_retries(authenticator: Authenticator, parameters: Map) -> Map:
    """§6.5.5.2; before a PIN is set many products answer PIN_NOT_SET."""
    profile, pin = authenticator.profile, authenticator.pin
    if not pin.is_set and profile.pin_retries_before_set == "pin-not-set":
        raise CtapStatusError(Status.PIN_NOT_SET)
    answer: Map = {3: pin.retries}
    if profile.has_tokens:
        answer[4] = pin.needs_power_cycle
    return answer


async def _get_uv_retries(authenticator: Authenticator, parameters: Map) -> Map:
    """§6.5.5.3."""
    return {5: authenticator.fingerprints.retries}


async def _get_key_agreement(authenticator: Authenticator, parameters: Map) -> Map:
    """§6.5.5.4."""
    return {1: protocol_of(authenticator, parameters, 1).public_key()}


async def _set_pin(authenticator: Authenticator, parameters: Map) -> None:
    """§6.5.5.5."""
    key_agreement = required(parameters, 3, dict)
    tag = required(parameters, 4, bytes)
    new_pin = required(parameters, 5, bytes)
    protocol = protocol_of(authenticator, parameters, 1)
    if authenticator.pin.is_set:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    secret = protocol.decapsulate(key_agreement)
    if not protocol.verify(secret, new_pin, tag):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    authenticator.pin.set(_decrypted(protocol, secret, new_pin), {})


async def _change_pin(authenticator: Authenticator, parameters: Map) -> None:
    """§6.5.5.6; every token dies with the old PIN, the persistent one included."""
    key_agreement = required(parameters, 3, dict)
    tag = required(parameters, 4, bytes)
    new_pin = required(parameters, 5, bytes)
    old_hash = required(parameters, 6, bytes)
    protocol = protocol_of(authenticator, parameters, 1)
    _check_usable(authenticator)
    secret = protocol.decapsulate(key_agreement)
    if not protocol.verify(secret, new_pin + old_hash, tag):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    _verify_pin(authenticator, protocol, secret, old_hash)
    kept = authenticator.persistent_token
    ended = {} if kept is None else kept.with_new_value()
    authenticator.pin.set(_decrypted(protocol, secret, new_pin), ended)
    authenticator.token.stop()


async def _get_pin_token(authenticator: Authenticator, parameters: Map) -> Map:
    """getPinToken (§6.5.5.7.1): the CTAP 2.0 way, with the default permissions.

    CTAP 2.0's own token knows no permissions: it has them all.
    """
    key_agreement, pin_hash, protocol = _proof(authenticator, parameters)
    permissions = _RP_BOUND
    if not authenticator.profile.has_tokens:
        permissions = ~Permission(0)
    elif 9 in parameters or 10 in parameters:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    elif "noMcGaPermissionsWithClientPin" in authenticator.profile.options:
        permissions = NO_PERMISSION
    secret = _secret_for_pin(authenticator, protocol, key_agreement, pin_hash, Status.PIN_INVALID)
    return _issue(authenticator, protocol, secret, permissions, None)


async def _get_token_by_pin(authenticator: Authenticator, parameters: Map) -> Map:
    """getPinUvAuthTokenUsingPinWithPermissions (§6.5.5.7.2)."""
    required(parameters, 9, int)
    key_agreement, pin_hash, protocol = _proof(authenticator, parameters)
    permissions, rp_id = _permissions(authenticator, parameters)
    refused = "noMcGaPermissionsWithClientPin" in authenticator.profile.options
    if refused and permissions & _RP_BOUND:
        raise CtapStatusError(Status.UNAUTHORIZED_PERMISSION)
    must_change = Status.PIN_POLICY_VIOLATION
    secret = _secret_for_pin(authenticator, protocol, key_agreement, pin_hash, must_change)
    return _issue(authenticator, protocol, secret, permissions, rp_id)


async def _get_token_by_uv(authenticator: Authenticator, parameters: Map) -> Map:
    """getPinUvAuthTokenUsingUvWithPermissions (§6.5.5.7.3).

    NOT_ALLOWED before a finger is enrolled; UV_BLOCKED, UV_INVALID or USER_ACTION_TIMEOUT if
    none is recognised.
    """
    key_agreement = required(parameters, 3, dict)
    required(parameters, 9, int)
    protocol = protocol_of(authenticator, parameters, 1)
    permissions, rp_id = _permissions(authenticator, parameters)
    options = authenticator.profile.options
    for permission, option in _BY_OPTION.items():
        if permission & permissions and option not in options:
            raise CtapStatusError(Status.UNAUTHORIZED_PERMISSION)
    if not authenticator.fingerprints.is_enrolled:
        raise CtapStatusError(Status.NOT_ALLOWED)
    secret = protocol.decapsulate(key_agreement)
    # one finger a request: the platform tries again as often as getInfo recommends
    await verify_user(authenticator, "verify that it is you", 1)
    return _issue(authenticator, protocol, secret, permissions, rp_id, user_present=True)


def _permissions(authenticator: Authenticator, parameters: Map) -> tuple[Permission, str | None]:
    """Asked permissions and RP ID, if they can be given by any way; undefined ones are ignored."""
    asked = required(parameters, 9, int)
    rp_id = optional(parameters, 10, str)
    if asked <= 0:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    permissions = Permission(asked & 0x7F)
    if permissions & ~_grantable(authenticator):
        raise CtapStatusError(Status.UNAUTHORIZED_PERMISSION)
    if permissions & _PERSISTENT and permissions != _PERSISTENT:  # it comes alone
        raise CtapStatusError(Status.UNAUTHORIZED_PERMISSION)
    if permissions & _RP_BOUND and rp_id is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return permissions, rp_id


def _grantable(authenticator: Authenticator) -> Permission:
    """What commands of this authenticator ask for."""
    asked = (command.permission for command in authenticator.commands.values())
    kept = _PERSISTENT if authenticator.persistent_token else NO_PERMISSION
    return reduce(or_, asked, kept)


def _proof(
    authenticator: Authenticator, parameters: Map
) -> tuple[Map, bytes, PinUvAuthProtocolOne]:
    """What a request brings to prove the PIN."""
    key_agreement = required(parameters, 3, dict)
    pin_hash = required(parameters, 6, bytes)
    return key_agreement, pin_hash, protocol_of(authenticator, parameters, 1)


def _secret_for_pin(
    authenticator: Authenticator,
    protocol: PinUvAuthProtocolOne,
    key_agreement: Map,
    pin_hash: bytes,
    must_change: Status,
) -> bytes:
    """The shared secret, for the right PIN; ``must_change`` if that is of no use any more."""
    _check_usable(authenticator)
    secret = protocol.decapsulate(key_agreement)
    _verify_pin(authenticator, protocol, secret, pin_hash)
    if authenticator.pin.must_change:
        raise CtapStatusError(must_change)
    return secret


def _issue(
    authenticator: Authenticator,
    protocol: PinUvAuthProtocolOne,
    secret: bytes,
    permissions: Permission,
    rp_id: str | None,
    user_present: bool = False,
) -> Map:
    kept = authenticator.persistent_token
    if kept is not None and permissions == _PERSISTENT:
        return {2: protocol.encrypt(secret, kept.value)}
    token = authenticator.token.issue(protocol, permissions, rp_id, user_present)
    return {2: protocol.encrypt(secret, token)}


def _check_usable(authenticator: Authenticator) -> None:
    if not authenticator.pin.is_set:
        raise CtapStatusError(Status.PIN_NOT_SET)
    authenticator.pin.check_not_blocked()


def _verify_pin(
    authenticator: Authenticator, protocol: PinUvAuthProtocolOne, secret: bytes, sealed: bytes
) -> None:
    """PIN_INVALID, or why there is no further try; a mismatch costs the key agreement key."""
    entered = authenticator.fingerprints.with_pin_entered()
    if authenticator.pin.verify(protocol.decrypt(secret, sealed), entered):
        return
    protocol.regenerate()
    authenticator.pin.check_not_blocked()
    raise CtapStatusError(Status.PIN_INVALID)


def _decrypted(protocol: PinUvAuthProtocolOne, secret: bytes, sealed: bytes) -> bytes:
    plain = protocol.decrypt(secret, sealed)
    if plain is None:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    return plain


_Subcommand = Callable[[Authenticator, Map], Coroutine[Wait, None, Map | None]]
_SUBCOMMANDS: dict[int, _Subcommand] = {
    0x01: _get_pin_retries,
    0x02: _get_key_agreement,
    0x03: _set_pin,
    0x04: _change_pin,
    0x05: _get_pin_token,
    0x06: _get_token_by_uv,
    0x07: _get_uv_retries,
    0x09: _get_token_by_pin,
}
# the options that a profile must list for a subcommand to be there
_NEEDS = {
    0x01: ("clientPin",),
    0x03: ("clientPin",),
    0x04: ("clientPin",),
    0x05: ("clientPin",),
    0x06: ("uv", "pinUvAuthToken"),
    0x07: ("uv",),
    0x09: ("clientPin", "pinUvAuthToken"),
}

COMMAND = Command(0x06, run, options=("clientPin", "uv"), info=info)
