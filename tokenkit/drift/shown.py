"""What one code says of a clock: the likelihood of an offset, and its moments.

A code for counter c that arrives at s was read when the token's time was in its step: with a delay
d the offset was from c·P - s + d to a step more. Delays are spread: the likelihood is a trapezoid.
"""

import math
from typing import NamedTuple

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
# of a code that was read at quite another time, or is another token's
_STRAY = 1e-9
_STRAY_LOG = math.log(1e-5)
_SLOW = 0.05  # share of codes that take longer than people usually do
_SLOWEST = 5.0  # times as long


class Shown(NamedTuple):
    """A code: without any delay the offset was from ``low_s`` to ``low_s + period_s``."""

    low_s: float
    period_s: float


class Delays(NamedTuple):
    """How long after it was read a code arrives.

    The distribution function is linear between delays; ``kinks`` are (delay_s, by how much its
    slope changes there).
    """

    kinks: tuple[tuple[float, float], ...]
    mean_s: float


def delays(entry_s: float) -> Delays:
    """Up to ``entry_s``, all alike; one in twenty longer, up to five times that."""
    usual = (1.0 - _SLOW) / entry_s
    slow = _SLOW / ((_SLOWEST - 1.0) * entry_s)
    mean_s = entry_s * ((1.0 - _SLOW) / 2.0 + _SLOW * (1.0 + _SLOWEST) / 2.0)
    kinks = ((0.0, usual), (entry_s, slow - usual), (_SLOWEST * entry_s, -slow))
    return Delays(kinks, mean_s)


def moments(
    shown: Shown, delays: Delays, mean: float, variance: float
) -> tuple[float, float, float]:
    """The likelihood of ``shown`` under a normal distribution of the offset, and what follows.

    Its logarithm, and that logarithm's first and minus its second derivative by the mean.
    """
    deviation = math.sqrt(variance)
    early, late = mean - shown.low_s, mean - shown.low_s - shown.period_s
    mass = slope = bend = 0.0
    # a ramp from each kink on, and one down a step later
    for delay_s, kink in delays.kinks:
        up, down = (early - delay_s) / deviation, (late - delay_s) / deviation
        below_up, below_down = math.erfc(-up / _ROOT_2), math.erfc(-down / _ROOT_2)
        at_up, at_down = math.exp(-up * up / 2.0), math.exp(-down * down / 2.0)
        mass += kink * (up * below_up - down * below_down + _DENSE * (at_up - at_down))
        slope += kink * (below_up - below_down)
        bend += kink * (at_up - at_down)
    mass = max(mass * deviation / 2.0, 0.0) + _STRAY
    slope *= 0.5 / mass
    return math.log(mass), slope, slope * slope - bend / (mass * deviation * _ROOT_2_PI)


_DENSE = 2.0 / _ROOT_2_PI


def is_stray(shown: Shown, delays: Delays, mean: float, variance: float) -> bool:
    """Whether the code is rather one of another time."""
    log, _, _ = moments(shown, delays, mean, variance)
    return log < _STRAY_LOG
