"""The user's finger on the key: touches at once, later, never, by a script, or asks a person."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Placement(IntEnum):
    """How a finger lies on a fingerprint sensor, by CTAP's numbers (2.1 §6.7.3)."""

    GOOD = 0x00
    TOO_HIGH = 0x01
    TOO_LOW = 0x02
    TOO_LEFT = 0x03
    TOO_RIGHT = 0x04
    TOO_FAST = 0x05
    TOO_SLOW = 0x06
    POOR_QUALITY = 0x07
    TOO_SKEWED = 0x08
    TOO_SHORT = 0x09


@dataclass(frozen=True)
class Press:
    """One way to touch: ``after_s`` seconds after the request, for ``held_s`` seconds.

    ``finger`` is any name; a sensor knows a finger again by it. A finger that is ``held_s``
    seconds on the key for ``math.inf`` stays as long as the key wants.
    """

    after_s: float = 0.0
    held_s: float = math.inf
    finger: str = "right index"
    placement: Placement = Placement.GOOD

    def at(self, now_s: float) -> "Touch":
        """The touch that this is when it is asked for at true time ``now_s``."""
        return Touch(now_s + self.after_s, False, self)


@dataclass(eq=False)
class Touch:
    """The answer to one request for user presence.

    ``true_s`` is when the finger comes down: ``math.inf`` while none is in sight. Whoever holds
    the object may still change it, so that a person can touch later, until it is ``over``: the
    key has stopped waiting.
    """

    true_s: float = math.inf
    refused: bool = False
    press: Press = Press()
    over: bool = False


class Finger(Protocol):
    """Asked once for each request; ``reason`` is what the key's owner is told."""

    def requested(self, reason: str, now_s: float) -> Touch:
        """The key begins to blink at true time ``now_s``."""


class TouchAfter:
    """Touches ``delay_s`` seconds after each request: 0 at once, ``math.inf`` never."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s

    def requested(self, reason: str, now_s: float) -> Touch:
        return Press(self.delay_s).at(now_s)


def touch_at_once() -> TouchAfter:
    return TouchAfter(0.0)


def never_touch() -> TouchAfter:
    return TouchAfter(math.inf)


class RemoteFinger:
    """Waits for orders that come while the key blinks; ``on_request`` hears of each request.

    ``automatic`` touches at once, without orders.
    """

    def __init__(self, on_request: Callable[[str], None] | None = None) -> None:
        self.automatic = False
        self.on_request = on_request
        self._asked: tuple[str, Touch] | None = None

    def requested(self, reason: str, now_s: float) -> Touch:
        touch = Press().at(now_s) if self.automatic else Touch()
        self._asked = (reason, touch)
        if self.on_request is not None:
            self.on_request(reason)
        return touch

    @property
    def awaited(self) -> str | None:
        """What the key wants a touch for, None while it wants none, or has got it."""
        if self._asked is None:
            return None
        reason, touch = self._asked
        return None if touch.over or touch.true_s < math.inf else reason

    def press(self, press: Press, now_s: float) -> bool:
        """Touch now; False if the key wants no touch: then nothing happens."""
        return self._answer(press.at(now_s))

    def refuse(self, now_s: float) -> bool:
        """Tell the key no; False if it wants no touch."""
        return self._answer(Touch(now_s, refused=True))

    def _answer(self, answer: Touch) -> bool:
        if self.awaited is None:
            return False
        assert self._asked is not None
        touch = self._asked[1]
        touch.true_s, touch.refused, touch.press = answer.true_s, answer.refused, answer.press
        return True


class ScriptedFinger:
    """Answers request by request from a script: a press, its delay alone, or None to refuse.

    When the script has ended, nobody touches.
    """

    def __init__(self, script: Iterable[Press | float | None]) -> None:
        self._script = iter(script)

    def requested(self, reason: str, now_s: float) -> Touch:
        answer = next(self._script, math.inf)
        if answer is None:
            return Touch(now_s, refused=True)
        press = answer if isinstance(answer, Press) else Press(answer)
        return press.at(now_s)


class TerminalFinger:
    """Asks a person: Enter touches, anything that starts with "n" refuses, end of input never."""

    def __init__(self, ask: Callable[[str], str] = input) -> None:
        self._ask = ask

    def requested(self, reason: str, now_s: float) -> Touch:
        try:
            answer = self._ask(f"Touch the key to {reason} [Enter to touch, n to refuse]: ")
        except EOFError:
            return Touch()
        return Touch(now_s, refused=answer.strip().lower().startswith("n"))
