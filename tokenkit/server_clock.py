"""The verifier's own clock: server time as a pure function of true time, piecewise linear.

True time runs on evenly: where UTC inserts a leap second, a server that follows it is one second
behind from then on. An error is server time less true time, in seconds: + is ahead.
"""

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from tokenkit.errors import TokenkitError

ADJTIME_PPM = 500.0  # as fast as adjtime and ntpd slew: RFC 5905 appendix A, MAXFREQ
_FASTEST_PPM = 100_000.0  # chrony's default maxslewrate is 83,333 ppm
_SMEAR_S = 86_401.0  # noon to noon, UTC, around a leap second
_HASH = float(2**64)


class ServerClockError(TokenkitError):
    """A server clock that cannot be; ``event`` is the index of the event that is to blame."""

    def __init__(self, message: str, event: int | None = None) -> None:
        super().__init__(message)
        self.event = event


def _check_finite(values: dict[str, float]) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise ServerClockError(f"{name} must be finite, not {value}")


class Piece(NamedTuple):
    """From true time ``true_s`` on the server shows server_s + (t - true_s) * rate."""

    true_s: float
    server_s: float
    rate: float


@dataclass(frozen=True)
class FreeRunning:
    """A clock that nothing corrects; as it stands, perfect.

    It is ``offset_s`` ahead at ``since_s``, and gains ``rate_ppm`` microseconds a second.
    """

    rate_ppm: float = 0.0
    offset_s: float = 0.0
    since_s: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(vars(self))
        if abs(self.rate_ppm) > _FASTEST_PPM:
            raise ServerClockError(
                f"a clock gains or loses at most {_FASTEST_PPM:.0f} ppm, not {self.rate_ppm}"
            )

    def error_s(self, true_s: float) -> float:
        return self.offset_s + 1e-6 * self.rate_ppm * (true_s - self.since_s)

    def rate(self, true_s: float) -> float:
        """The slope of ``error_s`` at ``true_s``, in seconds a second."""
        return 1e-6 * self.rate_ppm

    def knots(self, from_s: float, until_s: float) -> Iterator[float]:
        """Where the slope changes between ``from_s`` and ``until_s``."""
        return iter(())


@dataclass(frozen=True)
class Ntp:
    """A clock that NTP disciplines: its error wanders within ``residual_s`` of nothing.

    At each poll, every ``poll_s``, the error is anywhere in there, by a hash under ``key`` (1 to
    64 bytes), and it goes straight from one to the next. That the errors at two polls have nothing
    to do with each other is an assumption; milliseconds are usual over the Internet, and
    1,024 s is the longest poll by default (RFC 5905 section 7.2 lists 16 s to 36 h).
    """

    key: bytes = field(repr=False)
    residual_s: float = 0.005
    poll_s: float = 1024.0

    def __post_init__(self) -> None:
        _check_finite({"residual_s": self.residual_s, "poll_s": self.poll_s})
        if not 1 <= len(self.key) <= 64:
            raise ServerClockError(f"the key has 1 to 64 bytes, not {len(self.key)}")
        if not 1.0 <= self.poll_s <= 2.0**17:
            raise ServerClockError(f"NTP polls every 1 to {2**17} s, not every {self.poll_s} s")
        if not 0.0 <= self.residual_s <= 0.5e-6 * ADJTIME_PPM * self.poll_s:
            raise ServerClockError(
                f"the residual is from 0 s to {0.5e-6 * ADJTIME_PPM * self.poll_s} s, not"
                f" {self.residual_s} s: between two polls NTP moves a clock by at most"
                f" {ADJTIME_PPM:.0f} ppm"
            )

    def error_s(self, true_s: float) -> float:
        poll = math.floor(true_s / self.poll_s)
        start_s, end_s = self._at_poll(poll), self._at_poll(poll + 1)
        return start_s + (true_s / self.poll_s - poll) * (end_s - start_s)

    def rate(self, true_s: float) -> float:
        """The slope of ``error_s`` at ``true_s``, in seconds a second."""
        poll = math.floor(true_s / self.poll_s)
        return (self._at_poll(poll + 1) - self._at_poll(poll)) / self.poll_s

    def knots(self, from_s: float, until_s: float) -> Iterator[float]:
        """Where the slope changes between ``from_s`` and ``until_s``: at the polls."""
        first, last = math.floor(from_s / self.poll_s), math.ceil(until_s / self.poll_s)
        knots = (poll * self.poll_s for poll in range(first, last + 1))
        return (true_s for true_s in knots if from_s < true_s < until_s)

    def _at_poll(self, poll: int) -> float:
        return self.residual_s * _drawn(self.key, poll)


