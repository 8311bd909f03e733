"""authenticatorClientPIN (CTAP 2.1 §6.5.5)."""

from collections.abc import Callable
from functools import reduce
from operator import or_

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import protocol_of

_RP_BOUND = Permission.MAKE_CREDENTIAL | Permission.GET_ASSERTION


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    subcommand = _SUBCOMMANDS.get(required(parameters, 2, int))
    if subcommand is None:
        raise CtapStatusError(Status.INVALID_SUBCOMMAND)
    return subcommand(authenticator, parameters)


def info(authenticator: Authenticator) -> Map:
    return {
        0x04: {"clientPin": authenticator.pin.is_set, "pinUvAuthToken": True},
        0x06: list(authenticator.protocols),
    }


def _get_pin_retries(authenticator: Authenticator, parameters: Map) -> Map:
    """§6.5.5.2; before a PIN is set the answer is PIN_NOT_SET, as YubiKeys give."""
    if not authenticator.pin.is_set:
        raise CtapStatusError(Status.PIN_NOT_SET)
    return {3: authenticator.pin.retries, 4: authenticator.pin.needs_power_cycle}


def _get_key_agreement(authenticator: Authenticator, parameters: Map) -> Map:
    """§6.5.5.4."""
    return {1: _protocol(authenticator, parameters).public_key()}


def _set_pin(authenticator: Authenticator, parameters: Map) -> None:
    """§6.5.5.5."""
    protocol = _protocol(authenticator, parameters)
    key_agreement = required(parameters, 3, dict)
    tag = required(parameters, 4, bytes)
    new_pin = required(parameters, 5, bytes)
    if authenticator.pin.is_set:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    secret = protocol.decapsulate(key_agreement)
    if not protocol.verify(secret, new_pin, tag):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    authenticator.pin.set(protocol.decrypt(secret, new_pin))


def _change_pin(authenticator: Authenticator, parameters: Map) -> None:
    """§6.5.5.6; every token dies with the old PIN."""
    protocol = _protocol(authenticator, parameters)
    key_agreement = required(parameters, 3, dict)
    tag = required(parameters, 4, bytes)
    new_pin = required(parameters, 5, bytes)
    old_hash = required(parameters, 6, bytes)
    _check_usable(authenticator)
    secret = protocol.decapsulate(key_agreement)
    if not protocol.verify(secret, new_pin + old_hash, tag):
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
    _verify_pin(authenticator, protocol, secret, old_hash)
    authenticator.pin.set(protocol.decrypt(secret, new_pin))
    authenticator.token.stop()


def _get_pin_token(authenticator: Authenticator, parameters: Map) -> Map:
    """getPinToken (§6.5.5.7.1): the CTAP 2.0 way, with the default permissions."""
    if 9 in parameters or 10 in parameters:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    return _issue(authenticator, parameters, _RP_BOUND, None, Status.PIN_INVALID)


def _get_token_with_permissions(authenticator: Authenticator, parameters: Map) -> Map:
    """getPinUvAuthTokenUsingPinWithPermissions (§6.5.5.7.2)."""
    permissions = Permission(required(parameters, 9, int) & 0x7F)  # others are ignored
    rp_id = optional(parameters, 10, str)
    if not permissions:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if permissions & ~_grantable(authenticator):
        raise CtapStatusError(Status.UNAUTHORIZED_PERMISSION)
    if permissions & _RP_BOUND and rp_id is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return _issue(authenticator, parameters, permissions, rp_id, Status.PIN_POLICY_VIOLATION)


def _grantable(authenticator: Authenticator) -> Permission:
    """What commands of this authenticator ask for."""
    return reduce(or_, (command.permission for command in authenticator.commands.values()))


def _issue(
    authenticator: Authenticator,
    parameters: Map,
    permissions: Permission,
    rp_id: str | None,
    must_change: Status,
) -> Map:
    """A token for the right PIN; ``must_change`` is the status if that is of no use any more."""
    protocol = _protocol(authenticator, parameters)
    key_agreement = required(parameters, 3, dict)
    pin_hash = required(parameters, 6, bytes)
    _check_usable(authenticator)
    secret = protocol.decapsulate(key_agreement)
    _verify_pin(authenticator, protocol, secret, pin_hash)
    if authenticator.pin.must_change:
        raise CtapStatusError(must_change)
    token = authenticator.token.issue(protocol, permissions, rp_id)
    return {2: protocol.encrypt(secret, token)}


def _check_usable(authenticator: Authenticator) -> None:
    if not authenticator.pin.is_set:
        raise CtapStatusError(Status.PIN_NOT_SET)
    authenticator.pin.check_not_blocked()


def _verify_pin(
    authenticator: Authenticator, protocol: PinUvAuthProtocolOne, secret: bytes, sealed: bytes
) -> None:
    """PIN_INVALID, or why there is no further try; a mismatch costs the key agreement key."""
    if authenticator.pin.verify(protocol.decrypt(secret, sealed)):
        return
    protocol.regenerate()
    authenticator.pin.check_not_blocked()
    raise CtapStatusError(Status.PIN_INVALID)


def _protocol(authenticator: Authenticator, parameters: Map) -> PinUvAuthProtocolOne:
    protocol = protocol_of(authenticator, parameters, 1)
    if protocol is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return protocol


_SUBCOMMANDS: dict[int, Callable[[Authenticator, Map], Map | None]] = {
    0x01: _get_pin_retries,
    0x02: _get_key_agreement,
    0x03: _set_pin,
    0x04: _change_pin,
    0x05: _get_pin_token,
    0x09: _get_token_with_permissions,
}

COMMAND = Command(0x06, run, info=info)
