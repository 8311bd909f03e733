"""Driver layer: find, choose, open, inspect and test a security key, real or virtual.

What changes a key has a module each: ``pin``, ``credentials``, ``blobs``, ``config``,
``fingerprints``, ``reset``, ``attestation``. ``trace`` reads what ``record`` wrote.
"""

from tokenkit.keys.discovery import check_selector, discover, open_key, survey
from tokenkit.keys.errors import (
    DeniedError,
    EchoError,
    NoSuchItemError,
    NoSuchKeyError,
    PinError,
    RefusedError,
    SelectorError,
    UnreadableKeyError,
    UnsupportedError,
    WrongPinError,
)
from tokenkit.keys.found import FoundKey
from tokenkit.keys.guard import confirm_destructive
from tokenkit.keys.info import read_info
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.ping import PingResult, ping, wink
from tokenkit.keys.recording import record
from tokenkit.keys.selector import Selector, parse_selector

__all__ = [
    "DeniedError",
    "EchoError",
    "FoundKey",
    "NoSuchItemError",
    "NoSuchKeyError",
    "OpenKey",
    "PinError",
    "PingResult",
    "RefusedError",
    "Selector",
    "SelectorError",
    "UnreadableKeyError",
    "UnsupportedError",
    "WrongPinError",
    "check_selector",
    "confirm_destructive",
    "discover",
    "open_key",
    "parse_selector",
    "ping",
    "read_info",
    "record",
    "survey",
    "wink",
]
