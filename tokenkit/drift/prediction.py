"""When a token leaves the window of a policy, if nobody signs in with it any more."""

import math
from collections.abc import Callable, Sequence

from tokenkit.drift.diagnosis import Ahead, Leaving, Placed
from tokenkit.drift.smoother import Belief, Node, predict
from tokenkit.drift.track import Codes
from tokenkit.verifier import drift
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.verifier.totp import step

_AHEAD_S = 10 * 365.25 * 86_400.0
_SHORTEST_S = 30 * 86_400.0  # of what a picture shows of the future
_POINTS = 24
_MS = 1e6
_ROOT_2 = math.sqrt(2.0)

_Bounds = Callable[[float], tuple[float, float]]


def leaving(
    rows: Sequence[Placed], period_s: int, belief: Belief, codes: Codes, policy: TotpPolicy
) -> Leaving | None:
    """``belief`` is that at the last of ``rows``, by the server's clock; None if all were refused.

    Where the log does not say what was accepted, all is taken to be that was not refused.
    """
    accepted = [row for row in rows if row.accepted] or [
        row for row in rows if row.accepted is not False
    ]
    if not accepted:
        return None
    now_s, still = rows[-1].server_s, Node(0.0, walk=codes.walk)
    bounds = _bounds(accepted, period_s, codes.delays.mean_s, policy)

    def out(after_s: float) -> float:
        """How likely half of the codes are refused by then."""
        then = predict(belief, after_s / _MS, still)
        low_s, high_s = bounds(now_s + after_s)
        deviation_s = math.sqrt(then.offset_variance)
        below = _normal((low_s - then.offset) / deviation_s)
        return below + _normal((then.offset - high_s) / deviation_s)

    def when_s(probability: float) -> float | None:
        """When it is first so likely."""
        before_s, after_s = 0.0, 0.0
        while out(after_s) < probability:
            if after_s >= _AHEAD_S:
                return None
            before_s, after_s = after_s, min(max(3600.0, 1.1 * after_s), _AHEAD_S)
        while after_s - before_s > 60.0:
            middle_s = (before_s + after_s) / 2.0
            if out(middle_s) < probability:
                before_s = middle_s
            else:
                after_s = middle_s
        return now_s + after_s

    def ahead(after_s: float) -> Ahead:
        then = predict(belief, after_s / _MS, still)
        low_s, high_s = bounds(now_s + after_s)
        deviation_s = math.sqrt(then.offset_variance)
        return Ahead(now_s + after_s, then.offset, deviation_s, low_s, high_s)

    at_s = when_s(0.5)
    shown_s = max(now_s - rows[0].server_s, _SHORTEST_S)
    if at_s is not None:
        shown_s = min(shown_s, max(1.3 * (at_s - now_s), _SHORTEST_S))
    return Leaving(
        at_s=at_s,
        low_s=when_s(0.025),
        high_s=when_s(0.975),
        until_s=now_s + _AHEAD_S,
        outside=out(0.0) >= 0.5,
        policy=in_words(policy),
        path=[ahead(shown_s * n / _POINTS) for n in range(_POINTS + 1)],
    )


def in_words(policy: TotpPolicy) -> str:
    if policy.drift == "rate":
        return f"learned rate, at most ±{policy.max_window_steps}"
    return f"learned offset ±{policy.window_steps}"


def _bounds(
    accepted: Sequence[Placed], period_s: int, delay_s: float, policy: TotpPolicy
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
    for row in accepted[1:]:
        # what is not in the window was accepted by a resynchronisation
        inside = row.counter in drift.window(clock, limits, row.server_s)
        learn = drift.learn if inside else drift.prove
        clock = learn(clock, limits, row.counter, row.server_s)

    def bounds(then_s: float) -> tuple[float, float]:
        low_s, high_s = drift.likely(clock, limits, then_s)
        return low_s - policy.entry_s - half_s + delay_s, high_s + half_s + delay_s

    return bounds


def _normal(z: float) -> float:
    return math.erfc(-z / _ROOT_2) / 2.0
