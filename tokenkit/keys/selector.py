"""The one grammar that says which key: ``auto``, ``hid:``, ``pcsc:``, ``serial:``, ``virtual:``."""

import difflib
from dataclasses import dataclass

from tokenkit.keys.errors import SelectorError

# scheme: what comes after the colon, as an example
SCHEMES = {
    "auto": "",
    "hid": "/dev/hidraw3",
    "pcsc": "READER",
    "serial": "NUMBER",
    "virtual": "PROFILE?seed=1",
}


@dataclass(frozen=True)
class Selector:
    """A parsed selector.

    ``value`` is the path, reader, serial number or profile, empty for ``auto``; ``seed`` belongs
    to ``virtual`` alone, None means that of the operating system.
    """

    scheme: str
    value: str = ""
    seed: str | None = None

    def __str__(self) -> str:
        if self.scheme == "auto":
            return "auto"
        seed = "" if self.seed is None else f"?seed={self.seed}"
        return f"{self.scheme}:{self.value}{seed}"


def parse_selector(text: str) -> Selector:
    """Parse ``text``; :class:`SelectorError` says what is wrong and how to write it."""
    scheme, colon, value = text.partition(":")
    if text == "auto":
        return Selector("auto")
    if not colon or scheme not in SCHEMES:
        raise SelectorError(f"{text!r} selects no key: {_suggestion(text, scheme, colon)}")
    if scheme == "auto":
        raise SelectorError(f"{text!r} selects no key: write auto alone")
    seed = None
    if scheme == "virtual":
        value, question, query = value.partition("?")
        seed = _seed(text, query) if question else None
    if not value:
        raise SelectorError(f"{text!r} selects no key: write {scheme}:{SCHEMES[scheme]}")
    return Selector(scheme, value, seed)


def _seed(text: str, query: str) -> str:
    name, _, seed = query.partition("=")
    if name != "seed" or not seed or "&" in seed:
        raise SelectorError(f"{text!r}: only ?seed=VALUE may follow the profile, not ?{query}")
    return seed


def _suggestion(text: str, scheme: str, colon: str) -> str:
    if text.startswith("/dev/"):
        return f"did you mean hid:{text}?"
    if text.isdecimal():
        return f"did you mean serial:{text}?"
    close = difflib.get_close_matches(scheme, SCHEMES, 1)
    if close:
        rest = text[len(scheme) :] or (f":{SCHEMES[close[0]]}" if SCHEMES[close[0]] else "")
        return f"did you mean {close[0]}{rest if close[0] != 'auto' else ''}?"
    forms = [f"{name}:{example}" if example else name for name, example in SCHEMES.items()]
    return f"write one of {', '.join(forms)}"
