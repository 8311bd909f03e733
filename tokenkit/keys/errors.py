"""What can go wrong between a user and a security key."""

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fido2.ctap import CtapError
from fido2.hid import ConnectionFailure

from tokenkit.errors import TokenkitError

PERMISSION_HINT = (
    "you may not open it: install the rule udev/70-tokenkit-fido.rules, then replug the key"
)


class SelectorError(TokenkitError):
    """A selector that does not follow the grammar, or names an unknown profile."""


class NoSuchKeyError(TokenkitError):
    """No key fits the selector, or more than one does."""


class UnreadableKeyError(TokenkitError):
    """A key that is there but cannot be opened, or does not answer as CTAP says."""


class UnsupportedError(TokenkitError):
    """Something this key, or the way it is attached, does not offer."""


class EchoError(TokenkitError):
    """CTAPHID_PING came back changed."""


class RefusedError(TokenkitError):
    """The guard said no; nothing was done to the key."""


class DeniedError(TokenkitError):
    """The key answered with a status that says no; ``status`` is its name, such as NOT_ALLOWED."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class WrongPinError(DeniedError):
    """It was not the key's PIN, or no PIN is taken any more; the message says how many tries."""


class PinError(TokenkitError):
    """A PIN that no key, or not this one, would take; nothing was sent."""


class NoSuchItemError(TokenkitError):
    """No credential or fingerprint on the key fits, or more than one does."""


def gone_errors() -> tuple[type[Exception], ...]:
    """What python-fido2 and pyscard raise when a key is gone or out of reach."""
    if "smartcard" not in sys.modules:
        return (OSError,)
    from smartcard.Exceptions import SmartcardException
    from smartcard.pcsc.PCSCExceptions import BaseSCardException

    return OSError, SmartcardException, BaseSCardException


def device_errors() -> tuple[type[Exception], ...]:
    """:func:`gone_errors`, and what is raised when a key talks nonsense.

    The built-in ones come from parsing: a getInfo without ``versions`` is a TypeError, an empty
    response an IndexError.
    """
    parsing = (struct.error, ValueError, TypeError, KeyError, IndexError)
    return (*gone_errors(), CtapError, ConnectionFailure, *parsing)


def describe(error: Exception) -> str:
    """One line on why a key could not be read."""
    if isinstance(error, PermissionError):
        return PERMISSION_HINT
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = printable(str(error).partition("\n")[0]) or type(error).__name__
    if isinstance(error, ValueError | TypeError | KeyError | IndexError | struct.error):
        return f"its answer is not as CTAP says: {text}"
    return text


@contextmanager
def talking_to(selector: str) -> Iterator[None]:
    """Turn :func:`device_errors` into an :class:`UnreadableKeyError` that names the key."""
    try:
        yield
    except device_errors() as error:
        raise UnreadableKeyError(f"{selector}: {describe(error)}") from error


def printable(text: str) -> str:
    """``text`` from a device without what could drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
