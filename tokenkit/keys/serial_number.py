"""The serial number of a key, from USB or, for YubiKeys, by their own command."""

from fido2.ctap import CtapDevice
from fido2.hid import CtapHidDevice

from tokenkit.keys.errors import device_errors, printable

_YUBICO = 0x1050
# CTAPHID vendor command "read config" and the tag of the serial number in its answer, as
# yubikit.management uses them; a YubiKey's FIDO interface shows no serial number over USB.
READ_CONFIG = 0x42
SERIAL_TAG = 0x02


def read_serial_number(device: CtapDevice) -> str | None:
    """The serial number as text, or None if the key does not tell it."""
    if not isinstance(device, CtapHidDevice):
        return None
    if device.serial_number:
        return printable(device.serial_number)
    if device.descriptor.vid != _YUBICO:
        return None  # a vendor command means something else to each vendor
    try:
        return _from_config(device.call(READ_CONFIG, b"\0"))
    except device_errors():
        return None


def _from_config(answer: bytes) -> str | None:
    """Find the serial number in ``answer``: a length byte, then tag, length, value."""
    rest = answer[1 : 1 + answer[0]]
    while len(rest) >= 2:
        tag, length = rest[0], rest[1]
        if tag == SERIAL_TAG:
            return str(int.from_bytes(rest[2 : 2 + length], "big"))
        rest = rest[2 + length :]
    return None
