"""The serial number of a key, from USB or, for YubiKeys, by their own command."""

from typing import Protocol, runtime_checkable

from fido2.ctap import CtapDevice
from fido2.hid import CtapHidDevice

from tokenkit.keys.errors import device_errors, printable

_YUBICO = 0x1050
# CTAPHID vendor command "read config" and the tag of the serial number in its answer, as
# yubikit.management uses them; a YubiKey's FIDO interface shows no serial number over USB.
READ_CONFIG = 0x42
SERIAL_TAG = 0x02
# the same over PC/SC: SELECT Yubico's management application, READ CONFIG; then FIDO again
_SELECT_MANAGEMENT = bytes.fromhex("00a4040008a00000052747111700")
_READ_CONFIG_APDU = bytes.fromhex("001d000000")
_SELECT_FIDO = bytes.fromhex("00a4040008a0000006472f000100")
_OK = (0x90, 0x00)


@runtime_checkable
class _Card(Protocol):
    """python-fido2's CtapPcscDevice, which cannot be imported without pyscard."""

    def apdu_exchange(self, apdu: bytes) -> tuple[bytes, int, int]:
        """Data and status word that the card answers."""


def read_serial_number(device: CtapDevice) -> str | None:
    """The serial number as text, or None if the key does not tell it."""
    if isinstance(device, _Card):
        return _from_card(device)
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


def _from_card(card: _Card) -> str | None:
    try:
        if card.apdu_exchange(_SELECT_MANAGEMENT)[1:] != _OK:
            return None
        page, *status = card.apdu_exchange(_READ_CONFIG_APDU)
        return _from_config(page) if tuple(status) == _OK else None
    except device_errors():
        return None
    finally:
        card.apdu_exchange(_SELECT_FIDO)


def _from_config(answer: bytes) -> str | None:
    """Find the serial number in ``answer``: a length byte, then tag, length, value."""
    rest = answer[1 : 1 + answer[0]]
    while len(rest) >= 2:
        tag, length = rest[0], rest[1]
        if tag == SERIAL_TAG:
            return str(int.from_bytes(rest[2 : 2 + length], "big"))
        rest = rest[2 + length :]
    return None
