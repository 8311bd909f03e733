"""From the sums of a study to its result: rates and comparisons, by policy and batch."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tokenkit.fleet.assumptions import assumptions
from tokenkit.fleet.intervals import Count, count_interval, difference, mean_interval, ratio
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
from tokenkit.fleet.study import Study
from tokenkit.fleet.tally import CODES, COMPARED, MEASURES, MONTHLY, Tally
from tokenkit.fleet.words import batch_text, policy_text
from tokenkit.scenario.durations import YEAR_S

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
        policies=[PolicyNote(policy.name, policy_text(policy)) for policy in study.policy],
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


@dataclass(frozen=True)
class _Sums:
    """Of one of COMPARED, over groups of tokens, for all policies.

    ``unit`` is what a count of 1 is in the unit that is shown: in 1,000 token-years, or in codes.
    Intervals are not ``known`` where a variance is needed, and some batch is one token.
    """

    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    covariance: list[list[float]]  # of the sums
    unit: float
    interval: Callable[[int, float], tuple[float, float]]
    known: bool = True

    def count(self, policy: int) -> Count:
        count = int(self.counts[policy])
        return Count(count, *self.interval(count, self.covariance[policy][policy]))

    def mean(self, policy: int) -> Estimate:
        count = self.count(policy)
        return self.estimate(*(self.unit * each for each in (count.count, count.low, count.high)))

    def estimate(self, value: float | None, low: float | None, high: float | None) -> Estimate:
        return Estimate(value, low, high) if self.known else Estimate(value, None, None)


def _sums(group: Sequence[Tally], measure: str) -> _Sums:
    """Batches are strata: their variances are added."""
    field = _FIELD[measure]
    policies = group[0].totals.shape[0]
    covariance = np.zeros((policies, policies))
    for tally in group:
        # whole numbers of any size: rounded squares would leave negative variances
        tokens, totals = int(tally.tokens), tally.totals[:, field].astype(object)
        if tokens > 1:  # of one token nothing is known but that it may be Poisson's
            products = tally.products[COMPARED.index(measure)].astype(object)
            scatter = tokens * products - np.outer(totals, totals)
            covariance += scatter.astype(float) / (tokens - 1)
    counts = np.sum([tally.totals[:, field] for tally in group], axis=0)
    if measure in CODES:
        unit = 1.0 / max(_total(group, 0, "moments"), 1)
        known = all(tally.tokens > 1 for tally in group)
        return _Sums(counts, covariance.tolist(), unit, mean_interval, known)
    return _Sums(counts, covariance.tolist(), 1000.0 / _token_years(group), count_interval)


def _token_years(group: Sequence[Tally]) -> float:
    return sum(int(tally.exposure_s) for tally in group) / YEAR_S


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
    return Rate(int(sums.counts[policy]), sums.mean(policy))


def _codes(policy: int, group: Sequence[Tally]) -> Codes:
    histogram = np.sum([tally.histogram[policy] for tally in group], axis=0)
    moments = int(histogram.sum())
    reached = np.cumsum(histogram) >= 0.99 * moments
    used = np.flatnonzero(histogram)
    return Codes(
        mean=_sums(group, "acceptable").mean(policy),
        mean_next=_sums(group, "acceptable_next").mean(policy),
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
    spread = math.sqrt(covariance[policy][policy] * covariance[baseline][baseline])
    correlation = covariance[policy][baseline] / spread if spread else 0.0
    per = sums.unit
    return Comparison(
        policy=names[policy],
        baseline=names[baseline],
        batch=batch,
        measure=measure,
        difference=sums.estimate(*(per * each for each in difference(mine, other, correlation))),
        ratio=sums.estimate(*ratio(mine, other, correlation)),
    )


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
        for name, codes in (
            ("codes_mean", cell.codes.mean),
            ("codes_mean_next", cell.codes.mean_next),
        ):
            row[name], row[f"{name}_low"], row[f"{name}_high"] = codes.value, codes.low, codes.high
        row["codes_percentile_99"] = cell.codes.percentile_99
        row["codes_most"] = cell.codes.most
        yield row
