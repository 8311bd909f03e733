"""The noise: its law, exact and measured over many clocks and along one, and its purity.

Keys are fixed, so these figures never change; the bounds are those of five standard deviations.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean, pvariance

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_sim.world.noise import LEAF_S, SPAN_S, ClockNoise, EndlessNoise, noise_key

DAY_S = 86_400.0
WHITE = 1e-8**2
RANDOM_WALK = 3 * 2e-8**2 / DAY_S  # Allan deviation 2e-8 at one day
CLOCKS = 1500
SPREAD = 5 * math.sqrt(2 / CLOCKS)  # of a variance estimated from CLOCKS Gaussians


def noise(white: float, random_walk: float, number: int) -> ClockNoise:
    return ClockNoise(white, random_walk, number)


def second_differences(x: list[float]) -> list[float]:
    return [c - 2 * b + a for a, b, c in zip(x, x[1:], x[2:], strict=False)]


def allan_deviation(x: list[float], tau_s: float) -> float:
    """From phases ``x`` in seconds at distances of ``tau_s`` (IEEE 1139)."""
    return math.sqrt(fmean(d * d for d in second_differences(x)) / 2) / tau_s


class Impulse(ClockNoise):
    """Zeros for all Gaussians but one, which is 1: the phase is what that one contributes."""

    def __init__(self, white: float, random_walk: float, node: int, which: int) -> None:
        self.asked: set[int] = set()
        self._impulse = node, which
        super().__init__(white, random_walk, 0)

    def _gaussians(self, node: int) -> tuple[float, float]:
        self.asked.add(node)
        return float(self._impulse == (node, 0)), float(self._impulse == (node, 1))


leaves = st.integers(1, round(SPAN_S / LEAF_S) - 1)
variances = st.floats(1e-24, 1e-12)


@settings(max_examples=30)
@given(variances, variances, leaves, leaves)
@example(0.0, RANDOM_WALK, 1, 2**22)
@example(WHITE, 0.0, 2**22, 2**22 + 1)
def test_the_covariance_is_that_of_the_two_state_clock(
    white: float, random_walk: float, first: int, second: int
) -> None:
    """Exactly: a phase is a sum of Gaussians, so a covariance is a sum over their weights."""
    t, u = sorted((first * LEAF_S, second * LEAF_S))
    probe = Impulse(white, random_walk, -1, 0)
    assert probe.phase_s(t) == probe.phase_s(u) == 0.0
    products: dict[str, list[float]] = {"tt": [], "tu": [], "uu": []}
    for node in probe.asked:
        for which in (0, 1):
            impulse = Impulse(white, random_walk, node, which)
            x, y = impulse.phase_s(t), impulse.phase_s(u)
            for name, product in (("tt", x * x), ("tu", x * y), ("uu", y * y)):
                products[name].append(product)

    def covariance(early_s: float, late_s: float) -> float:
        return white * early_s + random_walk * early_s**2 * (3 * late_s - early_s) / 6

    # far from the root what remains of t is the difference of numbers as large as those at SPAN_S
    rounding = 1e-13 * covariance(SPAN_S, SPAN_S)
    for name, expected in (
        ("tt", covariance(t, t)),
        ("tu", covariance(t, u)),
        ("uu", covariance(u, u)),
    ):
        assert math.fsum(products[name]) == pytest.approx(expected, rel=1e-9, abs=rounding)


# The last has its two parts of about equal size at a day, where a mistake in how they mix shows.
@pytest.mark.parametrize(
    ("white", "random_walk"),
    [(WHITE, 0.0), (0.0, RANDOM_WALK), (RANDOM_WALK * DAY_S**2 / 3, RANDOM_WALK)],
    ids=["white", "random walk", "both"],
)
def test_the_phase_spreads_as_the_two_state_clock_does(white: float, random_walk: float) -> None:
    # odd and even leaves, either side of the middle of the span, and its last leaf
    asked = [LEAF_S, 3 * LEAF_S, DAY_S, 30 * DAY_S, SPAN_S / 2, SPAN_S / 2 + DAY_S, SPAN_S - LEAF_S]
    clocks = [noise(white, random_walk, n) for n in range(CLOCKS)]
    for t in asked:
        phases = [clock.phase_s(t) for clock in clocks]
        variance = white * t + random_walk * t**3 / 3
        assert pvariance(phases, 0.0) == pytest.approx(variance, rel=SPREAD), t
        assert abs(fmean(phases)) < 5 * math.sqrt(variance / CLOCKS)


@pytest.mark.parametrize(
    "middle", [DAY_S, SPAN_S / 2, SPAN_S / 4, 3 * SPAN_S / 8, SPAN_S - 2 * DAY_S]
)
@pytest.mark.parametrize("tau_s", [LEAF_S, DAY_S])
def test_seams_of_the_tree_do_not_show(middle: float, tau_s: float) -> None:
    middle = LEAF_S * round(middle / LEAF_S)
    differences = []
    for number in range(CLOCKS):
        clock = noise(RANDOM_WALK * tau_s**2, RANDOM_WALK, number)
        differences += second_differences(
            [clock.phase_s(middle + k * tau_s) for k in (-1.0, 0.0, 1.0)]
        )
    # Allan variance: white s/τ, random walk q·τ/3
    expected = 2 * tau_s**2 * (RANDOM_WALK * tau_s + RANDOM_WALK * tau_s / 3)
    assert pvariance(differences, 0.0) == pytest.approx(expected, rel=SPREAD)


@pytest.mark.parametrize("days", [1, 4, 16])
def test_allan_deviation_of_random_walk_grows_with_the_root_of_time(days: int) -> None:
    clock = noise(WHITE, RANDOM_WALK, 0)
    count = int(SPAN_S / (days * DAY_S))
    x = [clock.phase_s(n * days * DAY_S) for n in range(count)]
    assert allan_deviation(x, days * DAY_S) == pytest.approx(
        2e-8 * math.sqrt(days), rel=5 / math.sqrt(count)
    )


@pytest.mark.parametrize("leaves", [1, 16])
def test_allan_deviation_of_white_noise_falls_with_the_root_of_time(leaves: int) -> None:
    clock = noise(WHITE, 0.0, 0)
    tau_s = leaves * LEAF_S
    x = [clock.phase_s(SPAN_S / 2 + (n - 2000) * tau_s) for n in range(4000)]
    assert allan_deviation(x, tau_s) == pytest.approx(1e-8 / math.sqrt(tau_s), rel=0.08)


def test_random_walk_steps_are_independent_beyond_their_overlap() -> None:
    clock = noise(0.0, RANDOM_WALK, 7)
    d = second_differences([clock.phase_s(n * DAY_S) for n in range(6000)])
    variance = fmean(a * a for a in d)
    # of second differences of ∫W: neighbours share a quarter of the variance, others nothing
    for lag, expected in ((1, 0.25), (2, 0.0), (3, 0.0), (64, 0.0)):
        correlation = fmean(a * b for a, b in zip(d, d[lag:], strict=False)) / variance
        assert correlation == pytest.approx(expected, abs=5 / math.sqrt(len(d)))


@given(st.lists(st.floats(0, SPAN_S, exclude_max=True), min_size=1), st.integers(0, 2**64 - 1))
def test_a_value_does_not_depend_on_what_was_asked_before(asked: list[float], key: int) -> None:
    used = ClockNoise(WHITE, RANDOM_WALK, key)
    forward = [used.phase_s(t) for t in asked]
    assert [used.phase_s(t) for t in reversed(asked)] == forward[::-1]
    assert [ClockNoise(WHITE, RANDOM_WALK, key).phase_s(t) for t in asked] == forward


def test_threads_may_ask_one_clock() -> None:
    asked = [n * 7e6 % SPAN_S for n in range(4000)]
    alone, shared = noise(WHITE, RANDOM_WALK, 3), noise(WHITE, RANDOM_WALK, 3)
    expected = [alone.phase_s(t) for t in asked]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared.phase_s, asked)) == expected


def test_each_key_has_its_own_path_and_no_noise_is_none() -> None:
    assert noise(WHITE, RANDOM_WALK, 1).phase_s(1e6) != noise(WHITE, RANDOM_WALK, 2).phase_s(1e6)
    silent = noise(0.0, 0.0, 1)
    assert silent.phase_s(1e8) == silent.rate(1e8) == 0.0


def test_an_entropy_key_is_hashed_to_64_bits() -> None:
    keys = {noise_key(key) for key in (b"a", b"b", bytes(1), bytes(64))}
    assert len(keys) == 4
    assert all(0 <= key < 2**64 for key in keys)
    for bad in (b"", bytes(65)):
        with pytest.raises(ValueError, match="1 to 64 bytes"):
            noise_key(bad)


def test_noise_goes_on_after_a_span() -> None:
    """Without a jump in phase or frequency, as long as dates go, and by the same law."""
    first = noise(WHITE, RANDOM_WALK, 1)
    endless = EndlessNoise(WHITE, RANDOM_WALK, 1)
    far = endless.phase_s(9000 * 365.25 * DAY_S)  # asked for first
    for elapsed_s in (0.0, DAY_S, SPAN_S - 1.0):
        assert endless.phase_s(elapsed_s) == first.phase_s(elapsed_s)
        assert endless.rate(elapsed_s) == first.rate(elapsed_s)
    for number in (1, 2):
        edge_s = number * SPAN_S
        step_s = endless.phase_s(edge_s + 1.0) - endless.phase_s(edge_s - 1.0)
        assert step_s == pytest.approx(2.0 * endless.rate(edge_s), abs=1e-6)
        assert endless.rate(edge_s) == pytest.approx(endless.rate(edge_s - LEAF_S), abs=1e-8)
    again = EndlessNoise(WHITE, RANDOM_WALK, 1)
    assert again.phase_s(9000 * 365.25 * DAY_S) == far
    days = [endless.phase_s(SPAN_S + n * DAY_S) for n in range(15 * 365)]
    assert allan_deviation(days, DAY_S) == pytest.approx(2e-8, rel=0.05)
