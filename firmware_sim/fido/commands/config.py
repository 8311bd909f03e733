"""authenticatorConfig (CTAP 2.3 §6.11)."""

from collections.abc import Callable

from firmware_sim.fido import cbor
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, of_type, optional, required
from firmware_sim.fido.settings import Changes
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.verification import require_token
from firmware_sim.profile import Profile

CODE = 0x0D
_TOGGLE_ALWAYS_UV = 0x02


async def run(authenticator: Authenticator, parameters: Map) -> None:
    number = required(parameters, 1, int)
    details = optional(parameters, 2, dict)
    if number not in _offered(authenticator.profile):
        raise CtapStatusError(Status.INVALID_PARAMETER)
    always_uv = authenticator.settings.always_uv
    # §6.11 step 3: without a PIN there is no token, but always-UV can be switched off
    switches_off = number == _TOGGLE_ALWAYS_UV and not authenticator.is_protected
    if authenticator.is_protected or (always_uv and not switches_off):
        message = b"\xff" * 32 + bytes((CODE, number))
        message += b"" if details is None else cbor.encode(details)
        require_token(authenticator, parameters, 4, 3, message, Permission.AUTHENTICATOR_CONFIG)
    _SUBCOMMANDS[number](authenticator, details or {})


def _enable_enterprise(authenticator: Authenticator, details: Map) -> None:
    """§6.11.1; a reset disables it."""
    authenticator.flash.write(authenticator.settings.with_enterprise_attestation())


def _toggle_always_uv(authenticator: Authenticator, details: Map) -> None:
    """§6.11.2."""
    settings = authenticator.settings
    authenticator.flash.write(settings.with_always_uv(not settings.always_uv))


def _set_min_pin_length(authenticator: Authenticator, details: Map) -> None:
    """§6.11.4: longer PINs from now on, less simple ones, and who may know; never back again."""
    settings, pin, profile = authenticator.settings, authenticator.pin, authenticator.profile
    length = optional(details, 1, int)
    rp_ids = optional(details, 2, list)
    force = optional(details, 3, bool) or False
    complexity = profile.pin_complexity != "absent" and (optional(details, 4, bool) or False)
    tells = {"minPinLength", "pinComplexityPolicy"} & authenticator.extensions.keys()
    if rp_ids is not None and not tells:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    current = settings.min_pin_length
    length = current if length is None else length
    if not current <= length <= profile.max_pin_length:
        raise CtapStatusError(Status.PIN_POLICY_VIOLATION)
    if force and not pin.is_set:
        raise CtapStatusError(Status.PIN_NOT_SET)
    changes: Changes = settings.with_min_pin_length(length)
    if rp_ids:  # an empty list changes nothing (step 8)
        names = [of_type(rp_id, str) for rp_id in rp_ids]
        if len(names) > profile.max_rp_ids_for_min_pin:
            raise CtapStatusError(Status.KEY_STORE_FULL)
        changes |= settings.with_min_pin_rp_ids(names)
    if complexity:
        changes |= settings.with_pin_complexity()
    too_weak = pin.length < length or (complexity and not pin.is_complex)
    forced = pin.is_set and (force or too_weak)
    if forced:
        changes |= pin.with_forced_change()
    if forced or pin.must_change:  # step 7
        kept = authenticator.persistent_token
        changes |= {} if kept is None else kept.with_new_value()
    authenticator.flash.write(changes)
    if pin.must_change:
        authenticator.token.stop()


def _enable_long_touch(authenticator: Authenticator, details: Map) -> None:
    """§6.11.5 (2.3)."""
    authenticator.flash.write(authenticator.settings.with_long_touch_for_reset())


def _vendor_prototype(authenticator: Authenticator, details: Map) -> None:
    """§6.11.3: the vendor's commands are there to be called, and do nothing."""
    command = required(details, 1, int)
    if command not in authenticator.profile.vendor_prototype_config_commands:
        raise CtapStatusError(Status.INVALID_PARAMETER)


def info(authenticator: Authenticator) -> Map:
    settings, profile = authenticator.settings, authenticator.profile
    members: Map = {
        0x04: {
            "alwaysUv": settings.always_uv,
            "authnrCfg": True,
            "setMinPINLength": True,
            "uvAcfg": True,
        },
        0x1F: _offered(profile),
    }
    if "setMinPINLength" in profile.options:
        members[0x10] = profile.max_rp_ids_for_min_pin
    if profile.vendor_prototype_config_commands:
        members[0x15] = list(profile.vendor_prototype_config_commands)
    return members


def _offered(profile: Profile) -> list[int]:
    """The subcommands that a key of this model has."""
    has = {
        0x01: "ep" in profile.options,
        _TOGGLE_ALWAYS_UV: "alwaysUv" in profile.options,
        0x03: "setMinPINLength" in profile.options,
        0x04: profile.long_touch_for_reset != "absent",
        0xFF: bool(profile.vendor_prototype_config_commands),
    }
    return [number for number, offered in has.items() if offered]


_SUBCOMMANDS: dict[int, Callable[[Authenticator, Map], None]] = {
    0x01: _enable_enterprise,
    _TOGGLE_ALWAYS_UV: _toggle_always_uv,
    0x03: _set_min_pin_length,
    0x04: _enable_long_touch,
    0xFF: _vendor_prototype,
}

COMMAND = Command(
    CODE, run, options=("authnrCfg",), info=info, permission=Permission.AUTHENTICATOR_CONFIG
)
