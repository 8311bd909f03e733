"""From the sums of a study to rates and comparisons with 95 % confidence intervals.

What happens to one token comes in clusters: a crystal that is fast, or a place that is cold, costs
its holder many sign-ins. So a sum of x events over N tokens has not the variance x of a Poisson
number but N·s², s² being the variance between tokens. Its dispersion φ = N·s²/x, never taken for
less than 1, widens the exact Poisson interval (F. Garwood, 1936): that of x/φ events, times φ.
With many events this is the normal interval with the variance N·s²; with none, Poisson's.

Policies are compared on the same tokens, which therefore rise and fall together: ρ is the
correlation of their sums. Difference and ratio recover their variance from the two intervals
(G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in
Medicine 27, 2008), which holds also where events are few.

How many codes were acceptable is a mean over moments, of which each token has about as many: its
interval is the normal one, by the variance between tokens, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammainccinv, gammaincinv, ndtri

from tokenkit.fleet.assumptions import assumptions
from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.result import (
    BatchNote,
    Cell,
    Codes,
    Comparison,
    Estimate,
    PolicyNote,
    Rate,
    StudyResult,
    Timeline,
)
from tokenkit.fleet.study import Batch, Study
from tokenkit.fleet.tally import COMPARED, MEASURES, MONTHLY, Tally
from tokenkit.scenario.durations import YEAR_S, in_words

_TAIL = 0.025
_NORMAL = -float(ndtri(_TAIL))
_FIELD = {name: number for number, name in enumerate(COUNTS.names or ())}


def result(study: Study, tallies: Sequence[Tally]) -> StudyResult:
    """What the study found: ``tallies`` are those of its batches, in their order."""
    groups: list[tuple[str | None, Sequence[Tally]]] = [
        (batch.name, [tally]) for batch, tally in zip(study.batch, tallies, strict=True)
    ]
    groups.append((None, tallies))
    names = [policy.name for policy in study.policy]
    return StudyResult(
        title=study.title,
        summary=study.summary,
        seed=study.seed,
        start=study.start,
        years=study.years,
        assumed=assumptions(study),
        policies=[PolicyNote(policy.name, policy.name) for policy in study.policy],
        batches=[BatchNote(batch.name, batch.tokens, batch_text(batch)) for batch in study.batch],
        cells=[
            _cell(policy, name, batch, group)
            for policy, name in enumerate(names)
            for batch, group in groups
        ],
        comparisons=[
            _comparison(names, policy, baseline, batch, measure, group)
            for batch, group in groups
            for policy in range(len(names))
            for baseline in range(policy)
            for measure in COMPARED
        ],
    )


def batch_text(batch: Batch) -> str:
    """A batch's tokens in words."""
    low, high = batch.months_in_stock
    stock = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    text = f"{batch.habit}, {', '.join(batch.places)}"
    if len(batch.places) > 1:
        text += f" for {in_words(batch.stay[0])} to {in_words(batch.stay[1])} each"
    text += f"; grade {batch.grade}, {batch.period} s, {stock} months in stock"
    if batch.battery is not None:
        text += f", batteries of {in_words(batch.battery.life)}"
    return text


@dataclass(frozen=True)
class _Sums:
    """Of one of COMPARED, over groups of tokens, for all policies.

    ``unit`` is what a count of 1 is in the unit that is shown: in 1,000 token-years, or in codes.
    """

    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    covariance: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"  # of the sums
    unit: float
    interval: Callable[[int, float], tuple[float, float]]

    def count(self, policy: int) -> "_Count":
        count = int(self.counts[policy])
        return _Count(count, *self.interval(count, float(self.covariance[policy, policy])))


def _sums(group: Sequence[Tally], measure: str) -> _Sums:
    """Batches are strata: their variances are added."""
    field = _FIELD[measure]
    policies = group[0].totals.shape[0]
    covariance = np.zeros((policies, policies))
    for tally in group:
        tokens, totals = float(tally.tokens), tally.totals[:, field].astype(float)
        if tokens > 1:  # of one token nothing is known but that it may be Poisson's
            products = tally.products[COMPARED.index(measure)]
            scatter = products - np.outer(totals, totals) / tokens
            covariance += scatter * tokens / (tokens - 1.0)
    counts = np.sum([tally.totals[:, field] for tally in group], axis=0)
    if measure == "acceptable":
        return _Sums(counts, covariance, 1.0 / max(_total(group, 0, "moments"), 1), mean_interval)
    return _Sums(counts, covariance, 1000.0 / _token_years(group), count_interval)


