"""What is learned of a token's clock: a Kalman filter over offset and rate. No storage in here.

The offset is token time less the verifier's, in seconds; the rate is what it grows by, in seconds
a second. From one code to the next the rate wanders as a random walk: the two-state clock model of
R. G. Brown and P. Y. C. Hwang, without its white part, which in a quartz is too small to matter.
A code says no more than that its time step had begun when it was read, and when it was read at the
earliest: the offset lies in an interval. What the interval leaves of the estimate is fitted by
mean and variance (R. E. Curry, "Estimation and Control with Quantized Measurements", 1970: the
Gaussian fit). So a code that says nothing new changes next to nothing.

Any finite times will do, equal ones and those that go back, too. See docs/drift.md.
"""

import math

import msgspec

from tokenkit.verifier.policy import TotpPolicy

_YEAR_S = 365.25 * 86_400.0
_RATE_WALK = (1e-6) ** 2 / _YEAR_S  # 1 ppm in the first year: ageing. An assumption
_READING_S = 3.0  # how exactly the edges of an interval hold: people read and type
_SIGMAS = 3.0  # how far out the offset is still looked for
_DOUBT = 0.25  # standard deviations that a prediction may miss the interval by before
_LONGEST_S = 100 * _YEAR_S  # no battery lasts as long

_Interval = tuple[float, float]


class LearnedClock(msgspec.Struct, frozen=True):
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


class Limits(msgspec.Struct, frozen=True):
    """What the policy grants a device whose time step is ``period_s``.

    ``max_rate`` is in seconds a second, ``entry_s`` the time that a code takes to arrive after
    its step, ``window_steps`` what the window reaches to either side at most.
    """

    period_s: int
    max_rate: float
    entry_s: float
    window_steps: int

    @property
    def unknown_rate(self) -> float:
        """The variance of a rate of which nothing is known: nearly all are plausible."""
        return (self.max_rate / 3.0) ** 2

    def seen(self, counter: int, now_s: float) -> _Interval:
        """Between which offsets a token lies whose code for ``counter`` arrives at ``now_s``."""
        begin_s = counter * self.period_s - now_s
        return begin_s, begin_s + self.period_s + self.entry_s

    def plausible(self, clock: LearnedClock, now_s: float) -> _Interval:
        """Where drift can have taken the offset since two codes proved it, and a step beyond."""
        reach_s = max(self.period_s, (self.period_s + self.entry_s) / 2.0)
        reach_s += self.max_rate * _since(clock.synced_s, now_s)
        return clock.synced_offset_s - reach_s, clock.synced_offset_s + reach_s


def limits_of(policy: TotpPolicy, period_s: int) -> Limits:
    return Limits(period_s, 1e-6 * policy.max_rate_ppm, policy.entry_s, policy.max_window_steps)


def predict(clock: LearnedClock, now_s: float) -> LearnedClock:
    """The estimate as of ``now_s``; if the verifier's clock went back, no time has passed."""
    t = _since(clock.learned_s, now_s)
    offset_variance, covariance = clock.offset_variance, clock.covariance
    offset_variance += t * (2.0 * covariance + t * (clock.rate_variance + _RATE_WALK * t / 3.0))
    return msgspec.structs.replace(
        clock,
        learned_s=now_s,
        offset_s=clock.offset_s + clock.rate * t,
        **_covariance(
            offset_variance,
            covariance + t * (clock.rate_variance + _RATE_WALK * t / 2.0),
            clock.rate_variance + _RATE_WALK * t,
        ),
    )


def likely(clock: LearnedClock, limits: Limits, now_s: float) -> _Interval:
    """The offsets that a code may show at ``now_s``, within what is plausible."""
    now = predict(clock, now_s)
    low_s, high_s = limits.plausible(clock, now_s)
    offset_s, reach_s = _clamp(now.offset_s, low_s, high_s), _SIGMAS * _deviation_s(now)
    most_s = float(limits.window_steps * limits.period_s)
    reach_s = min(reach_s, most_s)
    return max(low_s, offset_s - reach_s), min(high_s, offset_s + reach_s)


def window(clock: LearnedClock, limits: Limits, now_s: float) -> range:
    """The counters whose codes are accepted at ``now_s``.

    Those of the steps in which the token may be, and of those it may have left no longer ago than
    a code takes to arrive; to either side of the predicted one no more than the policy allows.
    """
    low_s, high_s = likely(clock, limits, now_s)
    amid = expected(clock, limits, now_s)
    first = math.floor((now_s + low_s - limits.entry_s) / limits.period_s)
    last = math.floor((now_s + high_s) / limits.period_s)
    most = limits.window_steps
    return range(max(first, amid - most), min(last, amid + most) + 1)


def expected(clock: LearnedClock, limits: Limits, now_s: float) -> int:
    """The counter at which the token most likely is."""
    offset_s = _clamp(predict(clock, now_s).offset_s, *limits.plausible(clock, now_s))
    return math.floor((now_s + offset_s) / limits.period_s)


def learn(clock: LearnedClock, limits: Limits, counter: int, now_s: float) -> LearnedClock:
    """The estimate after one code, which takes the offset no farther than is plausible."""
    return _held(_updated(clock, limits, limits.seen(counter, now_s), now_s), limits, now_s)


