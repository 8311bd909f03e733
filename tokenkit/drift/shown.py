"""What one code says of a clock: likelihoods of offsets, and their moments."""

import math
from typing import NamedTuple

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
# A code that was read at quite another time, or is another token's: so likely, against all others
STRAY = 1e-9
_STRAY_LOG = math.log(1e-5)
_SLOW = 0.05  # share of codes that take longer than people usually do
_PARTS = 6  # of the usual delay, each as if it were one delay


class Shown(NamedTuple):
    """A code: without any delay the offset was from ``low_s`` to ``low_s + period_s``."""

    low_s: float
    period_s: float


class Delays(NamedTuple):
    """How long after it was read a code arrives: (delay_s, share)."""

    parts: tuple[tuple[float, float], ...]

    @property
    def mean_s(self) -> float:
        return sum(delay_s * share for delay_s, share in self.parts)


def delays(entry_s: float) -> Delays:
    """Up to ``entry_s``, all alike; one in twenty longer, up to 5 times that."""
    usual = [((n + 0.5) / _PARTS * entry_s, (1.0 - _SLOW) / _PARTS) for n in range(_PARTS)]
    slow = [
        (times * entry_s, _SLOW * share) for times, share in ((1.25, 0.6), (2.0, 0.3), (4.0, 0.1))
    ]
    return Delays(tuple(usual + slow))


def moments(
    shown: Shown, delays: Delays, mean: float, variance: float
) -> tuple[float, float, float]:
    """The likelihood of ``shown`` under a normal distribution of the offset, and what follows.

    Its logarithm, and that logarithm's first and minus its second derivative by the mean.
    """
    deviation = math.sqrt(variance)
    mass = slope = bend = 0.0
    for delay_s, share in delays.parts:
        low = (shown.low_s + delay_s - mean) / deviation
        high = low + shown.period_s / deviation
        if low > 38.0 or high < -38.0:
            continue
        at_low, at_high = _density(low), _density(high)
        mass += share * _between(low, high)
        slope += share * (at_low - at_high)
        bend += share * (low * at_low - high * at_high)
    mass += STRAY
    slope /= mass * deviation
    return math.log(mass), slope, slope * slope - bend / (mass * variance)


def is_stray(shown: Shown, delays: Delays, mean: float, variance: float) -> bool:
    """Whether the code is rather one of another time."""
    log, _, _ = moments(shown, delays, mean, variance)
    return log < _STRAY_LOG


def _between(low: float, high: float) -> float:
    if low > 0.0:
        low, high = -high, -low
    return (math.erfc(-high / _ROOT_2) - math.erfc(-low / _ROOT_2)) / 2.0


def _density(z: float) -> float:
    return math.exp(-z * z / 2.0) / _ROOT_2_PI
