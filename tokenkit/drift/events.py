"""Which events of its clock explain a token's codes: models compared by their evidence.

Events are added one by one, each where it makes the codes most probable, as long as the odds are
for it. Where to try them is told by a filter that runs forwards and one that runs backwards, which
meet in each gap between two codes.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tokenkit.drift.estimate import matched
from tokenkit.drift.shown import is_stray
from tokenkit.drift.smoother import RATE_WALK, Belief, Node, predict, update
from tokenkit.drift.track import Codes, Event, Kind, Track, follow, nodes_of

_SIZES: dict[Kind, tuple[float, ...]] = {
    "step": (30.0, 600.0, 20_000.0),
    "rate": (3.0, 15.0),
}  # seconds; ppm
_RARE = 5.0  # minus the logarithm of the prior probability of an event in a gap
_DOUBT = 6.0  # by how much the worth by a single pass may be off
_FAR = 15.0  # what is worth less by so much than the best is not looked at
_APART = (0, 1, 2, 4, 8)  # gaps
_LONG = 0.5  # megaseconds: in longer gaps the date of a change of rate is looked for
_ODDS = 3.0  # natural logarithm of the odds from which on an event is believed
# how the rate may wander, 0.7 to 21 ppm in a year, and the logarithm of how likely it is at first
_RESTLESS = (
    (RATE_WALK, 0.0),
    (10.0 * RATE_WALK, -2.0),
    (100.0 * RATE_WALK, -3.0),
    (1000.0 * RATE_WALK, -4.0),
)
_UNLIKELY = 0.005
_MOST = 12
_MANY = 300  # codes of a token: from there on a search is dear
_TRIED = 3
_RUNS = 2


_Follow = Callable[[Iterable[Event]], Track]


class Found(NamedTuple):
    """An event of the final model, the odds for it, and the interval of its date (95 %)."""

    event: Event
    log_odds: float
    after: float
    before: float


class Model(NamedTuple):
    """What explains the codes best; ``codes.walk`` says how restless the clock is.

    ``others`` are (probability, codes, track) of it and of the same with clocks more or less
    restless: which it is matters for what is known of offset and rate, and is not known for sure.
    """

    codes: Codes
    track: Track
    found: list[Found]
    others: list[tuple[float, Codes, Track]]


def search(codes: Codes) -> Model:
    """The most probable model, and each of its events in order of time.

    A token that is carried about runs at one rate after the other: that may be told by events, or
    if there are too many of them by a restless clock. Of many codes the clock that explains them
    best without any events is searched first, for most of the others need no search then.
    """
    tracks: list[tuple[float, Codes, Track]] = []
    best = -math.inf
    clocks = [(log_prior, codes._replace(walk=walk)) for walk, log_prior in _RESTLESS]
    follows = {restless.walk: _remembered(restless) for _, restless in clocks}
    many = len(codes.times) > _MANY
    if many:
        clocks.sort(key=lambda clock: clock[0] + _score(follows[clock[1].walk](())), reverse=True)
    for log_prior, restless in clocks:
        follow = follows[restless.walk]
        # with no events, or with those that another clock needs
        track = max((follow(each.events) for _, _, each in tracks), key=_score, default=follow(()))
        track = max(track, follow(()), key=_score)
        if log_prior + _score(track) > best:
            track = _search(restless, follow, track if many else follow(()))
        tracks.append((log_prior + _score(track), restless, track))
        best = max(best, tracks[-1][0])
    total = sum(math.exp(log - best) for log, _, _ in tracks)
    others = [(math.exp(log - best) / total, each, track) for log, each, track in tracks]
    _, codes, track = max(others, key=lambda each: each[0])
    follow = follows[codes.walk]
    found = [_found(codes, follow, track, event) for event in track.events]
    return Model(codes, track, found, [each for each in others if each[0] > _UNLIKELY])


def _search(codes: Codes, follow: _Follow, track: Track) -> Track:
    while len(track.events) < _MOST:
        for proposals in (_proposals(codes, track), _there_and_back(codes, track)):
            best = max(map(follow, proposals), key=_score, default=track)
            if _score(best) > _score(track) + _ODDS:
                break
        else:
            break
        track = best
    return _pruned(follow, _moved(codes, follow, track))


def _remembered(codes: Codes) -> _Follow:
    """:func:`follow`, for models are asked for again."""
    tracks: dict[tuple[Event, ...], Track] = {}

    def remembered(events: Iterable[Event]) -> Track:
        key = tuple(sorted(events))
        if key not in tracks:
            tracks[key] = follow(codes, key)
        return tracks[key]

    return remembered


def _without(track: Track, event: Event) -> tuple[Event, ...]:
    return tuple(each for each in track.events if each is not event)


def _score(track: Track) -> float:
    """Log evidence and log prior."""
    return track.fit.log_evidence + sum(map(_log_prior, track.events))


def _log_prior(event: Event) -> float:
    return -math.log(len(_SIZES[event.kind])) - _RARE


def _proposals(codes: Codes, track: Track) -> Iterator[tuple[Event, ...]]:
    """What may be better than ``track``: with one event more, or two that only work together."""
    plain, screened = _screened(codes, track.events)
    candidates = sorted(screened, reverse=True)
    steps = _best_apart(candidates, "step")
    least = max(plain + _ODDS - _DOUBT, candidates[0][0] - _FAR) if candidates else 0.0
    for score, event in [*steps, *_best_apart(candidates, "rate")]:
        if score > least:
            yield (*track.events, event)
    # a stay in the cold looks like a step, as long as nobody asks what came before and after
    likely: list[tuple[int, Sequence[Event]]] = []
    if len(codes.times) <= _MANY:  # else it is asked once, when the step is found
        likely += [(e.gap, _without(track, e)) for e in track.events if e.kind == "step"]
    if steps and steps[0][0] > plain + _ODDS:
        likely.append((steps[0][1].gap, track.events))
    for gap, others in likely:
        pairs = sorted(_stays(codes, gap, others), reverse=True)
        for _, pair in pairs[:2]:
            yield (*others, *pair)


def _there_and_back(codes: Codes, track: Track) -> Iterator[tuple[Event, ...]]:
    """Two steps around codes in a row that are off the track: one alone explains nothing."""
    runs = sorted(_strays(codes, track), key=lambda run: run[0] - run[1])
    for first, last in runs[:_RUNS]:
        gaps = [gap for gap in (first - 1, last) if 0 <= gap < len(codes.times) - 1]
        for size in _SIZES["step"][1:]:
            yield (*track.events, *(_amid(codes, gap, "step", size) for gap in gaps))


def _best_apart(candidates: list[tuple[float, Event]], kind: str) -> list[tuple[float, Event]]:
    """The best few of that kind, no two of them side by side."""
    best: list[tuple[float, Event]] = []
    for score, event in candidates:
        if event.kind == kind and all(abs(event.gap - other.gap) > 1 for _, other in best):
            best.append((score, event))
            if len(best) == _TRIED:
                break
    return best


def _stays(
    codes: Codes, gap: int, others: Sequence[Event]
) -> Iterator[tuple[float, tuple[Event, Event]]]:
    """Two changes of rate around ``gap``, with their worth by a single pass."""
    size = _SIZES["rate"][-1]
    for before, after in itertools.product(_APART, _APART):
        begin, end = gap - before, gap + after
        if 0 <= begin < end < len(codes.times) - 1:
            pair = _amid(codes, begin, "rate", size), _amid(codes, end, "rate", size)
            yield _ahead(codes, [*others, *pair])[-1].log, pair


def _amid(codes: Codes, gap: int, kind: Kind, size: float) -> Event:
    return Event((codes.times[gap] + codes.times[gap + 1]) / 2.0, gap, kind, size)


def _strays(codes: Codes, track: Track) -> list[tuple[int, int]]:
    """Runs of two and more codes in a row that are off the track."""
    runs: list[tuple[int, int]] = []
    for number, node in enumerate(track.code_nodes):
        belief = track.beliefs[node]
        if is_stray(codes.shown[number], codes.delays, belief.offset, belief.offset_variance):
            if runs and runs[-1][1] == number - 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
    return [run for run in runs if run[1] > run[0]]


class _Filtered(NamedTuple):
    belief: Belief
    log: float


def _filtered(
    prior: Belief, steps: Iterable[tuple[list[Node], float, int]], codes: Codes
) -> list[_Filtered]:
    """Belief and evidence after each code, in one pass; a step: nodes before it, its time, it."""
    belief, log, before = prior, 0.0, None
    passed = []
    for nodes, time, number in steps:
        for node in [*nodes, Node(time, walk=codes.walk)]:
            if before is not None:
                belief = predict(belief, node.at - before, node)
            before = node.at
        factor, more = matched(
            codes.shown[number], codes.delays, belief.offset, belief.offset_variance
        )
        belief, log = update(belief, factor), log + more
        passed.append(_Filtered(belief, log))
    return passed


def _by_gap(codes: Codes, events: Iterable[Event]) -> dict[int, list[Node]]:
    gaps: dict[int, list[Node]] = {}
    for event in sorted(events):
        gaps.setdefault(event.gap, []).extend(nodes_of(event, codes.walk))
    return gaps


def _ahead(codes: Codes, events: Iterable[Event]) -> list[_Filtered]:
    gaps = _by_gap(codes, events)
    steps = ((gaps.get(n - 1, []), time, n) for n, time in enumerate(codes.times))
    return _filtered(codes.prior, steps, codes)


def _screened(codes: Codes, events: Sequence[Event]) -> tuple[float, Iterator[tuple[float, Event]]]:
    """What ``events`` are worth by a single pass; and with one event more, in each gap."""
    ahead, log_prior = _ahead(codes, events), sum(map(_log_prior, events))
    more = ((log_prior + log, event) for log, event in _one_more(codes, events, ahead))
    return log_prior + ahead[-1].log, more


def _one_more(
    codes: Codes, events: Sequence[Event], ahead: list[_Filtered]
) -> Iterator[tuple[float, Event]]:
    """The passes from both ends meet in the gap."""
    times, gaps = codes.times, _by_gap(codes, events)
    last = codes.shown[-1]
    prior = codes.prior._replace(offset=last.low_s + last.period_s / 2.0)
    mirrored = (
        ([node._replace(at=-node.at) for node in reversed(gaps.get(n, []))], -times[n], n)
        for n in reversed(range(len(times)))
    )
    behind = _filtered(prior, mirrored, codes)[::-1]
    for gap in range(len(times) - 1):
        later = behind[gap + 1]
        met = later.belief._replace(rate=-later.belief.rate, covariance=-later.belief.covariance)
        log = ahead[gap].log + later.log
        for event in _events_in(codes, gap):
            nodes = sorted(
                [*gaps.get(gap, []), *nodes_of(event, codes.walk)], key=lambda node: node.at
            )
            belief, before = ahead[gap].belief, times[gap]
            for node in [*nodes, Node(times[gap + 1], walk=codes.walk)]:
                belief, before = predict(belief, node.at - before, node), node.at
            yield log + _met(belief, met, prior) + _log_prior(event), event


def _events_in(codes: Codes, gap: int) -> Iterator[Event]:
    begin, end = codes.times[gap], codes.times[gap + 1]
    if end <= begin:
        return
    for size in _SIZES["step"]:
        yield _amid(codes, gap, "step", size)
    parts = 3 if end - begin > _LONG else 1
    for size, part in itertools.product(_SIZES["rate"], range(parts)):
        yield Event(begin + (part + 0.5) / parts * (end - begin), gap, "rate", size)


def _met(ahead: Belief, behind: Belief, prior: Belief) -> float:
    """Log of the integral of ``ahead`` times ``behind`` less ``prior``, which both start from."""
    oo = ahead.offset_variance + behind.offset_variance
    r = ahead.covariance + behind.covariance
    rr = ahead.rate_variance + behind.rate_variance
    determinant = max(oo * rr - r * r, 1e-300)
    offset, rate = behind.offset - ahead.offset, behind.rate - ahead.rate
    a, b = (rr * offset - r * rate) / determinant, (oo * rate - r * offset) / determinant
    log = -0.5 * (offset * a + rate * b + math.log(determinant))
    # the prior, wide as it is, at where they meet
    at_offset = ahead.offset + ahead.offset_variance * a + ahead.covariance * b - prior.offset
    at_rate = ahead.rate + ahead.covariance * a + ahead.rate_variance * b - prior.rate
    log += 0.5 * math.log(prior.offset_variance * prior.rate_variance)
    return log + 0.5 * (at_offset**2 / prior.offset_variance + at_rate**2 / prior.rate_variance)


def _moved(codes: Codes, follow: _Follow, track: Track) -> Track:
    """Each event where it fits best, now that the others are there."""
    for number in range(len(track.events)):
        event = track.events[number]
        others = _without(track, event)
        _, screened = _screened(codes, others)
        candidates = sorted((c for c in screened if c[1].kind == event.kind), reverse=True)
        for _, candidate in candidates[:2]:
            other = follow((*others, candidate))
            if _score(other) > _score(track):
                track = other
    return track


def _pruned(follow: _Follow, track: Track) -> Track:
    """Without events that the others make needless."""
    while track.events:
        best = max((follow(_without(track, event)) for event in track.events), key=_score)
        if _score(best) + _ODDS < _score(track):
            break
        track = best
    return track


def _found(codes: Codes, follow: _Follow, track: Track, event: Event) -> Found:
    others = _without(track, event)
    log_odds = _score(track) - _score(follow(others))
    weights: dict[int, float] = {}
    _, screened = _screened(codes, others)
    near = [c for c in screened if c[1].kind == event.kind]
    top = max(score for score, _ in near)
    for score, each in near:
        length = max(codes.times[each.gap + 1] - codes.times[each.gap], 1e-6)
        weights[each.gap] = weights.get(each.gap, 0.0) + length * math.exp(score - top)
    low = high = event.gap
    total, mass = sum(weights.values()), weights.get(event.gap, 0.0)
    while mass < 0.97 * total and (low > 0 or high < len(codes.times) - 2):
        below, above = weights.get(low - 1, -1.0), weights.get(high + 1, -1.0)
        if below >= above:
            low, mass = low - 1, mass + max(below, 0.0)
        else:
            high, mass = high + 1, mass + max(above, 0.0)
    return Found(event, log_odds, codes.times[low], codes.times[high + 1])
