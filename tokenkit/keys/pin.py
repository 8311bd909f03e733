"""authenticatorClientPIN (CTAP 2.1 §6.5): set, change and check a key's PIN, count its tries."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fido2.ctap import CtapError
from fido2.ctap2.base import Ctap2, Info
from fido2.ctap2.pin import ClientPin, PinProtocol

from tokenkit.keys.answers import asking, command, denied
from tokenkit.keys.errors import (
    DeniedError,
    PinError,
    UnsupportedError,
    WrongPinError,
    device_errors,
)
from tokenkit.keys.opened import OpenKey

# §6.5.1: no key's minimum is lower, and no PIN is longer
_MIN_LENGTH = 4
_MAX_BYTES = 63
_VERIFYING_RP_ID = "tokenkit.invalid"

Permission = ClientPin.PERMISSION


@dataclass(frozen=True)
class Retries:
    """How many wrong tries are left.

    ``pin`` is None if the key does not say because no PIN ``is_set``; ``uv`` is None without a
    fingerprint sensor or the like. After three wrong PINs in a row it ``needs_power_cycle``.
    """

    is_set: bool
    pin: int | None
    needs_power_cycle: bool
    uv: int | None


@dataclass(frozen=True)
class Authorisation:
    """A pinUvAuthToken, and what it was got by."""

    ctap: Ctap2
    protocol: PinProtocol
    token: bytes


def read_retries(key: OpenKey) -> Retries:
    """Tries left; nothing on the key changes. UnsupportedError if it knows neither PIN nor UV."""
    ctap = key.ctap2()
    options = ctap.info.options
    if "clientPin" not in options and not options.get("uv"):
        raise UnsupportedError(f"{key}: has no PIN, and no way to get one")
    client = _client(key, ctap)
    pin, needs_power_cycle = None, None
    with asking(key):
        try:
            if "clientPin" in options:
                pin, needs_power_cycle = client.get_pin_retries()
        except CtapError as error:
            if error.code != CtapError.ERR.PIN_NOT_SET:  # some count tries without a PIN, too
                raise
        uv = client.get_uv_retries() if options.get("uv") else None
    return Retries(bool(options.get("clientPin")), pin, bool(needs_power_cycle), uv)


def set_pin(key: OpenKey, pin: str) -> None:
    """Give the key its first PIN; PinError if it has one, or would not take this one."""
    require_no_pin(key)
    ctap = key.ctap2()
    client, checked = _client(key, ctap), check_new_pin(ctap.info, pin)
    with asking(key):
        client.set_pin(checked)


def change_pin(key: OpenKey, old: str, new: str) -> None:
    """Replace the PIN ``old``; WrongPinError if it is not, PinError if ``new`` will not do."""
    require_pin(key)
    ctap = key.ctap2()
    client = _client(key, ctap)
    entered, checked = _normal(old), check_new_pin(ctap.info, new)
    with _counting(key, client), asking(key):
        client.change_pin(entered, checked)


def verify_pin(key: OpenKey, pin: str) -> None:
    """Return if ``pin`` is right; WrongPinError costs a try, a right one restores them all.

    DeniedError with PIN_POLICY_VIOLATION if it is right, but must be changed before use.
    """
    info = key.ctap2().info
    if info.options.get("noMcGaPermissionsWithClientPin"):
        authorise(key, pin, Permission.CREDENTIAL_MGMT)
    else:
        authorise(key, pin, Permission.GET_ASSERTION, _VERIFYING_RP_ID)


def has_pin(key: OpenKey) -> bool:
    """Whether a PIN is set now."""
    return bool(key.ctap2().info.options.get("clientPin"))


def require_pin(key: OpenKey) -> None:
    """DeniedError if no PIN is set, UnsupportedError if the key cannot have one."""
    if not _knows_pin(key):
        raise denied(key, "PIN_NOT_SET")


def require_no_pin(key: OpenKey) -> None:
    """PinError if a PIN is set, UnsupportedError if the key cannot have one."""
    if _knows_pin(key):
        raise PinError(f"{key}: has a PIN already; to change it: {command(key, 'pin change')}")


def _knows_pin(key: OpenKey) -> bool:
    options = key.ctap2().info.options
    if "clientPin" not in options:
        raise UnsupportedError(f"{key}: has no PIN, and no way to get one")
    return options["clientPin"]


def authorise(
    key: OpenKey, pin: str, permissions: Permission, rp_id: str | None = None
) -> Authorisation:
    """A token with ``permissions`` for ``pin``; it dies when unused for 30 s or the like.

    WrongPinError, PinError without sending anything, DeniedError.
    """
    require_pin(key)
    ctap = key.ctap2()
    client = _client(key, ctap)
    entered = _normal(pin)
    must_change = "has a PIN that must be changed first: tokenkit keys pin change {key}"
    with _counting(key, client), asking(key, PIN_POLICY_VIOLATION=must_change):
        token = client.get_pin_token(entered, permissions, rp_id)
    return Authorisation(ctap, client.protocol, token)


def check_new_pin(info: Info, pin: str) -> str:
    """``pin`` in Normalization Form C, if a key with this getInfo takes it; else PinError."""
    pin = _normal(pin, info.min_pin_length)
    if len(pin) > info.max_pin_length:
        raise PinError(f"the PIN has {len(pin)} characters: at most {info.max_pin_length} fit")
    return pin


def _normal(pin: str, minimum: int = _MIN_LENGTH) -> str:
    """In the form that §6.5.1 demands; PinError for one that is no PIN at all, and costs no try."""
    pin = unicodedata.normalize("NFC", pin)
    if len(pin) < minimum:
        raise PinError(f"the PIN has {len(pin)} characters: at least {minimum} are needed")
    try:
        size = len(pin.encode())
    except UnicodeEncodeError:
        raise PinError("the PIN is not UTF-8") from None
    if size > _MAX_BYTES:
        raise PinError(f"the PIN has {size} bytes in UTF-8: at most {_MAX_BYTES} fit")
    if "\0" in pin:
        raise PinError("the PIN contains a zero byte, which would end it")
    return pin


def _client(key: OpenKey, ctap: Ctap2) -> ClientPin:
    try:
        return ClientPin(ctap)
    except ValueError:
        raise UnsupportedError(f"{key}: knows no PIN protocol that is known here") from None


@contextmanager
def _counting(key: OpenKey, client: ClientPin) -> Iterator[None]:
    """Turn a refused PIN into a WrongPinError that says what is left."""
    try:
        yield
    except DeniedError as error:
        if error.status not in ("PIN_INVALID", "PIN_AUTH_BLOCKED", "PIN_BLOCKED"):
            raise
        raise WrongPinError(_left(key, client, error), error.status) from error


def _left(key: OpenKey, client: ClientPin, error: DeniedError) -> str:
    if error.status == "PIN_BLOCKED":
        return str(error)
    try:
        tries, needs_power_cycle = client.get_pin_retries()
    except device_errors():  # the count is not worth losing the message
        return str(error) if error.status == "PIN_AUTH_BLOCKED" else f"{key}: wrong PIN"
    left = f"{tries} {'try is' if tries == 1 else 'tries are'} left"
    if error.status == "PIN_AUTH_BLOCKED" or needs_power_cycle:
        return f"{key}: wrong PIN too often; unplug it and plug it in again, then {left}"
    return f"{key}: wrong PIN; {left}"
