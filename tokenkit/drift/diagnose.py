"""The whole way from rows of a log to a diagnosis."""

import math
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import structs

from tokenkit.drift import words
from tokenkit.drift.diagnosis import (
    Cause,
    Change,
    Dated,
    Diagnosis,
    Estimate,
    Placed,
    ServerFault,
    TokenDiagnosis,
    TrackPoint,
    Unplaced,
)
from tokenkit.drift.events import Found, search
from tokenkit.drift.faults import faults_of_log, faults_of_token
from tokenkit.drift.observations import Observation
from tokenkit.drift.placing import Placement, Row, look_up, place
from tokenkit.drift.prediction import leaving
from tokenkit.drift.server_faults import Seen, Shift, server_faults
from tokenkit.drift.shown import Delays, Shown, delays, is_stray
from tokenkit.drift.track import Codes, Track, mean_rate
from tokenkit.verifier import search as code_search
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.verifier.seed_file import Seed

_MS = 1e6
MOST_RANGE_S = 60 * 86_400.0
MOST_ENTRY_S = 600.0
_WORTH_COMPILING = 5_000_000  # codes to look at


class Options(NamedTuple):
    """``range_s``: how far off clocks are looked for; ``entry_s``: until a code usually arrives."""

    range_s: float = 2 * 86_400.0
    entry_s: float = 12.0
    policy: TotpPolicy = TotpPolicy()


_DEFAULT = Options()


class _Case(NamedTuple):
    """A token so far: its rows by time, and what was made of them."""

    seed: Seed
    rows: list[Row]
    placement: Placement
    codes: Codes | None
    track: Track | None
    found: list[Found]
    corrected: int = 0


