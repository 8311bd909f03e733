"""Driver layer: find, choose, open, inspect and test a security key, real or virtual."""

from tokenkit.keys.discovery import check_selector, discover, open_key, survey
from tokenkit.keys.errors import (
    EchoError,
    NoSuchKeyError,
    RefusedError,
    SelectorError,
    UnreadableKeyError,
    UnsupportedError,
)
from tokenkit.keys.found import FoundKey
from tokenkit.keys.guard import confirm_destructive
from tokenkit.keys.info import read_info
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.ping import PingResult, ping, wink
from tokenkit.keys.selector import Selector, parse_selector

__all__ = [
    "EchoError",
    "FoundKey",
    "NoSuchKeyError",
    "OpenKey",
    "PingResult",
    "RefusedError",
    "Selector",
    "SelectorError",
    "UnreadableKeyError",
    "UnsupportedError",
    "check_selector",
    "confirm_destructive",
    "discover",
    "open_key",
    "parse_selector",
    "ping",
    "read_info",
    "survey",
    "wink",
]
