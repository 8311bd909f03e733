"""The applications that a model has as a card, by the names that its profile lists."""

from collections.abc import Callable
from functools import reduce
from operator import xor

from firmware_sim.card.card import Application, SmartCard
from firmware_sim.card.fido import FidoApplet
from firmware_sim.card.management import ManagementApplet
from firmware_sim.card.oath import TOUCH_TIMEOUT_S, OathApplet
from firmware_sim.card.oath_accounts import OathAccounts
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.u2f import VERSION, U2f
from firmware_sim.profile import Profile
from firmware_sim.vendor_commands import yubico_device_information

_OTHERS_OATH = (5, 7, 0)  # what OATH applications say that are no YubiKey's
_MORE_ROOM_FROM = (5, 7, 0)


def make_card(authenticator: Authenticator, u2f: U2f | None, serial_number: str) -> SmartCard:
    """The card that the authenticator's profile describes."""
    profile = authenticator.profile
    applications = [
        APPLICATIONS[name](authenticator, u2f, serial_number) for name in profile.card_applications
    ]
    return SmartCard(applications, answer_to_reset(profile), authenticator.clock)


def answer_to_reset(profile: Profile) -> bytes:
    """That of a contactless card (PC/SC part 3 §3.1.3.2.3), also for a CCID interface.

    ykman takes a card with a YubiKey's USB answer for none, if its reader's name is another's.
    The historical bytes (ISO 7816-4 §8.1.1) say that there are command chaining and extended
    lengths, and who made it; a YubiKey's are those of the real one.
    """
    maker = "YubiKey" if profile.manufacturer == "Yubico" else profile.manufacturer
    issuer = maker.encode("ascii", "replace")[:9]
    historical = bytes.fromhex("8073c021c0") + bytes((0x50 | len(issuer),)) + issuer
    answer = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    return b"\x3b" + answer + bytes((reduce(xor, answer),))


def _fido(authenticator: Authenticator, u2f: U2f | None, serial_number: str) -> Application:
    speaks_ctap2 = authenticator.profile.versions != (VERSION,)
    return FidoApplet(authenticator, u2f, speaks_ctap2)


def _oath(authenticator: Authenticator, u2f: U2f | None, serial_number: str) -> Application:
    profile, entropy = authenticator.profile, authenticator.entropy
    is_yubikey = "yubico-management" in profile.card_applications
    version = profile.device_version if is_yubikey else _OTHERS_OATH
    return OathApplet(
        OathAccounts(authenticator.flash, entropy, 64 if version >= _MORE_ROOM_FROM else 32),
        version,
        entropy,
        lambda reason: authenticator.user_presence(reason, timeout_s=TOUCH_TIMEOUT_S),
    )


def _management(authenticator: Authenticator, u2f: U2f | None, serial_number: str) -> Application:
    profile = authenticator.profile
    return ManagementApplet(
        profile.device_version, yubico_device_information(profile, serial_number)
    )


APPLICATIONS: dict[str, Callable[[Authenticator, U2f | None, str], Application]] = {
    "fido": _fido,
    "oath": _oath,
    "yubico-management": _management,
}
