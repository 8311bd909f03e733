"""White and random-walk frequency noise whose phase is a pure function of time.

The model is the two-state clock (Zucca and Tavella, IEEE Trans. UFFC 52(2), 2005): a frequency
``w`` that is a Brownian motion, dw = √q dB₂, and a phase ``x`` that integrates it and a white
noise of its own, dx = w dt + √s dB₁. Over a time t the pair has the covariance

    Q(t) = [ s·t + q·t³/3   q·t²/2 ]
           [ q·t²/2         q·t    ]

The pair is Gauss-Markov, so given both ends of an interval its midpoint does not depend on
anything outside. With ends (x₀, w₀), (x₁, w₁) at distance 2h the law of the midpoint is the
product of the forward law from the left and the backward law from the right. Their covariances
differ in the sign of the off-diagonal only; the sum of their inverses is therefore diagonal, and
phase and frequency are independent there:

    x: mean (x₀ + x₁)/2 + h·(w₀ - w₁)/4         variance h·(s + q·h²/12)/2
    w: mean m + b·((x₁ - x₀)/h - 2m)/2          variance q·h·(s + q·h²/12)/(2·(s + q·h²/3))

    with m = (w₀ + w₁)/2 and b = (q·h²/2)/(s + q·h²/3)

Halving from the whole span down, with two Gaussians a node that are drawn at the node's number
from a counter-based generator, fixes the whole path: Lévy's construction, in which a value never
depends on what was asked before.

The formulae are plain functions of numbers, so that they can be compiled for whole fleets.
"""

import hashlib
import math
from functools import lru_cache
from statistics import NormalDist

from firmware_sim.world.philox import philox2x64, round_keys

SPAN_S = float(2**29)  # 17.0 years
LEAF_S = 64.0
LEVELS = 23  # SPAN_S == LEAF_S * 2**LEVELS

_inv_cdf = NormalDist().inv_cdf

# One interval: phase and frequency at its start, then at its end.
Ends = tuple[float, float, float, float]
# What its midpoint is drawn by: (h, b, σ of x, σ of w) above.
Law = tuple[float, float, float, float]


def noise_key(entropy_key: bytes) -> int:
    """The generator's key, 64 bits, for an entropy key of 1 to 64 bytes; else ValueError."""
    if not 1 <= len(entropy_key) <= 64:
        raise ValueError(f"the entropy key must have 1 to 64 bytes, not {len(entropy_key)}")
    digest = hashlib.blake2b(key=entropy_key, digest_size=8, person=b"oscillator").digest()
    return int.from_bytes(digest, "little")


def midpoint_law(white: float, random_walk: float, length_s: float) -> Law:
    """The law of the midpoint of an interval of ``length_s``."""
    h = 0.5 * length_s
    near = white + random_walk * h * h / 12.0
    far = white + random_walk * h * h / 3.0
    sigma_x = math.sqrt(0.5 * h * near)
    if far == 0.0:
        return h, 0.0, sigma_x, 0.0
    return (
        h,
        0.5 * random_walk * h * h / far,
        sigma_x,
        math.sqrt(0.5 * random_walk * h * near / far),
    )


def midpoint(ends: Ends, law: Law, first: float, second: float) -> tuple[float, float]:
    """Phase and frequency in the middle, by two standard Gaussians."""
    x0, w0, x1, w1 = ends
    h, b, sigma_x, sigma_w = law
    m = 0.5 * (w0 + w1)
    x = 0.5 * (x0 + x1) + 0.25 * h * (w0 - w1) + sigma_x * first
    w = m + 0.5 * b * ((x1 - x0) / h - 2.0 * m) + sigma_w * second
    return x, w


def span_end(white: float, random_walk: float, first: float, second: float) -> tuple[float, float]:
    """Phase and frequency gained over ``SPAN_S``, by two standard Gaussians."""
    w = math.sqrt(random_walk * SPAN_S) * first
    sigma_x = math.sqrt(white * SPAN_S + random_walk * SPAN_S**3 / 12.0)
    return 0.5 * SPAN_S * w + sigma_x * second, w


@lru_cache
def _laws(white: float, random_walk: float) -> tuple[Law, ...]:
    """From the whole span down: a batch of tokens mostly shares them."""
    return tuple(midpoint_law(white, random_walk, SPAN_S / 2**level) for level in range(LEVELS))