@lru_cache(maxsize=8)  # going along a clock asks for each a few times
def _drawn(key: bytes, number: int) -> float:
    """From -1 to 1."""
    counted = number.to_bytes(16, "little", signed=True)
    drawn = hashlib.blake2b(counted, key=key, digest_size=8, person=b"server clock").digest()
    return 2.0 * int.from_bytes(drawn, "little") / _HASH - 1.0


Base = FreeRunning | Ntp


@dataclass(frozen=True)
class Step:
    """The clock is set wrong by ``by_s`` at ``at_s``; ``mended_after_s`` later it is set back."""

    at_s: float
    by_s: float
    mended_after_s: float | None = None


@dataclass(frozen=True)
class Slew:
    """From ``at_s`` on the clock runs ``rate_ppm`` fast or slow until it has moved by ``by_s``."""

    at_s: float
    by_s: float
    rate_ppm: float = ADJTIME_PPM


@dataclass(frozen=True)
class LeapSecond:
    """A second is inserted into UTC before ``at_s``'s moment, a midnight, comes a second time.

    The clock steps back by a second there, as POSIX has it (23:59:59 twice), or is ``smeared``:
    it loses the second evenly from the noon before to the noon after, as Google's and AWS's do.
    """

    at_s: float
    smeared: bool = False


@dataclass(frozen=True)
class Pause:
    """A virtual machine stands still from ``at_s`` on, for ``for_s``.

    On resuming it ``catches_up`` at once, or goes on from where it stood; NTP then sets it right
    ``mended_after_s`` later, or never.
    """

    at_s: float
    for_s: float
    catches_up: bool = True
    mended_after_s: float | None = None


@dataclass(frozen=True)
class Restore:
    """A virtual machine is put back at ``at_s`` to a snapshot from true time ``taken_s``.

    Its clock goes on from what it showed then; NTP sets it right ``mended_after_s`` later, or
    never.
    """

    at_s: float
    taken_s: float
    mended_after_s: float | None = None


Event = Step | Slew | LeapSecond | Pause | Restore


@dataclass(frozen=True)
class _Stretch:
    """From ``true_s`` on events make an error of ``error_s``, which grows by ``slope`` a second.

    While the clock stands at ``stands_at_s``, neither counts.
    """

    true_s: float
    error_s: float
    slope: float = 0.0
    stands_at_s: float | None = None


@dataclass(frozen=True)
class ServerClock:
    """``base``, and what ``events`` make of it, in the order of their times.

    ServerClockError if an event begins while another one lasts, or cannot be. At the time of a
    jump the clock shows already what it jumps to.
    """

    base: Base = FreeRunning()
    events: tuple[Event, ...] = ()
    _stretches: tuple[_Stretch, ...] = field(init=False, repr=False, compare=False)
    _starts_s: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        order = sorted(range(len(self.events)), key=lambda index: self.events[index].at_s)
        stretches, over_s = [_Stretch(0.0, 0.0)], -math.inf
        starts_s = [-math.inf]
        for index in order:
            try:
                made, end_s = _stretches(self.base, self.events[index], stretches, starts_s)
            except ServerClockError as error:
                raise ServerClockError(str(error), index) from None
            if made[0].true_s < over_s:
                raise ServerClockError(
                    "what happened to the clock before is not over yet: that takes"
                    f" {over_s - made[0].true_s:g} s more",
                    index,
                )
            stretches += made
            starts_s += [stretch.true_s for stretch in made]
            over_s = end_s
        object.__setattr__(self, "_stretches", tuple(stretches))
        object.__setattr__(self, "_starts_s", tuple(starts_s))

    def with_event(self, event: Event) -> "ServerClock":
        """The same clock, to which ``event`` happens, too."""
        return ServerClock(self.base, (*self.events, event))

    def read(self, true_s: float) -> float:
        """Server time at ``true_s``, in seconds since the Unix epoch."""
        stretch = self._at(true_s)
        if stretch.stands_at_s is not None:
            return stretch.stands_at_s
        return true_s + _error_s(self.base, stretch, true_s)

    def error_s(self, true_s: float) -> float:
        """Server time less true time, finer than the difference of two large floats."""
        return _error_s(self.base, self._at(true_s), true_s)

    def pieces(self, from_s: float, until_s: float) -> list[Piece]:
        """The clock from ``from_s``, where the first piece begins, to ``until_s``."""
        if not -math.inf < from_s < until_s < math.inf:
            raise ValueError(f"pieces are from a time to a later one, not {from_s} to {until_s}")
        stands = [(s.true_s, e) for s, e in self._standing()]
        cuts_s = {from_s, *(at_s for at_s in self._starts_s if from_s < at_s < until_s)}
        cuts_s |= {
            at_s
            for at_s in self.base.knots(from_s, until_s)
            if not any(start_s < at_s < end_s for start_s, end_s in stands)
        }
        starts_s = sorted(cuts_s)
        # a slope is looked up amid its piece, where no rounding can take it for the one before
        middles_s = ((a + b) / 2.0 for a, b in zip(starts_s, [*starts_s[1:], until_s], strict=True))
        return [
            Piece(start_s, self.read(start_s), self._rate(middle_s))
            for start_s, middle_s in zip(starts_s, middles_s, strict=True)
        ]

    def curve(self, from_s: float, until_s: float, samples: int) -> list[tuple[float, float]]:
        """(true time, error) at so many times and at all events: before and after a jump."""
        step_s = (until_s - from_s) / samples
        times_s = {from_s + number * step_s for number in range(samples)} | {until_s}
        times_s |= {at_s for at_s in self._starts_s if from_s < at_s < until_s}
        points = []
        for at_s in sorted(times_s):
            before = self._stretches[max(bisect_left(self._starts_s, at_s) - 1, 0)]
            jumps_from_s, error_s = _error_s(self.base, before, at_s), self.error_s(at_s)
            if jumps_from_s != error_s and at_s > from_s:
                points.append((at_s, jumps_from_s))
            points.append((at_s, error_s))
        return points

    def _standing(self) -> Iterator[tuple[_Stretch, float]]:
        """The stretches in which the clock stands, each with its end."""
        for number, stretch in enumerate(self._stretches):
            if stretch.stands_at_s is not None:
                yield stretch, self._starts_s[number + 1]

    def _at(self, true_s: float) -> _Stretch:
        if not math.isfinite(true_s):
            raise ValueError(f"a time must be finite, not {true_s}")
        return self._stretches[bisect_right(self._starts_s, true_s) - 1]

    def _rate(self, true_s: float) -> float:
        stretch = self._at(true_s)
        if stretch.stands_at_s is not None:
            return 0.0
        return 1.0 + (self.base.rate(true_s) + stretch.slope)


