"""What is learned of a token's clock: a Kalman filter over offset and rate. No storage in here.

The offset is token time less the verifier's, in seconds; the rate is what it grows by, in seconds
a second. From one code to the next the rate wanders as a random walk: the two-state clock model of
R. G. Brown and P. Y. C. Hwang, without its white part, which in a quartz is too small to matter.
A code says no more than that its time step had begun when it was read, and when it was read at the
earliest: the offset lies in an interval. What the interval leaves of the estimate is fitted by
mean and variance (R. E. Curry, "Estimation and Control with Quantized Measurements", 1970: the
Gaussian fit). So a code that says nothing new changes next to nothing.

Any finite times will do, equal ones and those that go back, too. See docs/drift.md.

Studies of fleets compile these very functions with Numba: hence tuples of numbers and plain loops
of arithmetic, ``x * x`` (which rounds everywhere alike) and, of windows, first and last counters.
"""

import math
from typing import NamedTuple

from tokenkit.verifier.policy import TotpPolicy

_YEAR_S = 365.25 * 86_400.0
_RATE_WALK = (1e-6) ** 2 / _YEAR_S  # 1 ppm in the first year: ageing. An assumption
_READING_S = 3.0  # how exactly the edges of an interval hold: people read and type
_SIGMAS = 3.0  # how far out the offset is still looked for
_DOUBT = 0.25  # standard deviations that a prediction may miss the interval by before
_LONGEST_S = 100 * _YEAR_S  # no battery lasts as long

_Interval = tuple[float, float]


class LearnedClock(NamedTuple):
    """A token's clock as estimated at ``learned_s``, the verifier's time.

    ``offset_s`` and ``rate`` are the means, the rest their covariance matrix, in s², s and 1.
    ``synced_offset_s`` is amid what two consecutive codes proved at ``synced_s``.
    """

    synced_s: float
    synced_offset_s: float
    learned_s: float
    offset_s: float
    rate: float
    offset_variance: float
    covariance: float
    rate_variance: float

    @property
    def uncertainty_s(self) -> float:
        """The offset's standard deviation."""
        return math.sqrt(self.offset_variance)

    @property
    def rate_ppm(self) -> float:
        """Microseconds a second."""
        return 1e6 * self.rate


class Limits(NamedTuple):
    """What the policy grants a device whose time step is ``period_s``.

    ``max_rate`` is in seconds a second, ``entry_s`` the time that a code takes to arrive after
    its step, ``window_steps`` what the window reaches to either side at most.
    """

    period_s: int
    max_rate: float
    entry_s: float
    window_steps: int


def limits_of(policy: TotpPolicy, period_s: int) -> Limits:
    return Limits(period_s, 1e-6 * policy.max_rate_ppm, policy.entry_s, policy.max_window_steps)


def unknown_rate(limits: Limits) -> float:
    """The variance of a rate of which nothing is known: nearly all are plausible."""
    deviation = limits.max_rate / 3.0
    return deviation * deviation


def seen(limits: Limits, counter: int, now_s: float) -> _Interval:
    """Between which offsets a token lies whose code for ``counter`` arrives at ``now_s``."""
    begin_s = counter * limits.period_s - now_s
    return begin_s, begin_s + limits.period_s + limits.entry_s


def plausible(clock: LearnedClock, limits: Limits, now_s: float) -> _Interval:
    """Where drift can have taken the offset since two codes proved it, and a step beyond."""
    reach_s = max(float(limits.period_s), (limits.period_s + limits.entry_s) / 2.0)
    reach_s += limits.max_rate * _since(clock.synced_s, now_s)
    return clock.synced_offset_s - reach_s, clock.synced_offset_s + reach_s


def predict(clock: LearnedClock, now_s: float) -> LearnedClock:
    """The estimate as of ``now_s``; if the verifier's clock went back, no time has passed."""
    t = _since(clock.learned_s, now_s)
    offset_variance, covariance = clock.offset_variance, clock.covariance
    offset_variance += t * (2.0 * covariance + t * (clock.rate_variance + _RATE_WALK * t / 3.0))
    return _possible(
        clock.synced_s,
        clock.synced_offset_s,
        now_s,
        clock.offset_s + clock.rate * t,
        clock.rate,
        offset_variance,
        covariance + t * (clock.rate_variance + _RATE_WALK * t / 2.0),
        clock.rate_variance + _RATE_WALK * t,
    )


def turned_s(clock: LearnedClock, limits: Limits, failures: int, now_s: float) -> float:
    """How much farther a code is looked for after ``failures`` wrong ones in a row.

    A right code is refused where the token was carried to another place, and its rate changed at
    once by as much as it may be: so the next code finds it, within the policy's window.
    """
    return limits.max_rate * _since(clock.learned_s, now_s) if failures > 0 else 0.0


