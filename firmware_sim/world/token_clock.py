"""The clock inside a token: its crystal's count, and what happens to it."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter

from firmware_sim.world.oscillator import Oscillator


@dataclass(frozen=True)
class BatteryChange:
    """The clock stops at true time ``at_s`` and goes on from there ``outage_s`` later."""

    at_s: float
    outage_s: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.outage_s < math.inf:
            raise ValueError(f"an outage lasts 0 s or more, not {self.outage_s}")


@dataclass(frozen=True)
class Step:
    """The clock jumps by ``by_s`` seconds (+ is ahead) at true time ``at_s``."""

    at_s: float
    by_s: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.by_s):
            raise ValueError(f"a step must be finite, not {self.by_s}")


@dataclass(frozen=True)
class Stuck:
    """The clock stands from true time ``at_s`` on, until ``until_s`` if that is given."""

    at_s: float
    until_s: float | None = None

    def __post_init__(self) -> None:
        if self.until_s is not None and not self.until_s >= self.at_s:
            raise ValueError(f"a clock stuck from {self.at_s} on cannot end at {self.until_s}")


@dataclass(frozen=True)
class RateChange:
    """From true time ``at_s`` on the clock gains ``by_ppm`` more than its crystal would have it."""

    at_s: float
    by_ppm: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.by_ppm):
            raise ValueError(f"a change of rate must be finite, not {self.by_ppm}")


ClockEvent = BatteryChange | Step | Stuck | RateChange

_start_s = attrgetter("start_s")


@dataclass(frozen=True)
class _Stretch:
    """From ``start_s`` on the clock runs or stands; ``error_s`` is its error at that moment.

    While it runs, ``crystal_s`` is the crystal's error at that moment, and it gains ``ppm`` more.
    """

    start_s: float
    error_s: float
    crystal_s: float
    runs: bool
    ppm: float = 0.0


class TokenClock:
    """Token time, a pure function of true time given the crystal and the events.

    At ``oscillator.born_s`` the clock was set with an error of ``set_error_s`` (+ is ahead).
    Times before that are a ValueError.
    """

    def __init__(self, oscillator: Oscillator, set_error_s: float = 0.0) -> None:
        if not math.isfinite(set_error_s):
            raise ValueError(f"the setting error must be finite, not {set_error_s}")
        self.oscillator = oscillator
        self._set_error_s = set_error_s
        self._events: list[ClockEvent] = []
        self._revision = -1
        self._stretches: list[_Stretch] = []

    @property
    def events(self) -> tuple[ClockEvent, ...]:
        """What happened to the clock, oldest first."""
        return tuple(self._events)

    def add(self, event: ClockEvent) -> None:
        """Let ``event`` happen; ValueError if it begins before the last one has ended.

        A clock that is stuck for good may be stepped, and a battery change sets it going again.
        """
        stretches = self._current()
        last_s = stretches[-1].start_s
        if not last_s <= event.at_s < math.inf:
            raise ValueError(
                f"an event at {event.at_s} is not possible: what came before it, the setting of"
                f" the clock or another event, lasts until {last_s}"
            )
        self._stretches = stretches + self._after(stretches[-1], event)
        self._events.append(event)

    def read(self, true_s: float) -> float:
        """Token time at ``true_s``, in seconds since the Unix epoch as the token believes."""
        stretch = self._stretch_at(true_s)
        if not stretch.runs:
            return stretch.start_s + stretch.error_s
        return true_s + self._error_s(stretch, true_s)

    def error_s(self, true_s: float) -> float:
        """Token time less true time, finer than the difference of two large floats."""
        return self._error_s(self._stretch_at(true_s), true_s)

    def _error_s(self, stretch: _Stretch, true_s: float) -> float:
        if not stretch.runs:
            return stretch.error_s - (true_s - stretch.start_s)
        crystal_s = self.oscillator.error_s(true_s) - stretch.crystal_s
        return stretch.error_s + (crystal_s + 1e-6 * stretch.ppm * (true_s - stretch.start_s))

    def _stretch_at(self, true_s: float) -> _Stretch:
        stretches = self._current()
        if not stretches[0].start_s <= true_s < math.inf:  # also refuses NaN
            raise ValueError(f"this clock was set at {stretches[0].start_s}, after {true_s}")
        return stretches[bisect_right(stretches, true_s, key=_start_s) - 1]

    def _current(self) -> list[_Stretch]:
        """The stretches, made anew if the temperature at some time has changed since."""
        revision = self.oscillator.environment.revision
        if revision != self._revision:
            stretches = [_Stretch(self.oscillator.born_s, self._set_error_s, 0.0, True)]
            for event in self._events:
                stretches += self._after(stretches[-1], event)
            self._stretches = stretches
            self._revision = revision
        return self._stretches

    def _after(self, last: _Stretch, event: ClockEvent) -> list[_Stretch]:
        """The stretches that ``event`` makes of the time after it."""
        crystal_s = self.oscillator.error_s
        at_s, error_s = event.at_s, self._error_s(last, event.at_s)
        if isinstance(event, Step):
            return [_Stretch(at_s, error_s + event.by_s, crystal_s(at_s), last.runs, last.ppm)]
        if isinstance(event, RateChange):
            ppm = last.ppm + event.by_ppm
            return [_Stretch(at_s, error_s, crystal_s(at_s), last.runs, ppm)]
        until_s = event.until_s if isinstance(event, Stuck) else at_s + event.outage_s
        made = [_Stretch(at_s, error_s, 0.0, False, last.ppm)]
        if until_s is not None and until_s < math.inf:
            error_s -= until_s - at_s
            made.append(_Stretch(until_s, error_s, crystal_s(until_s), True, last.ppm))
        return made