def _error_s(base: Base, stretch: _Stretch, true_s: float) -> float:
    if stretch.stands_at_s is not None:
        return stretch.stands_at_s - true_s
    return base.error_s(true_s) + stretch.error_s + stretch.slope * (true_s - stretch.true_s)


def _stretches(
    base: Base, event: Event, before: list[_Stretch], starts_s: list[float]
) -> tuple[list[_Stretch], float]:
    """What ``event`` makes of the time after it, and until when it lasts."""
    _check_finite({name: each for name, each in vars(event).items() if each is not None})
    at_s, level_s = event.at_s, before[-1].error_s
    match event:
        case Step(by_s=by_s, mended_after_s=after_s):
            made = [_Stretch(at_s, level_s + by_s)]
        case Slew(by_s=by_s, rate_ppm=rate_ppm):
            if not 0.0 < rate_ppm <= _FASTEST_PPM:
                raise ServerClockError(
                    f"a clock is slewed by more than 0 ppm and at most {_FASTEST_PPM:.0f}, not by"
                    f" {rate_ppm}"
                )
            end_s = at_s + 1e6 * abs(by_s) / rate_ppm
            slope = math.copysign(1e-6 * rate_ppm, by_s)
            return [_Stretch(at_s, level_s, slope), _Stretch(end_s, level_s + by_s)], end_s
        case LeapSecond(smeared=True):
            noon_s = at_s - 43_200.0
            made = [_Stretch(noon_s, level_s, -1.0 / _SMEAR_S)]
            end_s = noon_s + _SMEAR_S
            return [*made, _Stretch(end_s, level_s - 1.0)], end_s
        case LeapSecond():
            return [_Stretch(at_s, level_s - 1.0)], at_s
        case Pause(for_s=for_s, catches_up=catches_up, mended_after_s=after_s):
            if for_s <= 0.0:
                raise ServerClockError(f"a pause is longer than nothing, not {for_s} s")
            resumes_s, base_s = at_s + for_s, base.error_s(at_s)
            stands = _Stretch(at_s, level_s, stands_at_s=at_s + (base_s + level_s))
            if catches_up:
                return [stands, _Stretch(resumes_s, level_s)], resumes_s
            behind_s = level_s - for_s + (base_s - base.error_s(resumes_s))
            made = [stands, _Stretch(resumes_s, behind_s)]
        case Restore(taken_s=taken_s, mended_after_s=after_s):
            if not taken_s <= at_s:
                raise ServerClockError("a snapshot is taken before it is restored")
            then = before[bisect_right(starts_s, taken_s) - 1]
            showed_s = _error_s(base, then, taken_s) - (at_s - taken_s)
            made = [_Stretch(at_s, showed_s - base.error_s(at_s))]
    if after_s is None:
        return made, made[-1].true_s
    if after_s <= 0.0:
        raise ServerClockError(f"a clock is mended later than at once, not after {after_s} s")
    mended_s = made[-1].true_s + after_s
    return [*made, _Stretch(mended_s, level_s)], mended_s
