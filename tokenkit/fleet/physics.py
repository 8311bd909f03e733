"""A token's clock, compiled: what ``TokenClock`` and ``Oscillator`` of the object model say.

A sign-in asks which time step a token is in, and mostly the step's edges are far. So a ``Clock``
keeps a straight line for the days around what was last asked for, and how far the clock can be
from it; only where an edge is as near as that is the noise drawn any finer. The answer is the same.
"""

import math
from typing import Any

import numpy as np

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.tree import TREE, descend, enter, line, phase_s, plant
from tokenkit.virtual import (
    LEAF_S,
    LEVELS,
    LIFE_S,
    SPAN_S,
    ageing_ppm,
    daily_angle,
    daily_moments,
    noise_variances,
    steady_error_s,
)

for formula in (ageing_ppm, daily_angle, daily_moments, noise_variances, steady_error_s):
    shared(formula)

# A line is as long as it can be within this many time steps, and at most 49 days long, for ageing
# bends it. Chosen for daily sign-ins: shorter ones are drawn more often, longer ones decide less.
_LIMIT = 0.02
_FIRST_LEVEL = 7

_OMEGA = 2.0 * math.pi / 86_400.0

# What is known of one token's clock.
CLOCK = np.dtype(
    [
        ("ageing_ppm", "f8"),
        ("level", "i8"),  # of the tree, of the line's interval
        ("stay", "i8"),  # that was last asked for
        # The stretch between clock events that was last asked for. At its start the clock's error
        # is error_s and, if it runs, the crystal's is crystal_s.
        ("start_s", "f8"),
        ("end_s", "f8"),
        ("error_s", "f8"),
        ("crystal_s", "f8"),
        ("runs", "?"),
        ("replaced", "?"),  # by another one, to which the token's events do not happen
        # The line: token time in time steps is steps + slope * (true_s - from_s), up to ± limit.
        ("from_s", "f8"),
        ("until_s", "f8"),
        ("steps", "f8"),
        ("slope", "f8"),
        ("limit", "f8"),
        ("tree", TREE),
    ]
)


def new_clock() -> Any:
    """Room for the clock of one token after another: a record, an argument of a kernel.

    What it holds of a token makes the next answer cheap and changes none. One thread, one clock.
    """
    return np.zeros(1, CLOCK)[0]


@shared
def begin(token: Any, clock: Any) -> None:
    """Turn to ``token``, a record of TOKEN, or back to it."""
    white, random_walk = noise_variances(token.white_adev_1s, token.random_walk_adev_1day)
    plant(clock.tree, token.noise_key, white, random_walk)
    clock.ageing_ppm = ageing_ppm(token.ageing_ppm_first_year, token.ageing_tau_s)
    clock.replaced = False
    clock.level = _FIRST_LEVEL
    while (
        clock.level < LEVELS - 1
        and clock.tree.levels[clock.level].limit_s > _LIMIT * token.period_s
    ):
        clock.level += 1
    clock.stay = 0
    clock.start_s = clock.end_s = clock.from_s = clock.until_s = math.inf


@shared
def replace(token: Any, stays: Any, events: Any, true_s: float, clock: Any) -> None:
    """Put another one in the token's place, with the same crystal, and right at ``true_s``.

    From then on it may be asked for no time before that, until the next :func:`begin`.
    """
    _find_stretch(token, stays, events, true_s, clock)
    clock.start_s, clock.end_s, clock.error_s = true_s, math.inf, 0.0
    clock.crystal_s = _crystal_s(token, stays, true_s, clock)
    clock.runs = clock.replaced = True
    clock.from_s = clock.until_s = math.inf


@shared
def error_s(token: Any, stays: Any, events: Any, true_s: float, clock: Any) -> float:
    """Token time less true time, as ``TokenClock.error_s``; ValueError outside the clock's life."""
    _find_stretch(token, stays, events, true_s, clock)
    since_start_s: float
    if clock.runs:
        since_start_s = _crystal_s(token, stays, true_s, clock) - clock.crystal_s
    else:
        since_start_s = clock.start_s - true_s
    error_s: float = clock.error_s + since_start_s
    return error_s


