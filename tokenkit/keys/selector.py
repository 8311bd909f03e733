"""The one grammar that says which key: ``auto``, ``hid:``, ``pcsc:``, ``serial:``, ``virtual:``."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenkit.keys.errors import SelectorError

# scheme: what comes after the colon, as an example
SCHEMES = {
    "auto": "",
    "hid": "/dev/hidraw3",
    "pcsc": "READER",
    "serial": "NUMBER",
    "virtual": "PROFILE?seed=1",
}
# what may follow a profile
PARAMETERS = {"seed": "VALUE", "state": "FILE", "faults": "FILE"}


@dataclass(frozen=True)
class Selector:
    """A parsed selector.

    ``value`` is the path, reader, serial number or profile, empty for ``auto`` and where the
    profile is that of the state file. ``parameters`` belong to ``virtual`` alone; their order
    makes no other key.
    """

    scheme: str
    value: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def seed(self) -> str | None:
        """None means the randomness of the operating system, or of the world."""
        return self.parameters.get("seed")

    @property
    def state(self) -> str | None:
        """The file in which the key lives on; None means in memory."""
        return self.parameters.get("state")

    @property
    def faults(self) -> str | None:
        """The file with the plan of what goes wrong; None means nothing does."""
        return self.parameters.get("faults")

    def __str__(self) -> str:
        if self.scheme == "auto":
            return "auto"
        query = "&".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.scheme}:{self.value}{'?' * bool(query)}{query}"


def parse_selector(text: str) -> Selector:
    """Parse ``text``; :class:`SelectorError` says what is wrong and how to write it."""
    scheme, colon, value = text.partition(":")
    if text == "auto":
        return Selector("auto")
    if not colon or scheme not in SCHEMES:
        raise SelectorError(f"{text!r} selects no key: {_suggestion(text, scheme, colon)}")
    if scheme == "auto":
        raise SelectorError(f"{text!r} selects no key: write auto alone")
    parameters: dict[str, str] = {}
    if scheme == "virtual":
        value, question, query = value.partition("?")
        parameters = _parameters(text, query) if question else {}
    if not value and "state" not in parameters:
        raise SelectorError(f"{text!r} selects no key: write {scheme}:{SCHEMES[scheme]}")
    return Selector(scheme, value, parameters)


def _parameters(text: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in found and name in PARAMETERS:
            raise SelectorError(f"{text!r}: {name} is there twice")
        if name not in PARAMETERS or not value:
            raise SelectorError(f"{text!r}: {_parameter_advice(part, found)}")
        found[name] = value
    return found


def _parameter_advice(part: str, found: Mapping[str, str]) -> str:
    files = [name for name in found if PARAMETERS[name] == "FILE"]
    if files and part.partition("=")[0] not in PARAMETERS:
        return f"{f'&{part}'!r} is no parameter, and the name of a {files[-1]} file cannot hold &"
    forms = [f"{name}={example}" for name, example in PARAMETERS.items()]
    listed = f"{', '.join(forms[:-1])} and {forms[-1]}"
    return f"only ?{listed}, with & between, may follow the profile, not {part!r}"


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
