"""Temperature at a crystal as a function of true time, with its integrals in closed form."""

import difflib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

_DAY_S = 86_400.0
_OMEGA = 2.0 * math.pi / _DAY_S


def _require_finite(*values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"temperatures and times must be finite, not {value}")


# Plain functions of numbers, so that they can be compiled for whole fleets.
def daily_angle(true_s: float, warmest_hour: float) -> float:
    """The phase of the day, 0 when it is warmest."""
    # reduced to one day before it is multiplied, or 1.7e9 s would cost the sine its last digits
    return _OMEGA * (true_s % _DAY_S - 3600.0 * warmest_hour)


def daily_moments(
    mean_c: float, swing_c: float, warmest_hour: float, from_s: float, to_s: float
) -> tuple[float, float]:
    """``Environment.moments`` of :class:`DailyCycle`."""
    # With T = m + s·cos θ: ∫cos θ = [sin θ]/ω and ∫cos² θ = t/2 + [sin θ · cos θ]/(2ω).
    duration_s = to_s - from_s
    start, end = daily_angle(from_s, warmest_hour), daily_angle(to_s, warmest_hour)
    cos_s = (math.sin(end) - math.sin(start)) / _OMEGA
    cos2_s = 0.5 * duration_s + (
        math.sin(end) * math.cos(end) - math.sin(start) * math.cos(start)
    ) / (2.0 * _OMEGA)
    m, s = mean_c, swing_c
    return m * duration_s + s * cos_s, m * m * duration_s + 2 * m * s * cos_s + s * s * cos2_s


class Environment(Protocol):
    """Temperature in °C at any true time (seconds since the Unix epoch, UTC)."""

    @property
    def revision(self) -> int:
        """Grows whenever the temperature at some time changes; always 0 if it never does."""

    def temperature_c(self, true_s: float) -> float:
        """The temperature at ``true_s``, in °C."""

    def moments(self, from_s: float, to_s: float) -> tuple[float, float]:
        """(∫T dt in °C·s, ∫T² dt in °C²·s) from ``from_s`` to ``to_s``, exact, not sampled.

        These two are all that a parabolic temperature curve needs. Swapped limits swap the sign.
        """


@dataclass(frozen=True)
class Constant:
    """The same temperature always."""

    degrees_c: float
    revision = 0

    def __post_init__(self) -> None:
        _require_finite(self.degrees_c)

    def temperature_c(self, true_s: float) -> float:
        return self.degrees_c

    def moments(self, from_s: float, to_s: float) -> tuple[float, float]:
        first = self.degrees_c * (to_s - from_s)
        return first, self.degrees_c * first


@dataclass(frozen=True)
class DailyCycle:
    """A cosine of period one day: ``mean_c`` ± ``swing_c``, warmest at ``warmest_hour`` UTC."""

    mean_c: float
    swing_c: float
    warmest_hour: float = 15.0
    revision = 0

    def __post_init__(self) -> None:
        _require_finite(self.mean_c, self.swing_c, self.warmest_hour)

    def temperature_c(self, true_s: float) -> float:
        return self.mean_c + self.swing_c * math.cos(daily_angle(true_s, self.warmest_hour))

    def moments(self, from_s: float, to_s: float) -> tuple[float, float]:
        return daily_moments(self.mean_c, self.swing_c, self.warmest_hour, from_s, to_s)


# Assumptions, not measurements: indoor air, skin and cold-store temperatures as commonly given.
# The warehouse is a chilled store: 4.5 °C costs a crystal of -0.034 ppm/°C² 14.3 ppm, which is
# five minutes in eight months.
PLACES: Mapping[str, Environment] = MappingProxyType(
    {
        "desk": DailyCycle(22.0, 1.5),
        "drawer": DailyCycle(21.0, 0.5, 17.0),
        "pocket": DailyCycle(28.0, 4.0, 14.0),
        "car": DailyCycle(15.0, 12.0, 14.0),
        "warehouse": DailyCycle(4.5, 0.5),
    }
)


def place(name: str) -> Environment:
    """The named place; ValueError with a suggestion if there is none of that name."""
    if name not in PLACES:
        close = difflib.get_close_matches(name, PLACES, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(PLACES)}"
        raise ValueError(f"no place {name!r}; {hint}")
    return PLACES[name]


class Schedule:
    """One environment after another: ``start`` until the first move, then where it was moved.

    Only the future can be changed: a move before the last one is a ValueError. What lies before
    a move keeps its temperature and its integrals to the last bit.
    """

    def __init__(self, start: Environment) -> None:
        self._start = start
        self._times: list[float] = []
        self._environments: list[Environment] = []
        # moments from the first move to each move
        self._sums: list[tuple[float, float]] = []

    @property
    def revision(self) -> int:
        return len(self._times)

    def move(self, at_s: float, environment: Environment) -> None:
        """Be in ``environment`` from true time ``at_s`` on."""
        _require_finite(at_s)
        if not self._times:
            total = (0.0, 0.0)
        elif at_s < self._times[-1]:
            raise ValueError(f"the last move was at {self._times[-1]}; {at_s} is in its past")
        else:
            total = _add(self._sums[-1], self._environments[-1].moments(self._times[-1], at_s))
        self._sums.append(total)
        self._environments.append(environment)
        self._times.append(at_s)

    def environment_at(self, true_s: float) -> Environment:
        """Where the crystal is at ``true_s``; at the time of a move, already the new place."""
        return self._at(bisect_right(self._times, true_s))

    def temperature_c(self, true_s: float) -> float:
        return self.environment_at(true_s).temperature_c(true_s)

    def moments(self, from_s: float, to_s: float) -> tuple[float, float]:
        if to_s < from_s:
            first, second = self.moments(to_s, from_s)
            return -first, -second
        # the end counts to the stay before it, so that a move at ``to_s`` alters no last bit
        i, j = bisect_right(self._times, from_s), bisect_left(self._times, to_s)
        if i >= j:
            return self._at(i).moments(from_s, to_s)
        # the rest of the first stay, the whole stays between, the beginning of the last
        first, second = _add(
            self._at(i).moments(from_s, self._times[i]),
            self._at(j).moments(self._times[j - 1], to_s),
        )
        (first_i, second_i), (first_j, second_j) = self._sums[i], self._sums[j - 1]
        return first + (first_j - first_i), second + (second_j - second_i)

    def _at(self, moves: int) -> Environment:
        return self._environments[moves - 1] if moves else self._start


def _add(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]
