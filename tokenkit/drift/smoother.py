"""A clock's offset and rate along a chain of times: forward filter and backward smoother.

The two-state clock model of R. G. Brown and P. Y. C. Hwang: the rate does a random walk, the
offset is its integral. Offsets are in seconds, rates in ppm and times in megaseconds, so that an
offset grows by rate times time. What was observed at a node is a Gaussian factor
``exp(shift * offset - precision * offset**2 / 2)``, that of a node without observation is (0, 0).

Backwards it is G. J. Bierman's form of the Bryson-Frazier smoother ("Fixed interval smoothing with
discrete measurements", 1973), which inverts no matrix, so that equal times do no harm.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

YEAR_MS = 31.557_6
# ppm² a megasecond: 0.7 ppm in a year. firmware_sim assumes 0.66 for the random walk of a crystal;
# the ageing of a new crystal is a trend, which is followed
RATE_WALK = 0.5 / YEAR_MS


class Belief(NamedTuple):
    """Normal distribution of offset and rate."""

    offset: float
    rate: float
    offset_variance: float
    covariance: float
    rate_variance: float


class Node(NamedTuple):
    """A time in the chain, and what variance offset and rate gain there by an event.

    ``walk`` is the variance that the rate gains in a megasecond up to there.
    """

    at: float
    step_variance: float = 0.0
    rate_variance: float = 0.0
    walk: float = RATE_WALK


class Factor(NamedTuple):
    shift: float
    precision: float


NOTHING = Factor(0.0, 0.0)


class Smoothed(NamedTuple):
    """The belief at each node by all factors; the events' (mean, variance) of step and rate."""

    beliefs: list[Belief]
    predicted: list[Belief]
    steps: list[tuple[float, float]]
    rates: list[tuple[float, float]]


def predict(belief: Belief, time: float, node: Node) -> Belief:
    """``time`` later, after the events at ``node``."""
    offset, rate, oo, r, rr = belief
    walk = node.walk * time
    return Belief(
        offset + rate * time,
        rate,
        oo + time * (2.0 * r + time * (rr + walk / 3.0)) + node.step_variance,
        r + time * (rr + walk / 2.0),
        rr + walk + node.rate_variance,
    )


def update(belief: Belief, factor: Factor) -> Belief:
    offset, rate, oo, r, rr = belief
    weight = factor.precision / (1.0 + factor.precision * oo)
    error = (factor.shift - factor.precision * offset) / (1.0 + factor.precision * oo)
    return Belief(
        offset + oo * error,
        rate + r * error,
        oo * (1.0 - oo * weight),
        r * (1.0 - oo * weight),
        max(rr - r * r * weight, 0.0),
    )


def log_mass(factor: Factor, mean: float, variance: float) -> float:
    """The logarithm of the integral of ``factor`` times a normal distribution."""
    shift, precision = factor
    spread = 1.0 + precision * variance
    power = shift * shift * variance + 2.0 * shift * mean - precision * mean * mean
    return 0.5 * (power / spread - math.log(spread))


def smooth(prior: Belief, nodes: Sequence[Node], factors: Sequence[Factor]) -> Smoothed:
    """By all ``factors``; ``prior`` is the belief at the first node's time, before its events."""
    belief, before = prior, nodes[0].at
    predicted: list[Belief] = []
    for node, factor in zip(nodes, factors, strict=True):
        belief = predict(belief, node.at - before, node)
        before = node.at
        predicted.append(belief)
        belief = update(belief, factor)
    beliefs, steps, rates = [], [], []
    # the adjoint state (a, b) and its matrix (aa, ab, bb), after the node's own factor
    a = b = aa = ab = bb = 0.0
    after = nodes[-1].at
    for node, factor, belief in zip(
        reversed(nodes), reversed(factors), reversed(predicted), strict=True
    ):
        time, after = after - node.at, node.at
        a, b = a, b + time * a
        aa, ab, bb = aa, ab + time * aa, bb + time * (2.0 * ab + time * aa)
        offset, rate, oo, r, rr = belief
        spread = 1.0 + factor.precision * oo
        weight = factor.precision / spread
        # (I - K H)' with the gain K = (oo, r) * weight
        stays, moves = 1.0 - oo * weight, -r * weight
        a = stays * a + moves * b - (factor.shift - factor.precision * offset) / spread
        aa = weight + stays * stays * aa + 2.0 * stays * moves * ab + moves * moves * bb
        ab = stays * ab + moves * bb
        beliefs.append(
            Belief(
                offset - oo * a - r * b,
                rate - r * a - rr * b,
                max(oo - (oo * oo * aa + 2.0 * oo * r * ab + r * r * bb), 1e-12),
                r - (oo * r * aa + (oo * rr + r * r) * ab + r * rr * bb),
                max(rr - (r * r * aa + 2.0 * r * rr * ab + rr * rr * bb), 1e-12),
            )
        )
        step, turn = node.step_variance, node.rate_variance
        steps.append((-step * a, max(step - step * step * aa, 0.0)))
        rates.append((-turn * b, max(turn - turn * turn * bb, 0.0)))
    return Smoothed(beliefs[::-1], predicted, steps[::-1], rates[::-1])
