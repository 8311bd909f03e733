"""True time: the system's, or a simulated one that only moves when told."""

import heapq
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

# 2026-01-01T00:00:15Z: not at the edge of a TOTP time step, where a microsecond's drift decides
START_S = 1_767_225_615.0


class Clock(Protocol):
    """True time in seconds since the Unix epoch, UTC."""

    def now(self) -> float:
        """The true time now."""

    def wait_until(self, true_s: float) -> None:
        """Return at or after ``true_s``; at once if that is past."""


class SystemClock:
    """The computer's clock; waiting sleeps."""

    def now(self) -> float:
        return time.time()

    def wait_until(self, true_s: float) -> None:
        while (left_s := true_s - time.time()) > 0:
            time.sleep(left_s)


class AdvancedClock:
    """The computer's clock, ahead of it by as much as it was advanced.

    It runs on by itself, and never goes back (``ValueError``).
    """

    def __init__(self, computer: Clock | None = None) -> None:
        self._computer = SystemClock() if computer is None else computer
        self._ahead_s = 0.0

    def now(self) -> float:
        return self._computer.now() + self._ahead_s

    def set(self, true_s: float) -> None:
        """Move to ``true_s``."""
        self.advance(_finite(true_s) - self.now())

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``."""
        if _finite(seconds) < 0:
            raise ValueError(f"true time cannot go back by {-seconds} s")
        self._ahead_s += seconds

    def wait_until(self, true_s: float) -> None:
        self._computer.wait_until(true_s - self._ahead_s)


@dataclass(eq=False)
class Waiter:
    """A call that a simulated clock makes when its time comes."""

    true_s: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class SimulatedClock:
    """A clock that stands still until ``set``, ``advance`` or ``wait_until`` moves it.

    True time never goes back (``ValueError``): a clock that does is an error *of a clock*, see
    ``firmware_sim.world.token_clock``. Waiters are called in the order of their times, those of
    one time in the order they came, each with ``now()`` at its own time.
    """

    def __init__(self, start_s: float = START_S) -> None:
        self._now_s = _finite(start_s)
        self._waiters: list[tuple[float, int, Waiter]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now_s

    def call_at(self, true_s: float, callback: Callable[[], None]) -> Waiter:
        """Call ``callback`` when time reaches ``true_s``; a past time means the next movement."""
        waiter = Waiter(_finite(true_s), callback)
        heapq.heappush(self._waiters, (waiter.true_s, next(self._order), waiter))
        return waiter

    def set(self, true_s: float) -> None:
        """Move to ``true_s``, waking waiters on the way."""
        target_s = _finite(true_s)
        if target_s < self._now_s:
            raise ValueError(f"true time cannot go back from {self._now_s} to {target_s}")
        while self._waiters and self._waiters[0][0] <= target_s:
            when_s, _, waiter = heapq.heappop(self._waiters)
            if not waiter.cancelled:
                self._now_s = max(self._now_s, when_s)
                waiter.callback()
        # a waiter may itself have moved the clock further
        self._now_s = max(self._now_s, target_s)

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``."""
        self.set(self._now_s + seconds)

    def wait_until(self, true_s: float) -> None:
        if _finite(true_s) > self._now_s:
            self.set(true_s)


def _finite(true_s: float) -> float:
    if not math.isfinite(true_s):
        raise ValueError(f"a time must be finite, not {true_s}")
    return float(true_s)
