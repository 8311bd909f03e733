"""A track of offset and rate by all codes at once: expectation propagation.

Each code's likelihood, an interval with soft edges, is replaced by the Gaussian factor that leaves
the same mean and variance beside all other factors (T. Minka, "Expectation Propagation for
Approximate Bayesian Inference", 2001); factors are improved in turns until they stay.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tokenkit.drift.shown import Delays, Shown, moments
from tokenkit.drift.smoother import (
    NOTHING,
    Belief,
    Factor,
    Node,
    Smoothed,
    log_mass,
    predict,
    smooth,
    update,
)

_SWEEPS = 40
_DAMPING = 0.6
_STILL = 1e-3  # standard deviations


class Fit(NamedTuple):
    """``log_evidence`` is the logarithm of the probability of all codes under the model."""

    smoothed: Smoothed
    factors: list[Factor]
    log_evidence: float


def fit(prior: Belief, nodes: Sequence[Node], shown: Sequence[Shown | None], delays: Delays) -> Fit:
    """``shown`` is the code at each of ``nodes``, None where there is none.

    Where codes contradict each other factors may go on for ever: then it is those of one pass.
    """
    first, evidence = _one_pass(prior, nodes, shown, delays)
    factors, smoothed = first, smooth(prior, nodes, first)
    for sweep in range(_SWEEPS):
        damping = _DAMPING if sweep < _SWEEPS // 2 else _DAMPING / 2.0
        factors = [
            factor if code is None else _improved(factor, belief, code, delays, damping)
            for factor, belief, code in zip(factors, smoothed.beliefs, shown, strict=True)
        ]
        before, smoothed = smoothed, smooth(prior, nodes, factors)
        if all(map(_still, before.beliefs, smoothed.beliefs)):
            log = _log_evidence(smoothed, factors, shown, delays)
            if log <= 0.0:  # what is no logarithm of a probability comes of no fixed point either
                return Fit(smoothed, factors, log)
            break
    return Fit(smooth(prior, nodes, first), first, evidence)


def _log_evidence(
    smoothed: Smoothed, factors: Sequence[Factor], shown: Sequence[Shown | None], delays: Delays
) -> float:
    evidence = 0.0
    for factor, belief, predicted, code in zip(
        factors, smoothed.beliefs, smoothed.predicted, shown, strict=True
    ):
        if code is not None:
            mean, variance = _cavity(factor, belief)
            log, _, _ = moments(code, delays, mean, variance)
            evidence += log - log_mass(factor, mean, variance)
            evidence += log_mass(factor, predicted.offset, predicted.offset_variance)
    return evidence


def _one_pass(
    prior: Belief, nodes: Sequence[Node], shown: Sequence[Shown | None], delays: Delays
) -> tuple[list[Factor], float]:
    """Factors by going through the codes once, and the evidence so."""
    belief, before, evidence = prior, nodes[0].at, 0.0
    factors = []
    for node, code in zip(nodes, shown, strict=True):
        belief, before = predict(belief, node.at - before, node), node.at
        factor = NOTHING
        if code is not None:
            factor, log = matched(code, delays, belief.offset, belief.offset_variance)
            belief, evidence = update(belief, factor), evidence + log
        factors.append(factor)
    return factors, evidence


def matched(code: Shown, delays: Delays, mean: float, variance: float) -> tuple[Factor, float]:
    """The factor that leaves of a normal distribution what the code does, and log likelihood."""
    log, slope, bend = moments(code, delays, mean, variance)
    bend = min(max(bend, 0.0), (1.0 - 1e-9) / variance)
    rest = 1.0 - variance * bend
    return Factor((slope + mean * bend) / rest, bend / rest), log


def _cavity(factor: Factor, belief: Belief) -> tuple[float, float]:
    """The offset's mean and variance without ``factor``."""
    precision = 1.0 / belief.offset_variance - factor.precision
    precision = max(precision, 1e-3 / belief.offset_variance)
    return (belief.offset / belief.offset_variance - factor.shift) / precision, 1.0 / precision


def _improved(
    factor: Factor, belief: Belief, code: Shown, delays: Delays, damping: float
) -> Factor:
    new, _ = matched(code, delays, *_cavity(factor, belief))
    return Factor(
        factor.shift + damping * (new.shift - factor.shift),
        factor.precision + damping * (new.precision - factor.precision),
    )


def _still(before: Belief, after: Belief) -> bool:
    moved = abs(after.offset - before.offset) / math.sqrt(after.offset_variance)
    wider = abs(after.offset_variance / before.offset_variance - 1.0)
    return moved < _STILL and wider < 10 * _STILL