def likely(clock: LearnedClock, limits: Limits, now_s: float) -> _Interval:
    """The offsets that a code may show at ``now_s``, within what is plausible."""
    return _likely(predict(clock, now_s), limits, 0.0)


def expected(clock: LearnedClock, limits: Limits, now_s: float) -> int:
    """The counter at which the token most likely is."""
    return _expected(predict(clock, now_s), limits)


def window(clock: LearnedClock, limits: Limits, now_s: float, failures: int = 0) -> range:
    """The counters whose codes are accepted at ``now_s``, after so many wrong ones in a row.

    Those of the steps in which the token may be, and of those it may have left no longer ago than
    a code takes to arrive; to either side of the predicted one no more than the policy allows.
    """
    further_s = turned_s(clock, limits, failures, now_s)
    first, last = window_at(predict(clock, now_s), limits, further_s)
    return range(first, last + 1)


def window_at(now: LearnedClock, limits: Limits, further_s: float) -> tuple[int, int]:
    """The first and the last counter of the window, of a prediction for the present."""
    now_s = now.learned_s
    low_s, high_s = _likely(now, limits, further_s)
    amid, most = _expected(now, limits), limits.window_steps
    first = math.floor((now_s + low_s - limits.entry_s) / limits.period_s)
    last = math.floor((now_s + high_s) / limits.period_s)
    return max(first, amid - most), min(last, amid + most)


def learn(clock: LearnedClock, limits: Limits, counter: int, now_s: float) -> LearnedClock:
    """The estimate after one code, which takes the offset no farther than is plausible."""
    return learn_at(predict(clock, now_s), limits, counter, now_s - clock.learned_s)


def learn_at(now: LearnedClock, limits: Limits, counter: int, silent_s: float) -> LearnedClock:
    """The same of a prediction for the present, ``silent_s`` after the estimate it was made of."""
    low_s, high_s = seen(limits, counter, now.learned_s)
    return _held(_updated(now, limits, low_s, high_s, silent_s), limits)


def prove(clock: LearnedClock | None, limits: Limits, counter: int, now_s: float) -> LearnedClock:
    """The estimate after two consecutive codes, the second for ``counter``: nobody guesses both.

    They say where the offset is, whatever was plausible. Where the clock may have drifted there
    its rate is learned from the way; if it jumped, as with a new battery, the rate is what it was.
    """
    low_s, high_s = seen(limits, counter, now_s)
    middle_s = (low_s + high_s) / 2.0
    if clock is None:
        variance = _spread(high_s - low_s)
        return LearnedClock(
            now_s, middle_s, now_s, middle_s, 0.0, variance, 0.0, unknown_rate(limits)
        )
    now = predict(clock, now_s)
    found = _updated(now, limits, low_s, high_s, now_s - clock.learned_s)
    return _held(_synced(found, now_s, middle_s, found.offset_s, found.rate), limits)


def _likely(now: LearnedClock, limits: Limits, further_s: float) -> _Interval:
    low_s, high_s = plausible(now, limits, now.learned_s)
    offset_s, most_s = _clamp(now.offset_s, low_s, high_s), limits.window_steps * limits.period_s
    reach_s = min(_SIGMAS * _deviation_s(now) + further_s, float(most_s))
    return max(low_s, offset_s - reach_s), min(high_s, offset_s + reach_s)


def _expected(now: LearnedClock, limits: Limits) -> int:
    low_s, high_s = plausible(now, limits, now.learned_s)
    offset_s = _clamp(now.offset_s, low_s, high_s)
    return math.floor((now.learned_s + offset_s) / limits.period_s)


def _updated(
    now: LearnedClock, limits: Limits, low_s: float, high_s: float, silent_s: float
) -> LearnedClock:
    """A prediction after a code that says that the offset is between ``low_s`` and ``high_s``."""
    deviation_s = _deviation_s(now)
    miss = max(low_s - now.offset_s, now.offset_s - high_s) / deviation_s
    if miss > _SIGMAS:
        return _lost(now, limits, low_s, high_s)
    if miss > _DOUBT:
        now = _doubted(now, limits, miss, silent_s)
        deviation_s = _deviation_s(now)
    mean, variance = normal_between(
        (low_s - now.offset_s) / deviation_s, (high_s - now.offset_s) / deviation_s
    )
    # the gain of an exact measurement; the part of the variance that the interval leaves is kept
    taken = 1.0 - variance
    offset_gain, rate_gain = now.offset_variance / deviation_s, now.covariance / deviation_s
    return _possible(
        now.synced_s,
        now.synced_offset_s,
        now.learned_s,
        now.offset_s + offset_gain * mean,
        now.rate + rate_gain * mean,
        now.offset_variance - taken * (offset_gain * offset_gain),
        now.covariance - taken * offset_gain * rate_gain,
        now.rate_variance - taken * (rate_gain * rate_gain),
    )