def _token_years(group: Sequence[Tally]) -> float:
    return sum(int(tally.exposure_s) for tally in group) / YEAR_S


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


def _cell(policy: int, name: str, batch: str | None, group: Sequence[Tally]) -> Cell:
    months = np.sum([tally.months[policy] for tally in group], axis=0)
    return Cell(
        policy=name,
        batch=batch,
        tokens=sum(int(tally.tokens) for tally in group),
        token_years=_token_years(group),
        sign_ins=_total(group, policy, "sign_ins"),
        codes=_codes(policy, group),
        months=Timeline(
            **{each: months[:, column].tolist() for column, each in enumerate(MONTHLY)}
        ),
        **{each: _rate(_sums(group, each), policy) for each in MEASURES},
    )


def _total(group: Sequence[Tally], policy: int, name: str) -> int:
    return sum(int(tally.totals[policy, _FIELD[name]]) for tally in group)


def _rate(sums: _Sums, policy: int) -> Rate:
    count = sums.count(policy)
    return Rate(int(sums.counts[policy]), count.estimate(sums.unit))


def _codes(policy: int, group: Sequence[Tally]) -> Codes:
    histogram = np.sum([tally.histogram[policy] for tally in group], axis=0)
    moments = int(histogram.sum())
    sums = _sums(group, "acceptable")
    reached = np.cumsum(histogram) >= 0.99 * moments
    used = np.flatnonzero(histogram)
    return Codes(
        mean=sums.count(policy).estimate(sums.unit),
        percentile_99=int(np.argmax(reached)),
        most=max(int(tally.totals[policy, _FIELD["most_acceptable"]]) for tally in group),
        moments=histogram[: used[-1] + 1].tolist() if used.size else [],
    )


def _comparison(
    names: list[str],
    policy: int,
    baseline: int,
    batch: str | None,
    measure: str,
    group: Sequence[Tally],
) -> Comparison:
    sums = _sums(group, measure)
    covariance = sums.covariance
    mine, other = sums.count(policy), sums.count(baseline)
    spread = math.sqrt(covariance[policy, policy] * covariance[baseline, baseline])
    correlation = covariance[policy, baseline] / spread if spread else 0.0
    per = sums.unit
    return Comparison(
        policy=names[policy],
        baseline=names[baseline],
        batch=batch,
        measure=measure,
        difference=Estimate(*(per * each for each in difference(mine, other, correlation))),
        ratio=Estimate(*ratio(mine, other, correlation)),
    )


@dataclass(frozen=True)
class _Count:
    """A sum, and between which its mean lies."""

    count: float
    low: float
    high: float

    def estimate(self, unit: float) -> Estimate:
        return Estimate(self.count * unit, self.low * unit, self.high * unit)


def difference(a: _Count, b: _Count, correlation: float) -> tuple[float, float, float]:
    """a less b, and between which it lies."""
    value = a.count - b.count
    down = _together(a.count - a.low, b.high - b.count, correlation)
    up = _together(a.high - a.count, b.count - b.low, correlation)
    return value, value - down, value + up


def ratio(
    a: _Count, b: _Count, correlation: float
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


def rows(found: StudyResult) -> Iterator[dict[str, object]]:
    """One flat row a cell, for CSV and Parquet: rates with ``_low`` and ``_high``."""
    for cell in found.cells:
        row: dict[str, object] = {
            "policy": cell.policy,
            "batch": cell.batch,
            "tokens": cell.tokens,
            "token_years": cell.token_years,
            "sign_ins": cell.sign_ins,
        }
        for measure in MEASURES:
            rate: Rate = getattr(cell, measure)
            name = f"{measure}_per_1000_token_years"
            row[measure] = rate.count
            row[name] = rate.per_1000_token_years.value
            row[f"{name}_low"] = rate.per_1000_token_years.low
            row[f"{name}_high"] = rate.per_1000_token_years.high
        row["codes_mean"] = cell.codes.mean.value
        row["codes_mean_low"] = cell.codes.mean.low
        row["codes_mean_high"] = cell.codes.mean.high
        row["codes_percentile_99"] = cell.codes.percentile_99
        row["codes_most"] = cell.codes.most
        yield row
