"""What authenticatorConfig sets, in flash (CTAP 2.1 §6.11); a reset brings the factory's back."""

from firmware_sim.fido import cbor
from firmware_sim.profile import Profile
from firmware_sim.world.flash import Flash

_ALWAYS_UV = "settings/always-uv"
_ENTERPRISE = "settings/enterprise-attestation"
_LONG_TOUCH = "settings/long-touch-for-reset"
_MIN_PIN_LENGTH = "settings/min-pin-length"
_MIN_PIN_RP_IDS = "settings/min-pin-rp-ids"
_PIN_COMPLEXITY = "settings/pin-complexity"
_NO, _YES = b"\0", b"\x01"

Changes = dict[str, bytes | None]


class Settings:
    """Settings as they are; each setter is the flash change that would set it."""

    def __init__(self, flash: Flash, profile: Profile) -> None:
        self._flash = flash
        self._profile = profile

    @property
    def always_uv(self) -> bool:
        """Whether every credential demands user verification."""
        stored = self._flash.get(_ALWAYS_UV)
        return self._profile.always_uv if stored is None else stored == _YES

    @property
    def enterprise_attestation(self) -> bool:
        return self._flash.get(_ENTERPRISE) is not None

    @property
    def long_touch_for_reset(self) -> bool:
        on = self._profile.long_touch_for_reset == "on"
        return on or self._flash.get(_LONG_TOUCH) is not None

    @property
    def pin_complexity(self) -> bool:
        """Whether a PIN must be more than long enough."""
        on = self._profile.pin_complexity == "on"
        return on or self._flash.get(_PIN_COMPLEXITY) is not None

    @property
    def min_pin_length(self) -> int:
        """In Unicode code points."""
        stored = self._flash.get(_MIN_PIN_LENGTH)
        return self._profile.min_pin_length if stored is None else stored[0]

    @property
    def min_pin_rp_ids(self) -> list[str]:
        """The RPs that may learn the minimum PIN length and the complexity policy."""
        stored = self._flash.get(_MIN_PIN_RP_IDS)
        return [] if stored is None else list(cbor.decode(stored))

    def with_always_uv(self, always_uv: bool) -> Changes:
        return {_ALWAYS_UV: _YES if always_uv else _NO}

    def with_enterprise_attestation(self) -> Changes:
        return {_ENTERPRISE: _YES}

    def with_long_touch_for_reset(self) -> Changes:
        return {_LONG_TOUCH: _YES}

    def with_pin_complexity(self) -> Changes:
        return {_PIN_COMPLEXITY: _YES}

    def with_min_pin_length(self, length: int) -> Changes:
        return {_MIN_PIN_LENGTH: bytes((length,))}

    def with_min_pin_rp_ids(self, rp_ids: list[str]) -> Changes:
        return {_MIN_PIN_RP_IDS: cbor.encode(rp_ids)}
