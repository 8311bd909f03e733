"""Fits a crystal to what was measured of it: generalised least squares.

The model is the device side's own: rate = tolerance + k·(T - T₀)² + a·ln(1 + t/τ), t since the
crystal was made, and noise of the frequency that wanders (random walk) as the Crystal's default
does. What is measured has an error besides, which is estimated from the residuals by restricted
maximum likelihood. What data sheets say of k, T₀ and ageing comes in as prior knowledge: it rules
where the data say little, and that is said.

Source: G. Strang, K. Borre, Algorithms for Global Positioning, chapter 16; R. G. Brown, P. Y. C.
Hwang, Introduction to Random Signals, on clocks.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tokenkit.crystals.measurements import Measurements
from tokenkit.errors import TokenkitError
from tokenkit.virtual import YEAR_S, Crystal, noise_variances

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

NAMES = ("tolerance_ppm", "parabola_ppm_per_c2", "turnover_c", "ageing_ppm_first_year")
# Data sheets: mean and standard deviation, half of the widest limit among them
PRIOR = {
    "tolerance_ppm": (0.0, 1000.0),
    "parabola_ppm_per_c2": (-0.034, 0.0043),
    "turnover_c": (25.0, 2.5),
    "ageing_ppm_first_year": (0.0, 2.5),
}
_OFFSET_PRIOR_S = 1e9
_MOST_GROUPS = 400  # of neighbouring measurements, averaged: the model is linear in all but T₀
_LEAST = 3
_LEAST_VARIANCE = 1e-12  # ppm² or s²
_NORMAL = 1.959964  # standard deviations to either side hold 95 %
_TOLD = 0.5  # the data tell of a parameter if they halve what is uncertain of it


class FitError(TokenkitError):
    """Measurements from which no crystal can be told."""


@dataclass(frozen=True)
class Estimate:
    """A value, and how far around it the true one is in 95 % of cases.

    ``told`` is false if that is the data sheets' word rather than the data's.
    """

    value: float
    within: float
    told: bool


@dataclass(frozen=True)
class Fit:
    """A crystal, and what is left: residuals in the unit of the measurements (ppm or s)."""

    estimates: dict[str, Estimate]
    measurements: Measurements
    made_s: float
    measuring_error: float
    residuals: list[float]

    @property
    def crystal(self) -> Crystal:
        return Crystal(**{name: each.value for name, each in self.estimates.items()})


def fit_crystal(measurements: Measurements, made_s: float | None = None) -> Fit:
    """Fit it; ``made_s`` is when the crystal was made, by default at the first measurement.

    FitError for fewer than three measurements, or some from before the crystal was made.
    """
    times_s = np.array(measurements.times_s)
    if times_s.size < _LEAST:
        raise FitError(f"{times_s.size} measurements: three are the least")
    born_s = float(times_s[0]) if made_s is None else made_s
    if times_s[0] < born_s:
        raise FitError("some measurements are from before the crystal was made")
    if measurements.kind == "offset" and np.unique(times_s).size < _LEAST:
        raise FitError("clock errors at three different times are the least")
    design = _design(measurements, born_s)
    grouped = _grouped(design, np.array(measurements.values), times_s - born_s)
    theta, covariance, error = _solve(*grouped, measurements.kind == "offset")
    # a turnover that is not known adds k·(T - T₀)², of which the slope at T = T₀ says nothing
    bend_ppm = theta[1] * covariance[2, 2]
    covariance[0, 0] += 3 * bend_ppm**2
    fitted = design @ _linear(theta)
    freedom = max(1, grouped[0].shape[0] - theta.size)
    within = _student(freedom)
    estimates = {}
    for number, name in enumerate(NAMES):
        # Student's t is for what the data say: few of them take nothing from what was known before
        known = _NORMAL * PRIOR[name][1]
        reach = min(within * math.sqrt(covariance[number, number]), known)
        estimates[name] = Estimate(float(theta[number]), reach, reach < _TOLD * known)
    residuals = np.array(measurements.values) - fitted
    return Fit(estimates, measurements, born_s, error, residuals.tolist())


def _ageing(elapsed_s: Array) -> Array:
    """ln(1 + t/τ), which comes to 1 after a year."""
    tau_s = Crystal().ageing_tau_s
    return np.log1p(elapsed_s / tau_s) / math.log1p(YEAR_S / tau_s)


def _aged(elapsed_s: Array) -> Array:
    """The integral of :func:`_ageing` over time."""
    tau_s = Crystal().ageing_tau_s
    whole = (elapsed_s + tau_s) * np.log1p(elapsed_s / tau_s) - elapsed_s
    return np.asarray(whole / math.log1p(YEAR_S / tau_s))


def _design(measurements: Measurements, born_s: float) -> Array:
    """What stands by 1, T, T² (from 25 °C on) and ageing; for clock errors also by a constant.

    A rate is that of its moment. Between two clock errors the temperature goes in a straight line.
    """
    elapsed_s = np.array(measurements.times_s) - born_s
    warm_c = np.array(measurements.temperatures_c) - PRIOR["turnover_c"][0]
    if measurements.kind == "rate":
        return np.column_stack((np.ones_like(warm_c), warm_c, warm_c**2, _ageing(elapsed_s)))
    steps_s, one, two = np.diff(elapsed_s), warm_c[:-1], warm_c[1:]

    def summed(each: Array) -> Array:
        return 1e-6 * np.concatenate(([0.0], np.cumsum(each)))

    return np.column_stack(
        (
            summed(steps_s),
            summed(steps_s * (one + two) / 2),
            summed(steps_s * (one**2 + one * two + two**2) / 3),
            summed(np.diff(_aged(elapsed_s))),
            np.ones_like(elapsed_s),
        )
    )


def _grouped(design: Array, values: Array, elapsed_s: Array) -> tuple[Array, Array, Array, Array]:
    """At most so many rows, means of neighbours; their times, and how many each stands for."""
    groups = np.array_split(np.arange(values.size), min(values.size, _MOST_GROUPS))
    return (
        np.array([design[group].mean(axis=0) for group in groups]),
        np.array([values[group].mean() for group in groups]),
        np.array([elapsed_s[group].mean() for group in groups]),
        np.array([float(group.size) for group in groups]),
    )


def _linear(theta: Array) -> Array:
    """The coefficients of the design's columns."""
    tolerance, parabola, turnover_c, ageing = theta[:4]
    warm_c = turnover_c - PRIOR["turnover_c"][0]
    first = (tolerance + parabola * warm_c**2, -2 * parabola * warm_c, parabola, ageing)
    return np.array([*first, *theta[4:]])


