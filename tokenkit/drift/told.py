"""What a case comes to: the diagnosis of one token."""

import math
from collections.abc import Iterable, Sequence

from msgspec import structs

from tokenkit.drift import words
from tokenkit.drift.case import MS, Case
from tokenkit.drift.diagnosis import (
    Cause,
    Change,
    Dated,
    Estimate,
    SameCode,
    ServerFault,
    TokenDiagnosis,
    TrackPoint,
    accepted_later,
)
from tokenkit.drift.events import Model
from tokenkit.drift.prediction import leaving
from tokenkit.drift.server_faults import Company, Shift
from tokenkit.drift.smoother import YEAR_MS, Belief
from tokenkit.drift.track import mean_rate
from tokenkit.verifier.policy import TotpPolicy

_SOME_TIME = 1e-6  # megaseconds: a rate is one over some time


_OFTEN, _LONG_S = 3, 3600.0  # twice may be by accident; within an hour somebody tries again


def told(
    case: Case, faults: Sequence[ServerFault], policy: TotpPolicy, others: Company
) -> TokenDiagnosis:
    placed, unplaced = case.placement.placed, case.placement.unplaced
    made = TokenDiagnosis(
        serial_number=case.seed.serial_number,
        period_s=case.seed.period_s,
        rows=len(case.rows),
        from_s=None,
        until_s=None,
        offset_s=None,
        rate_ppm=None,
        mean_rate_ppm=None,
        changes=[],
        leaves_window=None,
        track=[],
        placed=placed,
        unplaced=unplaced,
        sentences=[],
        corrected=case.corrected,
        same_code=_same_code(case),
    )
    if case.model is not None:
        made = structs.replace(made, **_of_model(case, case.model, faults, policy, others))
    return structs.replace(made, sentences=words.of_token(made, others.tokens > 1))


def _same_code(case: Case) -> SameCode | None:
    """The code that came most often, if that was often and for long."""
    times: dict[str, list[float]] = {}
    for row, _ in case.rows:
        times.setdefault(row.code, []).append(row.server_s)
    most = max(times.values(), key=len)
    if len(most) < _OFTEN or most[-1] - most[0] < _LONG_S:
        return None
    return SameCode(len(most), most[0], most[-1])


def _of_model(
    case: Case, model: Model, faults: Sequence[ServerFault], policy: TotpPolicy, others: Company
) -> dict[str, object]:
    codes, track, placed = model.codes, model.track, case.placement.placed
    first_s, later = placed[0].server_s, accepted_later(case.placement.unplaced)
    known = [structs.replace(p, accepted=True) if p.counter in later else p for p in placed]
    ends = [(p, its.beliefs[-1]) for p, _, its in model.others]
    now = _now(ends)
    several = codes.times[-1] > _SOME_TIME
    means = [(p, *mean_rate(each, its)) for p, each, its in model.others] if several else []
    points = [
        TrackPoint(
            first_s + MS * node.at,
            belief.offset,
            math.sqrt(belief.offset_variance),
            belief.rate,
            math.sqrt(belief.rate_variance),
        )
        for node, belief in zip(track.nodes, track.beliefs, strict=True)
    ]
    return {
        "from_s": first_s,
        "until_s": placed[-1].server_s,
        "offset_s": _estimate(now.offset, now.offset_variance),
        "rate_ppm": _estimate(now.rate, now.rate_variance) if several else None,
        "mean_rate_ppm": _estimate(*_mixed(means)) if several else None,
        "wander_ppm": math.sqrt(codes.walk * YEAR_MS),
        "changes": _changes(case, model, first_s, faults, others),
        "leaves_window": leaving(known, case.seed.period_s, points, now, codes, policy),
        "track": points,
    }


def _now(ends: Sequence[tuple[float, Belief]]) -> Belief:
    """One belief out of those of several models, with their shares."""
    offset, offset_variance = _mixed((p, end.offset, end.offset_variance) for p, end in ends)
    rate, rate_variance = _mixed((p, end.rate, end.rate_variance) for p, end in ends)
    covariance = sum(
        p * (end.covariance + (end.offset - offset) * (end.rate - rate)) for p, end in ends
    ) / sum(p for p, _ in ends)
    return Belief(offset, rate, offset_variance, covariance, rate_variance)


def _mixed(parts: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
    """Mean and variance of a mixture of (share, mean, variance)."""
    parts = list(parts)
    total = sum(share for share, _, _ in parts)
    mean = sum(share * value for share, value, _ in parts) / total
    spread = sum(share * (variance + (value - mean) ** 2) for share, value, variance in parts)
    return mean, spread / total


def _estimate(value: float, variance: float) -> Estimate:
    deviation = math.sqrt(variance)
    return Estimate(value, deviation, value - 1.96 * deviation, value + 1.96 * deviation)


def _changes(
    case: Case, model: Model, first_s: float, faults: Sequence[ServerFault], others: Company
) -> list[Change]:
    changes = []
    for found, node in zip(model.found, model.track.event_nodes, strict=True):
        event, is_step = found.event, found.event.kind == "step"
        when = Dated(
            first_s + MS * found.after, first_s + MS * found.before, first_s + MS * event.at
        )
        smoothed = model.track.fit.smoothed
        by = _estimate(*(smoothed.steps if is_step else smoothed.rates)[node])
        servers = [
            fault
            for fault in faults
            if case.seed.serial_number in fault.tokens
            and fault.end is None
            and when.after_s <= fault.begin.at_s <= when.before_s
        ]
        shift = Shift(case.seed.serial_number, when.after_s, when.before_s, by.value, by.deviation)
        alike = others.alike(shift) if is_step else []
        if is_step and servers:
            when = servers[0].begin
        changes.append(
            Change(
                kind=event.kind,
                when=when,
                by_s=by if is_step else None,
                by_ppm=None if is_step else by,
                cause=_cause(by, is_step, bool(servers)),
                log_odds=found.log_odds,
                alike=alike,
                likely_server=bool(alike) and not servers and others.suspects_server(shift),
            )
        )
    return changes


def _cause(by: Estimate, is_step: bool, is_servers: bool) -> Cause:
    if not is_step:
        return "temperature"
    if is_servers:
        return "server"
    hours = round(by.value / 3600.0)
    if 1 <= abs(hours) <= 14 and abs(by.value - 3600.0 * hours) < 60.0 + 3.0 * by.deviation:
        return "time zone"
    return "battery" if by.value < 0.0 else "set"
