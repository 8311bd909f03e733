"""The user's finger on the key: touches at once, later, never, by a script, or asks a person."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(eq=False)
class Touch:
    """The answer to one request for user presence.

    ``true_s`` is when the finger comes down: ``math.inf`` while none is in sight. Whoever holds
    the object may still change it, so that a person or another thread can touch later.
    """

    true_s: float = math.inf
    refused: bool = False


class Finger(Protocol):
    """Asked once for each request; ``reason`` is what the key's owner is told."""

    def requested(self, reason: str, now_s: float) -> Touch:
        """The key begins to blink at true time ``now_s``."""


class TouchAfter:
    """Touches ``delay_s`` seconds after each request: 0 at once, ``math.inf`` never."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s

    def requested(self, reason: str, now_s: float) -> Touch:
        return Touch(now_s + self.delay_s)


def touch_at_once() -> TouchAfter:
    return TouchAfter(0.0)


def never_touch() -> TouchAfter:
    return TouchAfter(math.inf)


class ScriptedFinger:
    """Answers request by request from a script: a delay in seconds, or None to refuse.

    When the script has ended, nobody touches.
    """

    def __init__(self, script: Iterable[float | None]) -> None:
        self._script = iter(script)

    def requested(self, reason: str, now_s: float) -> Touch:
        answer = next(self._script, math.inf)
        if answer is None:
            return Touch(now_s, refused=True)
        return Touch(now_s + answer)


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