def _jacobian(theta: Array) -> Array:
    """How those coefficients change with the parameters."""
    matrix = np.eye(theta.size)
    parabola, warm_c = theta[1], theta[2] - PRIOR["turnover_c"][0]
    matrix[0, 1:3] = warm_c**2, 2 * parabola * warm_c
    matrix[1, 1:3] = -2 * warm_c, -2 * parabola
    matrix[2, 1:3] = 1.0, 0.0
    return matrix


def _wander(elapsed_s: Array, offset: bool) -> Array:
    """Covariance of what the random walk of the frequency adds, in ppm² or s²."""
    crystal = Crystal()
    _, q = noise_variances(crystal.white_adev_1s, crystal.random_walk_adev_1day)
    less = np.minimum.outer(elapsed_s, elapsed_s)
    if not offset:
        return np.asarray(1e12 * q * less)
    more = np.maximum.outer(elapsed_s, elapsed_s)
    return np.asarray(q * less**2 * (3 * more - less) / 6)


def _solve(
    design: Array, values: Array, elapsed_s: Array, counts: Array, offset: bool
) -> tuple[Array, Array, float]:
    """Parameters, their covariance, and the error of a measurement."""
    priors = [PRIOR[name] for name in NAMES]
    priors += [(0.0, _OFFSET_PRIOR_S)] * (design.shape[1] - len(priors))
    means, deviations = np.array(priors).T
    # so that each group has the same error of measuring; then that and the wander are diagonal
    weights = np.sqrt(counts)
    spectrum, turned = np.linalg.eigh(weights[:, None] * _wander(elapsed_s, offset) * weights)
    spectrum = np.maximum(spectrum, 0.0)
    rows, targets = turned.T @ (weights[:, None] * design), turned.T @ (weights * values)
    theta, variance = means.copy(), 1.0
    for _ in range(20):
        slopes = rows @ _jacobian(theta) * deviations  # by standard deviations of the prior
        left = targets - rows @ _linear(theta) + slopes @ ((theta - means) / deviations)
        variance = _measuring_variance(slopes, left, spectrum)
        solved = _weighted(slopes, left, spectrum + variance)
        before, theta = theta, means + deviations * solved.steps
        if np.all(np.abs(theta - before) <= 1e-9 * deviations):
            break
    root = deviations[:, None] * solved.root
    return theta, np.asarray(root @ root.T), math.sqrt(variance)


class _Solved(NamedTuple):
    """``root @ root.T`` is the covariance of ``steps``."""

    steps: Array
    root: Array
    likelihood: float


def _weighted(slopes: Array, left: Array, variances: Array) -> _Solved:
    """Least squares with these variances, and a prior of 0 ±1 for each step."""
    weights = 1 / np.sqrt(variances)
    stacked = np.vstack((slopes * weights[:, None], np.eye(slopes.shape[1])))
    targets = np.concatenate((left * weights, np.zeros(slopes.shape[1])))
    turned, sizes, axes = np.linalg.svd(stacked, full_matrices=False)
    sizes = np.maximum(sizes, 1.0)  # which the prior makes them, but for rounding
    steps = axes.T @ (turned.T @ targets / sizes)
    misfit = targets - stacked @ steps
    likelihood = -0.5 * float(misfit @ misfit) + float(np.sum(np.log(weights)))
    return _Solved(steps, axes.T / sizes, likelihood - float(np.sum(np.log(sizes))))


def _measuring_variance(slopes: Array, left: Array, spectrum: Array) -> float:
    """The most likely one, with what the parameters take out of it in mind."""
    rest = left - slopes @ np.linalg.lstsq(slopes, left, rcond=None)[0]
    most = float(rest @ rest) / max(1, left.size - slopes.shape[1]) + _LEAST_VARIANCE
    found, width = most * 10**-3.5, 4.5  # in powers of ten, to either side
    while width > 0.01:
        candidates = [found * 10 ** (width * step / 6) for step in range(-6, 7)]
        found = max(
            candidates, key=lambda each: _weighted(slopes, left, spectrum + each).likelihood
        )
        width /= 4
    return float(found)


def _student(freedom: int) -> float:
    """97.5 % of Student's t: Abramowitz and Stegun 26.7.5, within 1 % from 3 on."""
    total = z = _NORMAL
    terms = (z**3 + z, 5 * z**5 + 16 * z**3 + 3 * z, 3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z)
    for power, (term, scale) in enumerate(zip(terms, (4.0, 96.0, 384.0), strict=True), 1):
        total += term / (scale * freedom**power)
    return total
