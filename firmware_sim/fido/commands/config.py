"""authenticatorConfig (CTAP 2.1 §6.11)."""

from collections.abc import Callable

from firmware_sim.fido import cbor
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.pin import MAX_BYTES
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, of_type, optional, required
from firmware_sim.fido.settings import Changes
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import require_token

CODE = 0x0D
MAX_RP_IDS = 8


async def run(authenticator: Authenticator, parameters: Map) -> None:
    number = required(parameters, 1, int)
    details = optional(parameters, 2, dict)
    subcommand = _SUBCOMMANDS.get(number)
    if subcommand is None:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    if authenticator.pin.is_set:
        message = b"\xff" * 32 + bytes((CODE, number))
        message += b"" if details is None else cbor.encode(details)
        require_token(authenticator, parameters, 4, 3, message, Permission.AUTHENTICATOR_CONFIG)
    subcommand(authenticator, details or {})


def _toggle_always_uv(authenticator: Authenticator, details: Map) -> None:
    """§6.11.2."""
    settings = authenticator.settings
    authenticator.flash.write(settings.with_always_uv(not settings.always_uv))


def _set_min_pin_length(authenticator: Authenticator, details: Map) -> None:
    """§6.11.4: longer PINs from now on, and who may know; never shorter ones again."""
    settings, pin = authenticator.settings, authenticator.pin
    length = optional(details, 1, int)
    rp_ids = optional(details, 2, list)
    force = optional(details, 3, bool) or False
    current = settings.min_pin_length
    length = current if length is None else length
    if not current <= length <= MAX_BYTES:
        raise CtapStatusError(Status.PIN_POLICY_VIOLATION)
    if force and not pin.is_set:
        raise CtapStatusError(Status.PIN_NOT_SET)
    changes: Changes = settings.with_min_pin_length(length)
    if rp_ids is not None:
        names = [of_type(rp_id, str) for rp_id in rp_ids]
        if len(names) > MAX_RP_IDS:
            raise CtapStatusError(Status.KEY_STORE_FULL)
        changes |= settings.with_min_pin_rp_ids(names)
    if pin.is_set and (force or pin.length < length):
        changes |= pin.with_forced_change()
    authenticator.flash.write(changes)
    if pin.must_change:
        authenticator.token.stop()


def info(authenticator: Authenticator) -> Map:
    settings = authenticator.settings
    return {
        0x04: {"alwaysUv": settings.always_uv, "authnrCfg": True, "setMinPINLength": True},
        0x0C: authenticator.pin.must_change,
        0x0D: settings.min_pin_length,
        0x10: MAX_RP_IDS,
        0x1F: list(_SUBCOMMANDS),
    }


_SUBCOMMANDS: dict[int, Callable[[Authenticator, Map], None]] = {
    0x02: _toggle_always_uv,
    0x03: _set_min_pin_length,
}

COMMAND = Command(CODE, run, info=info, permission=Permission.AUTHENTICATOR_CONFIG)
