"""When a token leaves the window of a policy, or left it, if no further code is accepted."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from tokenkit.drift.diagnosis import Ahead, Leaving, Placed, TrackPoint
from tokenkit.drift.smoother import Belief, Node, predict
from tokenkit.drift.track import Codes
from tokenkit.verifier import drift
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.verifier.totp import step

_AHEAD_S = 10 * 365.25 * 86_400.0
_SHORTEST_S = 30 * 86_400.0  # of what a picture shows of the future
_POINTS = 24
_MS = 1e6
_ROUNDED_S = 0.001  # times of a track are rounded
_ROOT_2 = math.sqrt(2.0)

_Bounds = Callable[[float], tuple[float, float]]


def leaving(
    rows: Sequence[Placed],
    period_s: int,
    track: Sequence[TrackPoint],
    belief: Belief,
    codes: Codes,
    policy: TotpPolicy,
) -> Leaving | None:
    """The window is that after the last code of ``rows`` that was accepted; None if none was.

    ``track`` tells the clock until the last of ``rows``; ``belief`` is that there, by which the
    clock is predicted from then on.

    Where the log does not say what was accepted, all is taken to be that was not refused.
    """
    accepted = [row for row in rows if row.accepted] or [
        row for row in rows if row.accepted is not False
    ]
    if not accepted:
        return None
    from_s, now_s, still = accepted[-1].server_s, rows[-1].server_s, Node(0.0, walk=codes.walk)
    since = [point for point in track if point.at_s > from_s - _ROUNDED_S]
    refused_s = [row.server_s for row in rows if row.accepted is False]
    bounds = _bounds(accepted, refused_s, period_s, codes.delays.mean_s, policy)

    def ahead(at_s: float) -> Ahead:
        if at_s < now_s:
            offset_s, deviation_s = _along(since, at_s)
        else:
            then = predict(belief, (at_s - now_s) / _MS, still)
            offset_s, deviation_s = then.offset, math.sqrt(then.offset_variance)
        return Ahead(at_s, offset_s, deviation_s, *bounds(at_s))

    def out(at_s: float) -> float:
        """How likely half of the codes are refused then."""
        then = ahead(at_s)
        below = _normal((then.low_s - then.offset_s) / then.offset_deviation_s)
        return below + _normal((then.offset_s - then.high_s) / then.offset_deviation_s)

    def when_s(probability: float) -> float | None:
        """When it is first so likely; since when, if it is at the last of ``rows``."""
        if out(now_s) >= probability:
            before_s = after_s = now_s
            while before_s == after_s or out(before_s) >= probability:
                earlier = [point.at_s for point in since if point.at_s < before_s]
                if not earlier:
                    return from_s
                before_s, after_s = earlier[-1], before_s
        else:
            before_s = after_s = now_s
            while out(after_s) < probability:
                if after_s >= now_s + _AHEAD_S:
                    return None
                further_s = min(max(3600.0, 1.1 * (after_s - now_s)), _AHEAD_S)
                before_s, after_s = after_s, now_s + further_s
        while after_s - before_s > 60.0:
            middle_s = (before_s + after_s) / 2.0
            if out(middle_s) < probability:
                before_s = middle_s
            else:
                after_s = middle_s
        return after_s

    at_s, refused = when_s(0.5), [row for row in rows if row.server_s > from_s]
    refused = [row for row in refused if row.accepted is False]
    shown_s = max(now_s - rows[0].server_s, _SHORTEST_S)
    if at_s is not None:
        shown_s = min(shown_s, max(1.3 * (at_s - now_s), _SHORTEST_S))
    past = range(_POINTS if from_s < now_s else 0)
    return Leaving(
        at_s=at_s,
        low_s=when_s(0.025),
        high_s=when_s(0.975),
        until_s=now_s + _AHEAD_S,
        outside=out(now_s) >= 0.5,
        policy=in_words(policy),
        path=[
            *(ahead(from_s + (now_s - from_s) * n / _POINTS) for n in past),
            *(ahead(now_s + shown_s * n / _POINTS) for n in range(_POINTS + 1)),
        ],
        from_s=from_s,
        refused_s=refused[0].server_s if refused else None,
        refused_line=refused[0].line if refused else None,
        resynchronises=abs(belief.offset) <= policy.resync_range_s,
    )


def _along(track: Sequence[TrackPoint], at_s: float) -> tuple[float, float]:
    """Offset and its deviation, straight from point to point; at a step, after it."""
    number = max(bisect_right(track, at_s, key=lambda point: point.at_s) - 1, 0)
    one, other = track[number], track[min(number + 1, len(track) - 1)]
    share = (at_s - one.at_s) / max(other.at_s - one.at_s, 1.0)
    return (
        one.offset_s + share * (other.offset_s - one.offset_s),
        one.offset_deviation_s + share * (other.offset_deviation_s - one.offset_deviation_s),
    )


def in_words(policy: TotpPolicy) -> str:
    if policy.drift == "rate":
        return f"learned rate, at most ±{policy.max_window_steps}"
    return f"learned offset ±{policy.window_steps}"


def _bounds(
    accepted: Sequence[Placed],
    refused_s: Sequence[float],
    period_s: int,
    delay_s: float,
    policy: TotpPolicy,
) -> _Bounds:
    """Between which offsets more than half of the codes are accepted at a time."""
    half_s = period_s / 2.0
    if policy.drift == "offset":
        last = accepted[-1]
        learned_s = float((last.counter - step(last.server_s, period_s)) * period_s)
        reach_s = policy.window_steps * period_s + half_s
        low_s, high_s = learned_s - reach_s + delay_s, learned_s + reach_s + delay_s
        return lambda _: (low_s, high_s)
    limits = drift.limits_of(policy, period_s)
    clock = drift.prove(None, limits, accepted[0].counter, accepted[0].server_s)
    for before, row in pairwise(accepted):
        wrong = bisect_right(refused_s, row.server_s) - bisect_right(refused_s, before.server_s)
        # what is not in the window was accepted by a resynchronisation
        inside = row.counter in drift.window(clock, limits, row.server_s, wrong)
        learn = drift.learn if inside else drift.prove
        clock = learn(clock, limits, row.counter, row.server_s)

    def bounds(then_s: float) -> tuple[float, float]:
        low_s, high_s = drift.likely(clock, limits, then_s)
        return low_s - policy.entry_s - half_s + delay_s, high_s + half_s + delay_s

    return bounds


def _normal(z: float) -> float:
    return math.erfc(-z / _ROOT_2) / 2.0