def _doubted(now: LearnedClock, limits: Limits, miss: float, silent_s: float) -> LearnedClock:
    """The prediction, as uncertain as it must have been to miss by so little.

    A token that was carried to another place runs at another rate at once, which no random walk
    foresees: without this the window lags behind until it loses the token.
    """
    t = min(silent_s, _LONGEST_S)
    if t < 1.0:
        return now
    deviation_s, fastest = _deviation_s(now), 2.0 * limits.max_rate  # from one extreme to the other
    added = (miss * miss / (_DOUBT * _DOUBT) - 1.0) * (deviation_s * deviation_s) / (t * t)
    added = min(added, max(0.0, fastest * fastest - now.rate_variance))
    return LearnedClock(
        now.synced_s,
        now.synced_offset_s,
        now.learned_s,
        now.offset_s,
        now.rate,
        now.offset_variance + added * (t * t),
        now.covariance + added * t,
        now.rate_variance + added,
    )


def _lost(now: LearnedClock, limits: Limits, low_s: float, high_s: float) -> LearnedClock:
    """The estimate where the offset is not at all where it was looked for.

    The clock jumped, or runs at another rate, and nothing says which: the offset is what the code
    says, and the rate stays, but little is known of it any more.
    """
    return LearnedClock(
        now.synced_s,
        now.synced_offset_s,
        now.learned_s,
        (low_s + high_s) / 2.0,
        now.rate,
        _spread(high_s - low_s),
        0.0,
        max(now.rate_variance, unknown_rate(limits)),
    )


def _held(now: LearnedClock, limits: Limits) -> LearnedClock:
    """The estimate within what is plausible, since now at the latest: clocks are set back."""
    low_s, high_s = plausible(now, limits, now.learned_s)
    return _synced(
        now,
        min(now.synced_s, now.learned_s),
        now.synced_offset_s,
        _clamp(now.offset_s, low_s, high_s),
        _clamp(now.rate, -limits.max_rate, limits.max_rate),
    )


def _synced(
    clock: LearnedClock, synced_s: float, synced_offset_s: float, offset_s: float, rate: float
) -> LearnedClock:
    """The same estimate with other means, and proved otherwise."""
    return LearnedClock(
        synced_s,
        synced_offset_s,
        clock.learned_s,
        offset_s,
        rate,
        clock.offset_variance,
        clock.covariance,
        clock.rate_variance,
    )


def _possible(
    synced_s: float,
    synced_offset_s: float,
    learned_s: float,
    offset_s: float,
    rate: float,
    offset_variance: float,
    covariance: float,
    rate_variance: float,
) -> LearnedClock:
    """An estimate whose covariance matrix rounding must not have made impossible."""
    offset_variance, rate_variance = max(offset_variance, 0.0), max(rate_variance, 0.0)
    if covariance * covariance > offset_variance * rate_variance:
        most = math.sqrt(offset_variance) * math.sqrt(rate_variance)
        covariance = _clamp(covariance, -most, most)
    return LearnedClock(
        synced_s,
        synced_offset_s,
        learned_s,
        offset_s,
        rate,
        offset_variance,
        covariance,
        rate_variance,
    )


def _deviation_s(clock: LearnedClock) -> float:
    """The standard deviation of what a code shows of the offset."""
    return math.sqrt(clock.offset_variance + _READING_S * _READING_S)


def normal_between(low: float, high: float) -> tuple[float, float]:
    """Mean and variance of the part of a standard normal distribution from ``low`` to ``high``.

    ``low`` < ``high``, and some of it must be left: ``low`` < 30, ``high`` > -30.
    """
    mirrored = low > 0.0  # to where small numbers have all their digits
    if mirrored:
        low, high = -high, -low
    # density and mass, both times √(2π)
    at_low, at_high = math.exp(-low * low / 2.0), math.exp(-high * high / 2.0)
    mass = _ROOT_HALF_PI * (math.erfc(-_ROOT_HALF * high) - math.erfc(-_ROOT_HALF * low))
    mean = (at_low - at_high) / mass
    # past 40 the density is 0, and infinity times that no number
    edges = _clamp(low, -40.0, 40.0) * at_low - _clamp(high, -40.0, 40.0) * at_high
    variance = _clamp(1.0 + edges / mass - mean * mean, 0.0, 1.0)
    return -mean if mirrored else mean, variance


_ROOT_HALF = math.sqrt(0.5)
_ROOT_HALF_PI = math.sqrt(0.5 * math.pi)


def _spread(width_s: float) -> float:
    """The variance of what may be anywhere in an interval."""
    return width_s * width_s / 12.0 + _READING_S * _READING_S


def _since(then_s: float, now_s: float) -> float:
    return min(max(0.0, now_s - then_s), _LONGEST_S)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
