"""One token of a log: its codes placed, its clock's model, what of it may be the server's doing."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tokenkit.drift.diagnosis import Placed, ServerFault, Unplaced
from tokenkit.drift.events import Model, search
from tokenkit.drift.placing import Placement, Row, place
from tokenkit.drift.server_faults import Seen, Shift
from tokenkit.drift.shown import Delays, Shown, delays, is_stray
from tokenkit.drift.track import Codes
from tokenkit.verifier.seed_file import Seed

MS = 1e6
_ACCIDENT = 0.01  # what is likelier by chance proves nothing


class Case(NamedTuple):
    """A token so far: its rows by time, and what was made of them; no model if none is placed."""

    seed: Seed
    rows: list[Row]
    placement: Placement
    model: Model | None
    corrected: int = 0


def examined(seed: Seed, rows: list[Row], entry_s: float) -> Case:
    """Codes placed and events found; rows that the track shows to be strays are out."""
    placement, waits = place(rows, seed.period_s, entry_s), delays(entry_s)
    placement = _without_accidents(placement, seed)
    if not placement.placed:
        return Case(seed, rows, placement, None)
    model = search(_codes(placement.placed, seed.period_s, waits))
    cleaned = _without_strays(placement, model)
    if cleaned is not placement:
        model = search(_codes(cleaned.placed, seed.period_s, waits))
    return Case(seed, rows, cleaned, model)


def _without_accidents(placement: Placement, seed: Seed) -> Placement:
    """Nothing is placed if as many wrong codes would be codes of such times by accident."""
    if not placement.placed:
        return placement
    count = len(placement.placed) + sum(
        row.reason in ("no time", "off track") for row in placement.unplaced
    )
    away_s = max(abs(row.counter * seed.period_s - row.server_s) for row in placement.placed)
    expected = count * (2.0 * away_s / seed.period_s + 1.0) / 10.0**seed.digits
    if _at_least(len(placement.placed), expected) < _ACCIDENT:
        return placement
    alone = [
        Unplaced(row.line, row.server_s, row.accepted, "alone", row.counter)
        for row in placement.placed
    ]
    unplaced = sorted(placement.unplaced + alone, key=lambda row: (row.server_s, row.line))
    return Placement([], unplaced, [])


def _at_least(count: int, expected: float) -> float:
    """How likely there are so many of what comes by chance, ``expected`` on average (Poisson)."""
    logs = (n * math.log(expected) - expected - math.lgamma(n + 1.0) for n in range(count))
    return 1.0 - sum(map(math.exp, logs))


def _codes(placed: Sequence[Placed], period_s: int, waits: Delays) -> Codes:
    """Times count from the first of the codes, so that they are small."""
    first_s = placed[0].server_s
    times = [(row.server_s - first_s) / MS for row in placed]
    return Codes(times, [Shown(row.low_s, float(period_s)) for row in placed], waits)


def _without_strays(placement: Placement, model: Model) -> Placement:
    codes, track = model.codes, model.track
    kept: list[Placed] = []
    strays: list[Unplaced] = []
    for row, node, code in zip(placement.placed, track.code_nodes, codes.shown, strict=True):
        belief = track.beliefs[node]
        if is_stray(code, codes.delays, belief.offset, belief.offset_variance):
            stray = Unplaced(row.line, row.server_s, row.accepted, "off track", row.counter)
            strays.append(stray)
        else:
            kept.append(row)
    if not strays or not kept:
        return placement
    unplaced = sorted(placement.unplaced + strays, key=lambda row: (row.server_s, row.line))
    return Placement(kept, unplaced, placement.ambiguous)


def shifts(case: Case) -> list[Shift]:
    """What may be the server's doing: steps, and single rows that are off the track."""
    placed, model = case.placement.placed, case.model
    if model is None:
        return []
    name, first_s, track = case.seed.serial_number, placed[0].server_s, model.track
    made = []
    for found, node in zip(model.found, track.event_nodes, strict=True):
        if found.event.kind == "step":
            mean, variance = track.fit.smoothed.steps[node]
            after_s, before_s = first_s + MS * found.after, first_s + MS * found.before
            made.append(Shift(name, after_s, before_s, mean, math.sqrt(variance)))
    times, period_s = [row.server_s for row in placed], case.seed.period_s
    deviation_s = period_s / math.sqrt(12.0) + 2.0
    for row in case.placement.unplaced:
        if row.reason != "off track" or row.counter is None:
            continue
        middle_s = (row.counter + 0.5) * period_s + model.codes.delays.mean_s - row.server_s
        by_s = middle_s - _offset_at(model, (row.server_s - first_s) / MS)
        earlier = [time for time in times if time < row.server_s]
        later = [time for time in times if time > row.server_s]
        if earlier:
            made.append(Shift(name, earlier[-1], row.server_s, by_s, deviation_s))
        if later:
            made.append(Shift(name, row.server_s, later[0], -by_s, deviation_s))
    return made


def _offset_at(model: Model, at: float) -> float:
    """The track's offset then, from the last node before or the first after it."""
    nodes = model.track.nodes
    before = [number for number, node in enumerate(nodes) if node.at <= at]
    number = before[-1] if before else 0
    belief = model.track.beliefs[number]
    return belief.offset + belief.rate * (at - nodes[number].at)


def seen(cases: Sequence[Case]) -> list[Seen]:
    """All rows that are on a track, or are codes of the token all the same, by time."""
    found = []
    for case in cases:
        name = case.seed.serial_number
        found += [Seen(row.server_s, name) for row in case.placement.placed]
        strays = (row for row in case.placement.unplaced if row.reason == "off track")
        found += [Seen(row.server_s, name) for row in strays]
    return sorted(found)


def corrected(case: Case, faults: Sequence[ServerFault], entry_s: float) -> Case:
    """The case anew with the times that the server would have logged had it been right.

    Where it was wrong for good nothing says whether it is right now, so that is left as it is.
    """
    rows = []
    count = 0
    for row, counters in case.rows:
        by_s = sum(
            fault.by_s.value
            for fault in faults
            if fault.end is not None and fault.begin.at_s <= row.server_s < fault.end.at_s
        )
        count += by_s != 0.0
        rows.append(Row(replace(row, server_s=row.server_s - by_s), counters))
    if not count:
        return case
    rows.sort(key=lambda each: (each.row.server_s, each.row.line))
    return examined(case.seed, rows, entry_s)._replace(corrected=count)