class ClockNoise:
    """Phase noise in seconds from 0 to ``SPAN_S``, 0 at 0, fixed by ``key`` (64 bits).

    ``white`` is s in s²/s and ``random_walk`` is q in 1/s, the variances that phase and frequency
    gain in one second. The Allan variance is s/τ + q·τ/3. Within a leaf of 64 s the phase is
    linear; what that leaves out is s·L/4 + q·L³/192 of variance at most, for the default crystal
    40 ns rms. ``end`` is phase and frequency at ``SPAN_S``. Each number of a ``span`` has a path
    of its own.
    """

    def __init__(self, white: float, random_walk: float, key: int, span: int = 0) -> None:
        self._silent = white == 0.0 and random_walk == 0.0
        self._keys = round_keys(key)
        self._span = span
        self._laws = _laws(white, random_walk)
        self.end = end_x, end_w = span_end(white, random_walk, *self._gaussians(0))
        # The way down to the last leaf asked for; the next question mostly shares most of it.
        # Replaced as a whole, so that threads may ask at once.
        self._last: tuple[int, list[Ends]] = (0, [(0.0, 0.0, end_x, end_w)])

    def phase_s(self, elapsed_s: float) -> float:
        """The phase at ``elapsed_s`` in [0, SPAN_S)."""
        if self._silent:
            return 0.0
        leaf, (start, _, end, _) = self._leaf(elapsed_s)
        return start + (elapsed_s / LEAF_S - leaf) * (end - start)

    def rate(self, elapsed_s: float) -> float:
        """The slope of ``phase_s``: the mean fractional frequency over a leaf."""
        if self._silent:
            return 0.0
        _, (start, _, end, _) = self._leaf(elapsed_s)
        return (end - start) / LEAF_S

    def _leaf(self, elapsed_s: float) -> tuple[int, Ends]:
        leaf = int(elapsed_s / LEAF_S)
        last, path = self._last
        shared = LEVELS - (leaf ^ last).bit_length()
        if len(path) <= LEVELS or shared < LEVELS:
            path = self._descend(leaf, path[: shared + 1])
            self._last = leaf, path
        return leaf, path[-1]

    def _descend(self, leaf: int, path: list[Ends]) -> list[Ends]:
        """Lengthen ``path``, which holds the intervals around ``leaf`` from the root down."""
        x0, w0, x1, w1 = ends = path[-1]
        for level in range(len(path) - 1, LEVELS):
            # numbered like a heap: the root is 1, the halves of n are 2n and 2n + 1
            node = (leaf | 1 << LEVELS) >> (LEVELS - level)
            x, w = midpoint(ends, self._laws[level], *self._gaussians(node))
            if leaf >> (LEVELS - level - 1) & 1:
                x0, w0 = x, w
            else:
                x1, w1 = x, w
            ends = x0, w0, x1, w1
            path.append(ends)
        return path

    def _gaussians(self, node: int) -> tuple[float, float]:
        first, second = philox2x64(node, self._span, self._keys)
        # 52 bits and a half, so that neither 0 nor 1 can come out
        return (
            _inv_cdf(((first >> 12) + 0.5) * 2.0**-52),
            _inv_cdf(((second >> 12) + 0.5) * 2.0**-52),
        )


class EndlessNoise:
    """The same for all times from 0 on: what a span ends with, the next goes on from.

    That is the law of the whole, since phase and frequency are Gauss-Markov. Each span's noise is
    ``ClockNoise`` of ``key`` and the span's number, made when it is first asked for.
    """

    def __init__(self, white: float, random_walk: float, key: int) -> None:
        self._made = white, random_walk, key
        self._spans = [(0.0, 0.0, ClockNoise(white, random_walk, key))]

    def phase_s(self, elapsed_s: float) -> float:
        """The phase at ``elapsed_s``, from 0 on."""
        start, rate, noise, within_s = self._at(elapsed_s)
        return start + rate * within_s + noise.phase_s(within_s)

    def rate(self, elapsed_s: float) -> float:
        """The slope of ``phase_s``: the mean fractional frequency over a leaf."""
        _, rate, noise, within_s = self._at(elapsed_s)
        return rate + noise.rate(within_s)

    def _at(self, elapsed_s: float) -> tuple[float, float, ClockNoise, float]:
        """Phase and frequency at the start of a span, what is added in it, and how far in it."""
        number = int(elapsed_s // SPAN_S)
        # as a whole, so that threads may ask at once
        spans = self._spans
        while len(spans) <= number:
            start, rate, noise = spans[-1]
            end_x, end_w = noise.end
            following = ClockNoise(*self._made, len(spans))
            spans = [*spans, (start + rate * SPAN_S + end_x, rate + end_w, following)]
            self._spans = spans
        return *spans[number], elapsed_s - number * SPAN_S
