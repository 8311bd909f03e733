"""What authenticatorConfig sets, in flash (CTAP 2.1 §6.11); a reset brings the factory's back."""

from firmware_sim.fido import cbor
from firmware_sim.world.flash import Flash

_ALWAYS_UV = "settings/always-uv"
_MIN_PIN_LENGTH = "settings/min-pin-length"
_MIN_PIN_RP_IDS = "settings/min-pin-rp-ids"

Changes = dict[str, bytes | None]


class Settings:
    """Settings as they are; each setter is the flash change that would set it."""

    def __init__(self, flash: Flash, min_pin_length: int) -> None:
        self._flash = flash
        self._factory_min_pin_length = min_pin_length

    @property
    def always_uv(self) -> bool:
        """Whether every credential demands user verification."""
        return self._flash.get(_ALWAYS_UV) is not None

    @property
    def min_pin_length(self) -> int:
        """In Unicode code points."""
        stored = self._flash.get(_MIN_PIN_LENGTH)
        return self._factory_min_pin_length if stored is None else stored[0]

    @property
    def min_pin_rp_ids(self) -> list[str]:
        """The RPs that may learn the minimum PIN length."""
        stored = self._flash.get(_MIN_PIN_RP_IDS)
        return [] if stored is None else list(cbor.decode(stored))

    def with_always_uv(self, always_uv: bool) -> Changes:
        return {_ALWAYS_UV: b"\x01" if always_uv else None}

    def with_min_pin_length(self, length: int) -> Changes:
        return {_MIN_PIN_LENGTH: bytes((length,))}

    def with_min_pin_rp_ids(self, rp_ids: list[str]) -> Changes:
        return {_MIN_PIN_RP_IDS: cbor.encode(rp_ids)}
