"""Which keys are there, and opening the one that a selector means."""

from collections.abc import Iterable
from contextlib import ExitStack

from tokenkit import virtual
from tokenkit.keys import hid, pcsc
from tokenkit.keys.errors import NoSuchKeyError, SelectorError, talking_to
from tokenkit.keys.found import FoundKey
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.recording import tapped
from tokenkit.keys.selector import Selector, parse_selector
from tokenkit.keys.state import key_in_file

_NOTHING = "no security key found; plug one in, or take a virtual one: virtual:reference"


def survey() -> tuple[list[FoundKey], list[str]]:
    """All keys that are plugged in, and notes on where could not be looked."""
    cards, note = pcsc.find()
    return hid.find() + cards, [note] if note else []


def discover() -> list[FoundKey]:
    """All keys that are plugged in, physical and virtual; those with a problem too."""
    return survey()[0]


def check_selector(text: str) -> Selector:
    """What ``text`` says, opening no key; SelectorError for a wrong form, profile or fault plan."""
    selector = parse_selector(text)
    if selector.scheme == "virtual":
        _profile(selector)
        _faults(selector)
    return selector


def open_key(selector: str | Selector = "auto", *, world: virtual.World | None = None) -> OpenKey:
    """Open the one key that ``selector`` means.

    A ``virtual:`` key lives in ``world``, or in one of its own with the system's clock; ``seed``
    in the selector replaces the world's; with ``state`` the key lives on in that file, which is
    locked until the key is closed; ``faults`` names a plan of what goes wrong. Raises
    SelectorError, NoSuchKeyError or UnreadableKeyError, each with what to do.
    """
    if isinstance(selector, str):
        selector = parse_selector(selector)
    if selector.scheme == "virtual":
        return _open_virtual(selector, world)
    if selector.scheme == "hid":
        return hid.open_path(selector.value)
    if selector.scheme == "pcsc":
        return pcsc.open_reader(selector.value)
    keys, notes = survey()
    return open_key(_choose(selector, keys, notes).selector)


def _open_virtual(selector: Selector, world: virtual.World | None) -> OpenKey:
    if world is None:
        world = virtual.World(selector.seed, clock=virtual.SystemClock())
    elif selector.seed is not None:
        world = virtual.World(selector.seed, clock=world.clock)
    key, state = virtual_key(selector, world)
    with ExitStack() as undo:
        if state is not None:
            undo.callback(state.close)
        with talking_to(str(selector)):
            device = virtual.connect(key, tapped)
        opened = OpenKey.of(device, str(selector), key.profile.product_name, key)
        undo.pop_all()
    opened.state = state
    return opened


def virtual_key(
    selector: Selector, world: virtual.World
) -> tuple[virtual.SecurityKey, virtual.SqliteFlash | None]:
    """The key that a ``virtual:`` selector means in ``world``, and the file it lives in, if any.

    The seed is the world's. Errors are those of :func:`open_key`; close the file after use.
    """
    profile, faults = _profile(selector), _faults(selector)
    if selector.state is None:
        return world.security_key(profile, faults=faults), None
    return key_in_file(selector.state, profile, world, faults)


def _profile(selector: Selector) -> virtual.Profile | None:
    """None if it is to be the state file's."""
    if not selector.value:
        return None
    try:
        return virtual.load_profile(selector.value)
    except ValueError as error:
        raise SelectorError(str(error)) from None


def _faults(selector: Selector) -> virtual.FaultPlan | None:
    if selector.faults is None:
        return None
    try:
        return virtual.load_plan(selector.faults)
    except ValueError as error:
        raise SelectorError(str(error)) from None


def _choose(selector: Selector, keys: list[FoundKey], notes: list[str]) -> FoundKey:
    if selector.scheme == "serial":
        fitting = [key for key in keys if key.serial_number == selector.value]
        if not fitting:
            raise NoSuchKeyError(_lines(f"no key has serial number {selector.value}", keys, notes))
    else:
        fitting = keys
    usable = [key for key in fitting if key.problem is None]
    if len(usable) == 1:
        return usable[0]
    if usable:
        raise NoSuchKeyError(_lines("several keys fit; choose by selector", usable, []))
    if fitting:
        raise NoSuchKeyError(_lines("no key can be opened", fitting, notes))
    raise NoSuchKeyError("; ".join([_NOTHING, *notes]))


def _lines(message: str, keys: Iterable[FoundKey], notes: Iterable[str]) -> str:
    listed = [*map(str, keys), *notes]
    return message + (":" if listed else "") + "".join(f"\n  {line}" for line in listed)