@shared
def token_counter(token: Any, stays: Any, events: Any, true_s: float, clock: Any) -> int:
    """The time step that the token is in: token time by period, rounded down.

    ``token`` is what :func:`begin` was given, its rows of STAY and EVENT are slices of ``stays``
    and ``events``. ValueError outside the clock's life.
    """
    if clock.from_s <= true_s < clock.until_s:
        steps: float = clock.steps + clock.slope * (true_s - clock.from_s)
        if _is_amid(steps, clock.limit):
            return math.floor(steps)
    return _by_a_new_line(token, stays, events, true_s, clock)


@shared
def _by_a_new_line(token: Any, stays: Any, events: Any, true_s: float, clock: Any) -> int:
    if not clock.from_s <= true_s < clock.until_s:
        _find_stretch(token, stays, events, true_s, clock)
        if not clock.runs:
            token_s: float = clock.start_s + clock.error_s
            return int(token_s // token.period_s)
        _draw_line(token, stays, true_s, clock)
        steps: float = clock.steps + clock.slope * (true_s - clock.from_s)
        if _is_amid(steps, clock.limit):
            return math.floor(steps)
    return _near_an_edge(token, stays, true_s, clock)


@shared
def _is_amid(steps: float, limit: float) -> bool:
    """Whether all within ``limit`` is in one time step."""
    return limit < steps - math.floor(steps) < 1.0 - limit


@shared
def _limit(limit_s: float, token_s: float, period_s: int) -> float:
    """In time steps, with room for whatever is rounded."""
    return (limit_s + 1e-6 + 1e-15 * abs(token_s)) / period_s


@shared
def _near_an_edge(token: Any, stays: Any, true_s: float, clock: Any) -> int:
    """Go down the tree until it is decided, at the latest at the leaf."""
    tree = clock.tree
    steady_s = _steady_s(token, stays, true_s, clock)
    elapsed_s = true_s - token.born_s
    span = int(elapsed_s // SPAN_S)
    enter(tree, span)
    within_s = elapsed_s - span * SPAN_S
    leaf = int(within_s / LEAF_S)
    token_s: float
    for level in range(clock.level, LEVELS):
        descend(tree, leaf, level)
        from_s, start_s, slope, limit_s = line(tree, level)
        inside_s = start_s + slope * (within_s - from_s)
        noise_s = tree.phase_s + tree.rate * within_s + inside_s
        token_s = true_s + (clock.error_s + (steady_s + noise_s - clock.crystal_s))
        steps: float = token_s / token.period_s
        if _is_amid(steps, _limit(limit_s, token_s, token.period_s)):
            return math.floor(steps)
    crystal_s = steady_s + phase_s(tree, elapsed_s)
    token_s = true_s + (clock.error_s + (crystal_s - clock.crystal_s))
    return int(token_s // token.period_s)


@shared
def _draw_line(token: Any, stays: Any, true_s: float, clock: Any) -> None:
    """The line around ``true_s``: within one interval of the noise, one stay and one stretch."""
    tree = clock.tree
    elapsed_s = true_s - token.born_s
    span = int(elapsed_s // SPAN_S)
    enter(tree, span)
    within_s = elapsed_s - span * SPAN_S
    descend(tree, int(within_s / LEAF_S), clock.level)
    noise_from_s, noise_s, slope, limit_s = line(tree, clock.level)

    _find_stay(token, stays, true_s, clock)
    span_s = token.born_s + span * SPAN_S
    from_s = max(span_s + noise_from_s, clock.start_s)
    until_s = min(span_s + noise_from_s + 2.0 * tree.levels[clock.level].h, clock.end_s)
    stay = stays[token.first_stay + clock.stay]
    if clock.stay > 0:
        from_s = max(from_s, stay.from_s)
    if clock.stay + 1 < token.stays:
        until_s = min(until_s, stays[token.first_stay + clock.stay + 1].from_s)
    clock.from_s, clock.until_s = from_s, until_s

    first_s = _steady_in_s(token, stay, from_s, clock.ageing_ppm)
    last_s = _steady_in_s(token, stay, until_s, clock.ageing_ppm)
    length_s = until_s - from_s
    steady_slope = (last_s - first_s) / length_s if length_s > 0.0 else 0.0
    # Ageing bends the less the older the crystal is. The day's swing, T = m + s·cos θ, goes back
    # and forth by at most |k|·|s|·(2·|m - T₀| + |s|/4)/ω.
    bend = 1e-6 * abs(clock.ageing_ppm) / (from_s - token.born_s + token.ageing_tau_s)
    swing_c = abs(stay.swing_c)
    swing_s = 1e-6 * abs(token.parabola_ppm_per_c2) * swing_c / _OMEGA
    swing_s *= 2.0 * abs(stay.mean_c - token.turnover_c) + 0.25 * swing_c
    limit_s += bend * length_s**2 / 8.0 + 2.0 * swing_s

    clock.slope = (1.0 + (tree.rate + slope + steady_slope)) / token.period_s
    noise_s = tree.phase_s + tree.rate * (from_s - span_s)
    noise_s += tree.levels[clock.level].x0 + slope * (from_s - span_s - noise_from_s)
    error_s = clock.error_s + (first_s + noise_s - clock.crystal_s)
    clock.steps = (from_s + error_s) / token.period_s
    clock.limit = _limit(limit_s, from_s + error_s, token.period_s)


@shared
def _crystal_s(token: Any, stays: Any, true_s: float, clock: Any) -> float:
    """As ``Oscillator.error_s``."""
    return _steady_s(token, stays, true_s, clock) + phase_s(clock.tree, true_s - token.born_s)


@shared
def _steady_s(token: Any, stays: Any, true_s: float, clock: Any) -> float:
    """What the crystal gained but for the noise."""
    _find_stay(token, stays, true_s, clock)
    return _steady_in_s(token, stays[token.first_stay + clock.stay], true_s, clock.ageing_ppm)


@shared
def _find_stay(token: Any, stays: Any, true_s: float, clock: Any) -> None:
    # a time at which it is moved counts to the stay before
    while clock.stay + 1 < token.stays and stays[token.first_stay + clock.stay + 1].from_s < true_s:
        clock.stay += 1
    while clock.stay > 0 and stays[token.first_stay + clock.stay].from_s >= true_s:
        clock.stay -= 1


@shared
def _steady_in_s(token: Any, stay: Any, true_s: float, ageing: float) -> float:
    first, second = daily_moments(stay.mean_c, stay.swing_c, stay.warmest_hour, stay.from_s, true_s)
    return steady_error_s(
        true_s - token.born_s,
        stay.first + first,
        stay.second + second,
        token.tolerance_ppm,
        token.parabola_ppm_per_c2,
        token.turnover_c,
        ageing,
        token.ageing_tau_s,
    )


@shared
def _find_stretch(token: Any, stays: Any, events: Any, true_s: float, clock: Any) -> None:
    """Set the stretch around ``true_s``: all events up to it, as ``TokenClock`` takes them."""
    if not 0.0 <= true_s - token.born_s < LIFE_S:  # also refuses NaN
        raise ValueError("a token's clock is asked for a time before it was set, or past its life")
    if clock.start_s <= true_s < clock.end_s:
        return
    clock.from_s = clock.until_s = math.inf
    start_s, error_s, crystal_s, runs = token.born_s, 0.0, 0.0, True
    end_s = math.inf
    for number in range(token.first_event, token.first_event + token.events):
        event = events[number]
        if event.at_s > true_s:
            end_s = event.at_s
            break
        if runs:
            error_s += _crystal_s(token, stays, event.at_s, clock) - crystal_s
        else:
            error_s -= event.at_s - start_s
        start_s = event.at_s
        if math.isnan(event.until_s):  # it jumps
            error_s += event.by_s
        elif event.until_s > true_s:
            runs = False
            if event.until_s < math.inf:
                end_s = event.until_s
                break
        else:
            error_s -= event.until_s - start_s
            start_s, runs = event.until_s, True
        if runs:
            crystal_s = _crystal_s(token, stays, start_s, clock)
    clock.start_s, clock.end_s, clock.error_s = start_s, end_s, error_s
    clock.crystal_s, clock.runs = crystal_s, runs
