"""Who a security key is: profile and serial number, in flash from its first power-up on."""

from dataclasses import dataclass

from firmware_sim.world.entropy import Entropy
from firmware_sim.world.flash import Flash

PREFIX = "device/"
# authenticatorReset leaves alone what begins so: who the key is, and its other applications
_LEFT_ALONE = (PREFIX, "oath/")
_PROFILE = PREFIX + "profile"
_SERIAL_NUMBER = PREFIX + "serial-number"


@dataclass(frozen=True)
class Identity:
    """What the factory wrote: the profile's name and the serial number."""

    profile: str
    serial_number: str

    @property
    def changes(self) -> dict[str, bytes]:
        """The flash change that records it."""
        return {_PROFILE: self.profile.encode(), _SERIAL_NUMBER: self.serial_number.encode()}


def read_identity(flash: Flash) -> Identity | None:
    """The identity in ``flash``, None before the first power-up."""
    profile, serial_number = flash.get(_PROFILE), flash.get(_SERIAL_NUMBER)
    if profile is None or serial_number is None:
        return None
    return Identity(profile.decode(), serial_number.decode())


def without_identity(flash: Flash) -> dict[str, bytes]:
    """What somebody who copies a key gets: all that makes its answers, not who it is."""
    return {key: value for key, value in flash.items() if not key.startswith(PREFIX)}


def erasure(flash: Flash) -> dict[str, bytes | None]:
    """The flash change by which all that is the authenticator's goes."""
    return {key: None for key, _ in flash.items() if not key.startswith(_LEFT_ALONE)}


def new_serial_number(entropy: Entropy) -> str:
    return f"VIRTUAL-{int.from_bytes(entropy.bytes(4), 'big'):010d}"
