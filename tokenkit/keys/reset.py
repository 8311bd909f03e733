"""authenticatorReset (CTAP 2.1 §6.6): everything on a key erased, soon after plugging it in."""

import time
from collections.abc import Callable
from typing import TypeVar

from fido2.hid import CtapHidDevice

from tokenkit import virtual
from tokenkit.errors import TokenkitError
from tokenkit.keys.answers import Tell, asking, on_touch, silent
from tokenkit.keys.discovery import discover, open_key
from tokenkit.keys.errors import UnsupportedError
from tokenkit.keys.found import FoundKey
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.recording import tapped

Seen = TypeVar("Seen")

_POLL_S = 0.25
_PATIENCE_S = 120.0
_TOO_LATE = (
    "erases itself only in the first 10 s after it was plugged in, and nothing was erased:"
    " try again, and touch it sooner"
)
_UNTOUCHED = "nobody touched it in time, and nothing was erased: try again"
_REFUSED = "said no, and nothing was erased: it was not touched as it wants, or forbids a reset"


def reset(key: OpenKey, tell: Tell = silent, sleep: Callable[[float], None] = time.sleep) -> None:
    """Erase all credentials, the PIN, large blobs, fingerprints and settings of ``key``.

    A physical key must be unplugged and plugged in again: ``tell`` is told so, and when to touch;
    TokenkitError if that is not done within two minutes, or another key comes. A virtual one is
    power-cycled. ``key`` is the new connection then, perhaps under another selector.
    """
    info = key.ctap2().info
    on_usb = isinstance(key.device, CtapHidDevice)
    here = {"usb"} if on_usb else {"nfc", "smart-card"}  # PC/SC does not say which
    if info.transports_for_reset and not here & set(info.transports_for_reset):
        ways, way = ", ".join(info.transports_for_reset), "USB" if on_usb else "PC/SC"
        raise UnsupportedError(f"{key}: can be reset over {ways} only, not over {way}")
    touch = "touch it for long" if info.long_touch_for_reset else "touch it"
    mends = {
        "NOT_ALLOWED": _TOO_LATE,
        "USER_ACTION_TIMEOUT": _UNTOUCHED,
        "ACTION_TIMEOUT": _UNTOUCHED,
        "OPERATION_DENIED": _REFUSED,
    }
    _replug(key, tell, touch, sleep)
    with asking(key, **mends):
        key.ctap2().reset(on_keepalive=on_touch(tell, f"{touch} now: that erases everything"))


def _replug(key: OpenKey, tell: Tell, touch: str, sleep: Callable[[float], None]) -> None:
    """Give the key fresh power, and open it again."""
    if key.security_key is not None:
        key.device.close()
        key.security_key.power_cycle()
        key.device = virtual.connect(key.security_key, tapped)
        return
    key.close()
    others = {each.selector for each in discover()} - {key.selector}
    if isinstance(key.device, CtapHidDevice):
        tell(f"unplug it, plug it in again, and {touch} when it blinks: {key}")
        gone, back = "was not unplugged", "was not plugged in again"
    else:
        tell(f"take it off the reader, lay it on again, and {touch} if it blinks: {key}")
        gone, back = "was not taken off the reader", "was not laid on it again"
    _wait(lambda: _is_gone(key), f"{key}: {gone}", sleep)
    come = _wait(lambda: _newcomer(others), f"{key}: {back}", sleep)
    if (come.name, come.serial_number) != (key.name, key.serial_number):
        raise TokenkitError(f"{come} is not the key that was unplugged: nothing was erased")
    fresh = open_key(come.selector)
    key.device, key.selector, key.closed = fresh.device, fresh.selector, False


def _is_gone(key: OpenKey) -> bool:
    return key.selector not in {each.selector for each in discover()}


def _newcomer(others: set[str]) -> FoundKey | None:
    """A key besides ``others`` that can be opened: udev may take a moment to allow it."""
    new = (each for each in discover() if each.selector not in others and each.problem is None)
    return next(new, None)


def _wait(look: Callable[[], Seen | None], missed: str, sleep: Callable[[float], None]) -> Seen:
    """What ``look`` sees, as soon as it sees anything."""
    for _ in range(int(_PATIENCE_S / _POLL_S)):
        if seen := look():
            return seen
        sleep(_POLL_S)
    raise TokenkitError(f"{missed} within {_PATIENCE_S:.0f} s: nothing was erased")
