"""Likelihoods and expectation propagation beside sums over a fine grid."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.drift.estimate import fit
from tokenkit.drift.shown import Delays, Shown, delays, moments
from tokenkit.drift.smoother import Belief, Node
from tokenkit.drift.track import Codes, follow, mean_rate

WAITS = delays(12.0)


def likelihood(shown: Shown, waits: Delays, offset: np.ndarray) -> np.ndarray:
    """How likely this code is shown by a clock with that offset."""

    def within(delay: np.ndarray) -> np.ndarray:
        return sum(kink * np.maximum(delay - at, 0.0) for at, kink in waits.kinks)

    since = offset - shown.low_s
    return within(since) - within(since - shown.period_s)


def test_delays_are_a_distribution() -> None:
    far = np.array([-1.0, 0.0, 12.0, 60.0, 1e6])
    codes = sum(likelihood(Shown(30.0 * n, 30.0), WAITS, far) for n in range(-5, 40_000))
    assert codes == pytest.approx(1.0)  # some code is shown
    delay = np.linspace(0.0, 61.0, 610_001)
    late = 1.0 - sum(kink * np.maximum(delay - at, 0.0) for at, kink in WAITS.kinks)
    assert late.sum() * 1e-4 == pytest.approx(WAITS.mean_s, rel=1e-3)


@given(
    st.floats(-200.0, 200.0),
    st.floats(0.01, 1e4),
    st.sampled_from([30.0, 60.0]),
    st.sampled_from([1.0, 12.0, 40.0]),
)
def test_moments(mean: float, variance: float, period: float, entry: float) -> None:
    waits, shown = delays(entry), Shown(-20.0, period)
    deviation = math.sqrt(variance)

    def log_at(mean: float) -> float:
        x = mean + deviation * np.linspace(-9.0, 9.0, 40_001)
        weights = np.exp(-(np.linspace(-9.0, 9.0, 40_001) ** 2) / 2)
        mass = (weights / weights.sum() * likelihood(shown, waits, x)).sum()
        return math.log(mass + 1e-9)

    log, slope, bend = moments(shown, waits, mean, variance)
    assert log == pytest.approx(log_at(mean), abs=2e-3)
    width = 0.05 * deviation
    below, at, above = log_at(mean - width), log_at(mean), log_at(mean + width)
    assert slope == pytest.approx((above - below) / (2 * width), abs=0.05 / deviation)
    assert bend == pytest.approx(-(above - 2 * at + below) / width**2, abs=0.2 / variance)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_near_the_sum_over_all_tracks(seed: int) -> None:
    """Of a clock that runs evenly, which is a grid of offsets and rates."""
    rng = random.Random(seed)
    times = sorted(rng.uniform(0.0, 1.0) for _ in range(12))
    offset, rate = rng.uniform(-15.0, 15.0), rng.gauss(0.0, 10.0)
    shown = []
    for time in times:
        into = rng.uniform(0.0, 30.0)  # of a step, in token time
        shown.append(Shown(offset + rate * time - into - rng.uniform(0.0, 12.0), 30.0))
    codes = Codes(times, shown, WAITS)
    track = follow(codes)
    x = np.linspace(-60.0, 60.0, 481)[:, None]
    y = np.linspace(-80.0, 80.0, 641)[None, :]
    log = -0.5 * (y / 20.0) ** 2
    for time, code in zip(times, shown, strict=True):
        log = log + np.log(likelihood(code, WAITS, x + y * time) + 1e-9)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    for node, time in ((0, times[0]), (-1, times[-1])):
        at = x + y * time
        mean = (weights * at).sum()
        deviation = math.sqrt((weights * (at - mean) ** 2).sum())
        belief = track.beliefs[node]
        assert abs(belief.offset - mean) < 0.35 * deviation
        assert math.sqrt(belief.offset_variance) == pytest.approx(deviation, rel=0.35)
    mean = (weights * y).sum()
    deviation = math.sqrt((weights * (y - mean) ** 2).sum())
    found, variance = mean_rate(codes, track)
    assert abs(found - mean) < 0.35 * deviation
    assert math.sqrt(variance) == pytest.approx(deviation, rel=0.35)


def test_codes_that_contradict_each_other_do_no_harm() -> None:
    nodes = [Node(0.0)] * 5 + [Node(1e-9)] * 5 + [Node(100.0)] * 5
    shown = [Shown(1e5 * (-1) ** n, 30.0) for n in range(15)]
    made = fit(Belief(0.0, 0.0, 1e8, 0.0, 400.0), nodes, shown, WAITS)
    assert math.isfinite(made.log_evidence)
    assert all(math.isfinite(value) for belief in made.smoothed.beliefs for value in belief)