def diagnose(
    seeds: Iterable[Seed],
    observations: Sequence[Observation],
    options: Options = _DEFAULT,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Diagnosis:
    """What ``observations`` say of each token; ``progress`` is told of tokens done, of how many."""
    by_serial = {seed.serial_number: seed for seed in seeds}
    rows: dict[str, list[Observation]] = {}
    for row in observations:
        rows.setdefault(row.serial_number, []).append(row)
    faults = faults_of_log(observations, by_serial)
    known = sorted(rows.keys() & by_serial.keys())
    counters = sum(
        len(rows[name]) * 2 * options.range_s / by_serial[name].period_s for name in known
    )
    if counters > _WORTH_COMPILING:
        code_search.warm()
    cases = []
    for number, name in enumerate(known):
        progress(number, len(known))
        by_time = sorted(rows[name], key=lambda row: (row.server_s, row.line))
        found = look_up(by_serial[name], by_time, options.range_s)
        cases.append(_examined(by_serial[name], found, options.entry_s))
    shifts = [shift for case in cases for shift in _shifts(case)]
    of_server = server_faults(shifts, _seen(cases))
    cases = [_corrected(case, of_server, options) for case in cases]
    progress(len(known), len(known))
    tokens = [_told(case, of_server, options) for case in cases]
    for case, token in zip(cases, tokens, strict=True):
        faults += faults_of_token(token, case.placement.ambiguous)
    return Diagnosis(tokens, of_server, faults, words.of_log(tokens, of_server, faults))


def only(diagnosis: Diagnosis, serials: Container[str]) -> Diagnosis:
    """What is in it of the tokens ``serials``; the sentences on the whole log stay."""
    tokens = [token for token in diagnosis.tokens if token.serial_number in serials]
    faults = [f for f in diagnosis.faults if f.serial_number is None or f.serial_number in serials]
    return structs.replace(diagnosis, tokens=tokens, faults=faults)


def _examined(seed: Seed, rows: list[Row], entry_s: float) -> _Case:
    """Codes placed and events found; rows that the track shows to be strays are out."""
    placement = place(rows, seed.period_s, entry_s)
    if not placement.placed:
        return _Case(seed, rows, placement, None, None, [])
    codes = _codes(placement.placed, seed.period_s, delays(entry_s))
    track, found = search(codes)
    return _without_strays(_Case(seed, rows, placement, codes, track, found))


def _codes(placed: Sequence[Placed], period_s: int, waits: Delays) -> Codes:
    """Times count from the first of the codes, so that they are small."""
    first_s = placed[0].server_s
    times = [(row.server_s - first_s) / _MS for row in placed]
    return Codes(times, [Shown(row.low_s, float(period_s)) for row in placed], waits)


def _without_strays(case: _Case) -> _Case:
    codes, track = case.codes, case.track
    assert codes is not None
    assert track is not None
    kept: list[Placed] = []
    strays: list[Placed] = []
    for number, row in enumerate(case.placement.placed):
        belief = track.beliefs[track.code_nodes[number]]
        stray = is_stray(codes.shown[number], codes.delays, belief.offset, belief.offset_variance)
        (strays if stray else kept).append(row)
    if not strays or not kept:
        return case
    unplaced = case.placement.unplaced + [
        Unplaced(row.line, row.server_s, row.accepted, "off track", row.counter) for row in strays
    ]
    unplaced.sort(key=lambda row: (row.server_s, row.line))
    placement = Placement(kept, unplaced, case.placement.ambiguous)
    codes = _codes(kept, case.seed.period_s, codes.delays)
    track, found = search(codes)
    return case._replace(placement=placement, codes=codes, track=track, found=found)


def _offset_at(case: _Case, at_s: float) -> float:
    """The track's offset then, from the last code before or the first after it."""
    assert case.codes is not None
    assert case.track is not None
    at = (at_s - case.placement.placed[0].server_s) / _MS
    before = [node for node in range(len(case.track.nodes)) if case.track.nodes[node].at <= at]
    node = before[-1] if before else 0
    belief = case.track.beliefs[node]
    return belief.offset + belief.rate * (at - case.track.nodes[node].at)


def _shifts(case: _Case) -> list[Shift]:
    """What may be the server's doing: steps, and single rows that are off the track."""
    placed, track = case.placement.placed, case.track
    if track is None or case.codes is None:
        return []
    name, first_s = case.seed.serial_number, placed[0].server_s
    shifts = []
    for found, node in zip(case.found, track.event_nodes, strict=True):
        if found.event.kind == "step":
            mean, variance = track.fit.smoothed.steps[node]
            after_s, before_s = first_s + _MS * found.after, first_s + _MS * found.before
            shifts.append(Shift(name, after_s, before_s, mean, math.sqrt(variance)))
    times = [row.server_s for row in placed]
    for row in case.placement.unplaced:
        if row.reason != "off track" or row.counter is None:
            continue
        period_s = case.seed.period_s
        middle_s = (row.counter + 0.5) * period_s + case.codes.delays.mean_s - row.server_s
        by_s = middle_s - _offset_at(case, row.server_s)
        deviation_s = period_s / math.sqrt(12.0) + 2.0
        earlier = [time for time in times if time < row.server_s]
        later = [time for time in times if time > row.server_s]
        if earlier:
            shifts.append(Shift(name, earlier[-1], row.server_s, by_s, deviation_s))
        if later:
            shifts.append(Shift(name, row.server_s, later[0], -by_s, deviation_s))
    return shifts


def _seen(cases: Sequence[_Case]) -> list[Seen]:
    seen = []
    for case in cases:
        name = case.seed.serial_number
        seen += [Seen(row.server_s, name) for row in case.placement.placed]
        strays = (row for row in case.placement.unplaced if row.reason == "off track")
        seen += [Seen(row.server_s, name) for row in strays]
    return sorted(seen)


def _corrected(case: _Case, faults: Sequence[ServerFault], options: Options) -> _Case:
    """The case anew with the times that the server would have logged had it been right.

    Where it was wrong for good nothing says whether it is right now, so that is left as it is.
    """
    rows = []
    corrected = 0
    for row, counters in case.rows:
        by_s = sum(
            fault.by_s.value
            for fault in faults
            if fault.end is not None and fault.begin.at_s <= row.server_s < fault.end.at_s
        )
        corrected += by_s != 0.0
        rows.append(Row(replace(row, server_s=row.server_s - by_s), counters))
    if not corrected:
        return case
    rows.sort(key=lambda each: (each.row.server_s, each.row.line))
    return _examined(case.seed, rows, options.entry_s)._replace(corrected=corrected)


def _told(case: _Case, faults: Sequence[ServerFault], options: Options) -> TokenDiagnosis:
    placed, unplaced = case.placement.placed, case.placement.unplaced
    empty = TokenDiagnosis(
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
    )
    codes, track = case.codes, case.track
    if codes is None or track is None:
        return words.with_sentences(empty, faults)
    now = track.beliefs[-1]
    first_s = placed[0].server_s
    several = codes.times[-1] > 0.0
    told = structs.replace(
        empty,
        from_s=first_s,
        until_s=placed[-1].server_s,
        offset_s=_estimate(now.offset, now.offset_variance),
        rate_ppm=_estimate(now.rate, now.rate_variance) if several else None,
        mean_rate_ppm=_estimate(*mean_rate(codes, track)) if several else None,
        changes=_changes(case, track, first_s, faults),
        leaves_window=leaving(placed, case.seed.period_s, now, codes.delays, options.policy),
        track=[
            TrackPoint(
                first_s + _MS * node.at,
                belief.offset,
                math.sqrt(belief.offset_variance),
                belief.rate,
                math.sqrt(belief.rate_variance),
            )
            for node, belief in zip(track.nodes, track.beliefs, strict=True)
        ],
    )
    return words.with_sentences(told, faults)


def _estimate(value: float, variance: float) -> Estimate:
    deviation = math.sqrt(variance)
    return Estimate(value, deviation, value - 1.96 * deviation, value + 1.96 * deviation)


def _changes(
    case: _Case, track: Track, first_s: float, faults: Sequence[ServerFault]
) -> list[Change]:
    changes = []
    for found, node in zip(case.found, track.event_nodes, strict=True):
        event, is_step = found.event, found.event.kind == "step"
        when = Dated(
            first_s + _MS * found.after, first_s + _MS * found.before, first_s + _MS * event.at
        )
        smoothed = track.fit.smoothed
        by = _estimate(*(smoothed.steps if is_step else smoothed.rates)[node])
        servers = [
            fault
            for fault in faults
            if case.seed.serial_number in fault.tokens
            and fault.end is None
            and when.after_s <= fault.begin.at_s <= when.before_s
        ]
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
