"""CTAPHID vendor commands (CTAP 2.1 §11.2.9.3) of real products; a profile picks by name.

What they answer is what the vendors' own tools read: yubikit.management for YubiKeys, solo1 for
Solo keys, pynitrokey and the admin app's source for the Nitrokey 3.
"""

import hashlib
import re
from collections.abc import Callable

from firmware_sim.link.ctaphid import CtapHidError, Error, Handler
from firmware_sim.profile import Profile
from firmware_sim.world.entropy import Entropy

# capability bits of a YubiKey's applications
_YUBICO_U2F, _YUBICO_OATH, _YUBICO_FIDO2 = 0x002, 0x020, 0x200
_PACKET_OF_RANDOMNESS = 57


def vendor_commands(profile: Profile, serial_number: str, entropy: Entropy) -> dict[int, Handler]:
    """The profile's vendor commands by their number."""
    chosen = [VENDOR_COMMANDS[name] for name in profile.vendor_commands]
    return {number: make(profile, serial_number, entropy) for number, make in chosen}


def yubico_device_information(profile: Profile, serial_number: str) -> bytes:
    """Page 0 of the device information: its length, then tag, length, value.

    The serial number is the number that ``serial_number`` ends with, left out if it has none or
    one of more than 32 bits.
    """
    capabilities = _YUBICO_U2F if profile.speaks("U2F_V2") else 0
    if profile.versions != ("U2F_V2",):
        capabilities |= _YUBICO_FIDO2
    if "oath" in profile.card_applications:
        capabilities |= _YUBICO_OATH
    supported = capabilities.to_bytes(2, "big")
    members = {0x01: supported, 0x03: supported}
    digits = re.search(r"[0-9]+$", serial_number)
    if digits and (serial := int(digits[0])) < 1 << 32:
        members[0x02] = serial.to_bytes(4, "big")
    members |= {
        0x04: bytes((profile.yubico_form_factor,)),
        0x05: bytes(profile.device_version),
        0x06: bytes(2),  # auto-eject timeout
        0x07: b"\x0f",  # challenge-response timeout
        0x08: b"\x00",  # device flags
        0x0A: b"\x00",  # no lock code
    }
    if profile.card_applications and "nfc" in profile.transports:
        members |= {0x0D: supported, 0x0E: supported}
    page = b"".join(bytes((tag, len(value))) + value for tag, value in members.items())
    return bytes((len(page),)) + page


def _yubico_read_config(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    page = yubico_device_information(profile, serial_number)

    def answer(data: bytes) -> bytes:
        """For a page number, or nothing as before there were pages."""
        if len(data) > 1:
            raise CtapHidError(Error.INVALID_LEN)
        if data not in (b"", b"\x00"):
            raise CtapHidError(Error.INVALID_PAR)
        return page

    return answer


def _solo_version(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    """Major, minor, patch, and that the bootloader takes signed firmware only."""
    return lambda data: bytes((*profile.device_version, 1))


def _solo_rng(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    """As many random bytes as the first byte says, 57 for 0 or none."""
    return lambda data: entropy.bytes((data[0] if data else 0) or _PACKET_OF_RANDOMNESS)


def _nitrokey_version(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    """Major, minor and patch in 10, 16 and 6 bits; as text if the first byte is 1."""
    major, minor, patch = profile.device_version
    number = (major << 22 | minor << 6 | patch).to_bytes(4, "big")
    text = f"{major}.{minor}.{patch}".encode()
    return lambda data: text if data[:1] == b"\x01" else number


def _nitrokey_uuid(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    """16 bytes that follow from the serial number."""
    uuid = hashlib.sha256(b"nitrokey uuid" + serial_number.encode()).digest()[:16]
    return lambda data: uuid


def _nitrokey_rng(profile: Profile, serial_number: str, entropy: Entropy) -> Handler:
    return lambda data: entropy.bytes(_PACKET_OF_RANDOMNESS)


VENDOR_COMMANDS: dict[str, tuple[int, Callable[[Profile, str, Entropy], Handler]]] = {
    "nitrokey-rng": (0x60, _nitrokey_rng),
    "nitrokey-uuid": (0x62, _nitrokey_uuid),
    "nitrokey-version": (0x61, _nitrokey_version),
    "solo-rng": (0x60, _solo_rng),
    "solo-version": (0x61, _solo_version),
    "yubico-read-config": (0x42, _yubico_read_config),
}
