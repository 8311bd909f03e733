"""authenticatorConfig (CTAP 2.3 §6.11): settings that stay until a reset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fido2.ctap2.config import Config

from tokenkit.keys.answers import asking, denied
from tokenkit.keys.errors import PinError, UnsupportedError, talking_to
from tokenkit.keys.info import read_info
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.pin import Permission, authorise

_MAX_PIN_LENGTH = 63
# subcommands; python-fido2 knows no name for the last
_ENTERPRISE, _ALWAYS_UV, _MIN_PIN_LENGTH, _LONG_TOUCH = 0x01, 0x02, 0x03, 0x04


class Setting(StrEnum):
    """What authenticatorConfig can change."""

    ENTERPRISE_ATTESTATION = "enterprise-attestation"
    ALWAYS_UV = "always-uv"
    MIN_PIN_LENGTH = "min-pin-length"
    FORCE_PIN_CHANGE = "force-pin-change"
    PIN_COMPLEXITY = "pin-complexity"
    LONG_TOUCH_FOR_RESET = "long-touch-for-reset"


@dataclass(frozen=True)
class Settings:
    """The settings of a key as getInfo tells them; None for one that it does not have.

    ``max_rp_ids`` is how many RP IDs may be told the minimum PIN length; ``changeable`` what
    authenticatorConfig of this key can change.
    """

    always_uv: bool | None
    min_pin_length: int | None
    force_pin_change: bool | None
    pin_complexity: bool | None
    max_rp_ids: int
    enterprise_attestation: bool | None
    long_touch_for_reset: bool | None
    has_pin: bool
    changeable: tuple[Setting, ...]


def read_settings(key: OpenKey) -> Settings:
    """What getInfo says; nothing on the key changes. UnreadableKeyError if it talks nonsense."""
    info = read_info(key)
    with talking_to(key.selector):
        options = info["options"] = _member(info, "options", Mapping) or {}
        return Settings(
            _member(options, "alwaysUv", bool),
            _member(info, "minPINLength", int),
            _member(info, "forcePINChange", bool),
            _member(info, "pinComplexityPolicy", bool),
            _member(info, "maxRPIDsForSetMinPINLength", int) or 0,
            _member(options, "ep", bool),
            _member(info, "longTouchForReset", bool),
            bool(options.get("clientPin")),
            _changeable(info),
        )


def _member(members: Mapping[str, Any], name: str, kind: type) -> Any:
    """None if it is not there; TypeError if it is of another kind."""
    value = members.get(name)
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r}")
    return value


class Configuration:
    """Changes the settings of a key with one authorisation.

    ``pin`` is None for a key without a PIN, which takes changes from anybody. UnsupportedError
    for what the key does not have, DeniedError for what it does not want.
    """

    def __init__(self, key: OpenKey, pin: str | None) -> None:
        self._key = key
        self._settings = read_settings(key)
        _demand(key, self._settings)
        self._granted = None if pin is None else authorise(key, pin, Permission.AUTHENTICATOR_CFG)
        with asking(key):
            if self._granted is None:
                self._commands = Config(key.ctap2())
            else:
                granted = self._granted
                self._commands = Config(granted.ctap, granted.protocol, granted.token)

    def set_always_uv(self, on: bool) -> bool:
        """Whether each use demands user verification (§6.11.2); returns whether that is new."""
        self._demand(Setting.ALWAYS_UV)
        if self._settings.always_uv == on:
            return False
        with asking(self._key, OPERATION_DENIED="does not let always-uv be changed"):
            self._commands.toggle_always_uv()
        return True

    def set_min_pin_length(
        self, length: int | None, rp_ids: Sequence[str] | None = None, force_change: bool = False
    ) -> None:
        """Demand longer PINs, in code points, from now on (§6.11.4); only a reset takes it back.

        ``length`` None leaves it as it is; ``rp_ids`` are those that may be told it, in place of
        those before. PinError for a length that cannot be.
        """
        self._demand(Setting.MIN_PIN_LENGTH)
        current = self._settings.min_pin_length or 4
        if length is not None and not current <= length <= _MAX_PIN_LENGTH:
            raise PinError(
                f"{self._key}: the minimum PIN length is {current}, and can only grow, to"
                f" {_MAX_PIN_LENGTH} at most: {length} cannot be"
            )
        room = self._settings.max_rp_ids
        if rp_ids is not None and len(rp_ids) > room:
            raise UnsupportedError(
                f"{self._key}: {room} RP IDs at most can be told the minimum PIN length,"
                f" not {len(rp_ids)}"
            )
        if force_change and not self._settings.has_pin:
            raise denied(self._key, "PIN_NOT_SET")
        with asking(self._key):
            self._commands.set_min_pin_length(
                length, None if rp_ids is None else list(rp_ids), force_change
            )

    def force_pin_change(self) -> None:
        """Make the PIN of no use but to be changed (§6.11.4)."""
        self.set_min_pin_length(None, force_change=True)

    def enable_pin_complexity(self) -> None:
        """Take no simple PINs from now on (§6.11.4); only a reset takes it back."""
        self._demand(Setting.PIN_COMPLEXITY)
        with asking(self._key):
            self._commands.set_min_pin_length(pin_complexity_policy=True)

    def enable_enterprise_attestation(self) -> None:
        """Let RPs that maker or platform list ask which key it is (§6.11.1), until a reset."""
        self._demand(Setting.ENTERPRISE_ATTESTATION)
        with asking(self._key):
            self._commands.enable_enterprise_attestation()

    def enable_long_touch_for_reset(self) -> None:
        """Demand a long touch for a reset, so that no brush does it, until one is made."""
        self._demand(Setting.LONG_TOUCH_FOR_RESET)
        ctap = self._commands.ctap
        with asking(self._key):
            if self._granted is None:
                ctap.config(_LONG_TOUCH)
                return
            protocol = self._granted.protocol
            message = b"\xff" * 32 + bytes((ctap.CMD.CONFIG, _LONG_TOUCH))
            tag = protocol.authenticate(self._granted.token, message)
            ctap.config(_LONG_TOUCH, None, protocol.VERSION, tag)

    def _demand(self, setting: Setting) -> None:
        _demand(self._key, self._settings, setting)


def require_setting(key: OpenKey, setting: Setting) -> None:
    """UnsupportedError if authenticatorConfig of this key cannot change that."""
    _demand(key, read_settings(key), setting)


def _demand(key: OpenKey, settings: Settings, setting: Setting | None = None) -> None:
    if not settings.changeable:
        raise UnsupportedError(f"{key}: has no settings that can be changed")
    if setting is not None and setting not in settings.changeable:
        there = ", ".join(settings.changeable)
        raise UnsupportedError(f"{key}: does not offer {setting}; it offers: {there}")


def _changeable(info: Mapping[str, Any]) -> tuple[Setting, ...]:
    """By authenticatorConfigCommands (2.3), or by what older keys show beside it."""
    options = info.get("options", {})
    if not options.get("authnrCfg"):
        return ()
    numbers = _member(info, "authenticatorConfigCommands", list)
    if numbers is None:
        shown = {
            _ENTERPRISE: "ep" in options,
            _ALWAYS_UV: "alwaysUv" in options,
            _MIN_PIN_LENGTH: bool(options.get("setMinPINLength")),
            _LONG_TOUCH: "longTouchForReset" in info,
        }
        numbers = [number for number, there in shown.items() if there]
    offered = {
        Setting.ENTERPRISE_ATTESTATION: _ENTERPRISE in numbers,
        Setting.ALWAYS_UV: _ALWAYS_UV in numbers,
        Setting.MIN_PIN_LENGTH: _MIN_PIN_LENGTH in numbers,
        Setting.FORCE_PIN_CHANGE: _MIN_PIN_LENGTH in numbers,
        Setting.PIN_COMPLEXITY: _MIN_PIN_LENGTH in numbers and "pinComplexityPolicy" in info,
        Setting.LONG_TOUCH_FOR_RESET: _LONG_TOUCH in numbers,
    }
    return tuple(setting for setting, there in offered.items() if there)