def prove(clock: LearnedClock | None, limits: Limits, counter: int, now_s: float) -> LearnedClock:
    """The estimate after two consecutive codes, the second for ``counter``: nobody guesses both.

    They say where the offset is, whatever was plausible. Where the clock may have drifted there
    its rate is learned from the way; if it jumped, as with a new battery, the rate is what it was.
    """
    low_s, high_s = limits.seen(counter, now_s)
    middle_s = (low_s + high_s) / 2.0
    if clock is None:
        variance = _spread(high_s - low_s)
        return LearnedClock(
            now_s, middle_s, now_s, middle_s, 0.0, variance, 0.0, limits.unknown_rate
        )
    found = _updated(clock, limits, (low_s, high_s), now_s)
    found = msgspec.structs.replace(found, synced_s=now_s, synced_offset_s=middle_s)
    return _held(found, limits, now_s)


def _updated(
    clock: LearnedClock, limits: Limits, interval: _Interval, now_s: float
) -> LearnedClock:
    now = predict(clock, now_s)
    low, high = _in_deviations(now, interval)
    miss = max(low, -high)
    if miss > _SIGMAS:
        return _lost(now, limits, interval)
    if miss > _DOUBT:
        now = _doubted(now, limits, miss, _since(clock.learned_s, now_s))
        low, high = _in_deviations(now, interval)
    mean, variance = normal_between(low, high)
    # the gain of an exact measurement; the part of the variance that the interval leaves is kept
    deviation_s, taken = _deviation_s(now), 1.0 - variance
    offset_gain, rate_gain = now.offset_variance / deviation_s, now.covariance / deviation_s
    return msgspec.structs.replace(
        now,
        offset_s=now.offset_s + offset_gain * mean,
        rate=now.rate + rate_gain * mean,
        **_covariance(
            now.offset_variance - taken * offset_gain**2,
            now.covariance - taken * offset_gain * rate_gain,
            now.rate_variance - taken * rate_gain**2,
        ),
    )


def _doubted(now: LearnedClock, limits: Limits, miss: float, t: float) -> LearnedClock:
    """The prediction, as uncertain as it must have been to miss by so little.

    A token that was carried to another place runs at another rate at once, which no random walk
    foresees: without this the window lags behind until it loses the token.
    """
    if t < 1.0:
        return now
    added = (miss**2 / _DOUBT**2 - 1.0) * _deviation_s(now) ** 2 / t**2
    most = (2.0 * limits.max_rate) ** 2  # from one extreme to the other
    added = min(added, max(0.0, most - now.rate_variance))
    return msgspec.structs.replace(
        now,
        offset_variance=now.offset_variance + added * t**2,
        covariance=now.covariance + added * t,
        rate_variance=now.rate_variance + added,
    )


def _lost(now: LearnedClock, limits: Limits, interval: _Interval) -> LearnedClock:
    """The estimate where the offset is not at all where it was looked for.

    The clock jumped, or runs at another rate, and nothing says which: the offset is what the code
    says, and the rate stays, but little is known of it any more.
    """
    low_s, high_s = interval
    rate_variance = max(now.rate_variance, limits.unknown_rate)
    return msgspec.structs.replace(
        now,
        offset_s=(low_s + high_s) / 2.0,
        **_covariance(_spread(high_s - low_s), 0.0, rate_variance),
    )


def _held(clock: LearnedClock, limits: Limits, now_s: float) -> LearnedClock:
    """The estimate within what is plausible, since now at the latest: clocks are set back."""
    return msgspec.structs.replace(
        clock,
        synced_s=min(clock.synced_s, now_s),
        offset_s=_clamp(clock.offset_s, *limits.plausible(clock, now_s)),
        rate=_clamp(clock.rate, -limits.max_rate, limits.max_rate),
    )


def _deviation_s(clock: LearnedClock) -> float:
    """The standard deviation of what a code shows of the offset."""
    return math.sqrt(clock.offset_variance + _READING_S**2)


def _in_deviations(clock: LearnedClock, interval: _Interval) -> _Interval:
    low_s, high_s = interval
    deviation_s = _deviation_s(clock)
    return (low_s - clock.offset_s) / deviation_s, (high_s - clock.offset_s) / deviation_s


def _covariance(offset: float, covariance: float, rate: float) -> dict[str, float]:
    """A covariance matrix's members, which rounding must not have made impossible."""
    offset, rate = max(offset, 0.0), max(rate, 0.0)
    most = math.sqrt(offset) * math.sqrt(rate)
    return {
        "offset_variance": offset,
        "covariance": _clamp(covariance, -most, most),
        "rate_variance": rate,
    }


def normal_between(low: float, high: float) -> tuple[float, float]:
    """Mean and variance of the part of a standard normal distribution from ``low`` to ``high``.

    ``low`` < ``high``, and some of it must be left: ``low`` < 30, ``high`` > -30.
    """
    if low > 0.0:  # mirrored, to where small numbers have all their digits
        mean, variance = normal_between(-high, -low)
        return -mean, variance
    mass = (math.erfc(-high / _ROOT_2) - math.erfc(-low / _ROOT_2)) / 2.0
    at_low, at_high = _density(low), _density(high)
    mean = (at_low - at_high) / mass
    # past 40 the density is 0, and infinity times that no number
    edges = _clamp(low, -40.0, 40.0) * at_low - _clamp(high, -40.0, 40.0) * at_high
    return mean, _clamp(1.0 + edges / mass - mean**2, 0.0, 1.0)


_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)


def _density(z: float) -> float:
    return math.exp(-z * z / 2.0) / _ROOT_2_PI


def _spread(width_s: float) -> float:
    """The variance of what may be anywhere in an interval."""
    return width_s**2 / 12.0 + _READING_S**2


def _since(then_s: float, now_s: float) -> float:
    return min(max(0.0, now_s - then_s), _LONGEST_S)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
