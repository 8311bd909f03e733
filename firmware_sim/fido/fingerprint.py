"""The fingerprint sensor: templates in flash, and built-in user verification by them.

CTAP 2.1 §6.5.3.1 (performBuiltInUv), §6.7. A template is the name of the finger it was taken of:
the sensor is as good as the simulated finger is honest.
"""

from dataclasses import dataclass

from firmware_sim.fido import cbor
from firmware_sim.fido.pin import Pin
from firmware_sim.fido.request import Map
from firmware_sim.fido.settings import Changes
from firmware_sim.profile import Profile
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.finger import Placement, Press
from firmware_sim.world.flash import Flash

_PREFIX = "fingerprint/"
_RETRIES = "uv/retries"
_SINCE_PIN = "uv/count-since-pin"
_MAX_COUNT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Template:
    """An enrolled finger; ``name`` is the friendly one, if it was given one."""

    template_id: bytes
    finger: str
    name: str | None = None


class Fingerprints:
    """The sensor's templates and its retry counter."""

    def __init__(self, flash: Flash, entropy: Entropy, profile: Profile, pin: Pin) -> None:
        self._flash = flash
        self._entropy = entropy
        self._profile = profile
        self._pin = pin
        self._templates: dict[bytes, Template] = {}
        for key, value in flash.items(_PREFIX):
            record = cbor.decode(value)
            template_id = bytes.fromhex(key.removeprefix(_PREFIX))
            self._templates[template_id] = Template(template_id, record[1], record.get(2))

    @property
    def templates(self) -> list[Template]:
        return list(self._templates.values())

    @property
    def is_enrolled(self) -> bool:
        """Whether there is a finger to verify the user by."""
        return bool(self._templates)

    @property
    def is_full(self) -> bool:
        return len(self._templates) >= self._profile.fingerprint_capacity

    def template(self, template_id: bytes) -> Template | None:
        return self._templates.get(template_id)

    def new_id(self) -> bytes:
        """2 bytes that no template has."""
        template_id = self._entropy.bytes(2)
        return self.new_id() if template_id in self._templates else template_id

    def store(self, template: Template) -> None:
        """Add, or replace the one with this id; with the first all retries are there."""
        record: Map = {1: template.finger}
        if template.name is not None:
            record[2] = template.name
        retries = {} if self.is_enrolled else self.with_all_retries()
        self._flash.write({_key(template.template_id): cbor.encode(record), **retries})
        self._templates[template.template_id] = template

    def remove(self, template: Template) -> None:
        self._flash.write({_key(template.template_id): None})
        del self._templates[template.template_id]

    # -- built-in user verification ------------------------------------------------------------

    @property
    def retries(self) -> int:
        """uvRetries: how many more failures until the PIN is needed; none once that is blocked."""
        if self._pin.is_blocked:
            return 0
        stored = self._flash.get(_RETRIES)
        return self._profile.uv_retries if stored is None else stored[0]

    @property
    def count_since_pin(self) -> int:
        """How often a finger was looked at since the PIN was last entered."""
        return int.from_bytes(self._flash.get(_SINCE_PIN) or b"", "big")

    def with_all_retries(self) -> Changes:
        """The flash change that gives all retries back."""
        return {_RETRIES: None}

    def with_pin_entered(self) -> Changes:
        """The flash change that a right PIN makes here; none on a key without sensor."""
        return {_RETRIES: None, _SINCE_PIN: None} if self._profile.uv_modality else {}

    def is_known(self, press: Press) -> bool:
        """Whether the finger is an enrolled one, while there are retries.

        The retry is spent before the comparison.
        """
        if not self.retries:
            return False
        count = min(self.count_since_pin + 1, _MAX_COUNT)
        spent = {
            _RETRIES: bytes((self.retries - 1,)),
            _SINCE_PIN: count.to_bytes(2, "big"),
        }
        self._flash.write(spent)
        good = press.placement is Placement.GOOD
        if not good or all(each.finger != press.finger for each in self._templates.values()):
            return False
        self._flash.write(self.with_all_retries())
        return True


def _key(template_id: bytes) -> str:
    return _PREFIX + template_id.hex()
