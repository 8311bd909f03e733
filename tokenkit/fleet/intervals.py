"""95 % confidence intervals of what happens to tokens, and of how policies differ.

What happens to one token comes in clusters: a crystal that is fast, or a place that is cold, costs
its holder many sign-ins. So a sum of x events over N tokens has not the variance x of a Poisson
number but N·s², s² being the variance between tokens. Its dispersion φ = N·s²/x, never taken for
less than 1, widens the exact Poisson interval (F. Garwood, 1936): that of x/φ events, times φ.
With many events this is the normal interval with the variance N·s²; with none, Poisson's.
Where hardly any token has trouble, and these have much, neither sum nor φ is known well: with ten
such tokens among 1,000 the interval holds 92 % of the time, with three 83 %, with one 55 %.

Policies are compared on the same tokens, which therefore rise and fall together: ρ is the
correlation of their sums. Difference and ratio recover their variance from the two intervals
(G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in
Medicine 27, 2008), which holds also where events are few.

How many codes were acceptable is a mean over moments, of which each token has about as many: its
interval is the normal one, by the variance between tokens, too.
"""

import math
from dataclasses import dataclass

from scipy.special import gammainccinv, gammaincinv, ndtri

_TAIL = 0.025
_NORMAL = -float(ndtri(_TAIL))


@dataclass(frozen=True)
class Count:
    """A sum, and between which its mean lies."""

    count: float
    low: float
    high: float


def difference(a: Count, b: Count, correlation: float) -> tuple[float, float, float]:
    """a less b, and between which it lies."""
    value = a.count - b.count
    down = _together(a.count - a.low, b.high - b.count, correlation)
    up = _together(a.high - a.count, b.count - b.low, correlation)
    return value, value - down, value + up


def ratio(
    a: Count, b: Count, correlation: float
) -> tuple[float | None, float | None, float | None]:
    """a over b, and between which it lies: as a difference of logarithms."""
    if not a.low or not b.low:  # there is no logarithm: the widest that the intervals allow
        value = a.count / b.count if b.count else None
        high = a.high / b.low if b.low else None
        return value, a.low / b.high if b.high else None, high
    value = a.count / b.count
    down = _together(math.log(a.count / a.low), math.log(b.high / b.count), correlation)
    up = _together(math.log(a.high / a.count), math.log(b.count / b.low), correlation)
    return value, value * math.exp(-down), value * math.exp(up)


def _together(x: float, y: float, correlation: float) -> float:
    """How far a difference reaches whose ends reach ``x`` and ``y``."""
    return math.sqrt(max(0.0, x * x + y * y - 2.0 * correlation * x * y))


def count_interval(count: int, variance: float) -> tuple[float, float]:
    """Between which the mean of a count lies that came out as ``count``.

    ``variance`` is that of such counts as far as it is known; at least the Poisson one is taken.
    """
    dispersion = max(1.0, variance / count) if count else 1.0
    effective = count / dispersion
    low = gammaincinv(effective, _TAIL) if count else 0.0
    high = gammainccinv(effective + 1.0, _TAIL)
    return dispersion * float(low), dispersion * float(high)


def mean_interval(total: int, variance: float) -> tuple[float, float]:
    """Between which the mean of a sum over many tokens lies: the normal interval."""
    spread = _NORMAL * math.sqrt(max(variance, 0.0))
    return max(total - spread, 0.0), total + spread
