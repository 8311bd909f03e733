"""A token's clock, compiled: what ``TokenClock`` and ``Oscillator`` of the object model say.

A sign-in asks which time step a token is in, and mostly the step's edges are far. So a ``Clock``
keeps a straight line for the days around what was last asked for, and how far the clock can be
from it; only where an edge is as near as that is the noise drawn any finer. The answer is the same.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.tree import Path, descend, enter, line, new_path, phase_s, plant
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
        # The line: token time is within limit_s of (true_s + line_s + slope * (true_s - from_s)).
        ("from_s", "f8"),
        ("until_s", "f8"),
        ("line_s", "f8"),
        ("slope", "f8"),
        ("limit_s", "f8"),
    ]
)


class Clock(NamedTuple):
    """Room for one token's clock: one CLOCK, and the noise."""

    state: Any
    path: Path


@shared
def new_clock() -> Clock:
    """Room that :func:`begin` gives to one token after another."""
    return Clock(np.zeros(1, CLOCK), new_path())


@shared
def begin(token: Any, clock: Clock) -> None:
    """Turn to ``token``, a record of TOKEN, or back to it."""
    white, random_walk = noise_variances(token.white_adev_1s, token.random_walk_adev_1day)
    plant(clock.path, token.noise_key, white, random_walk)
    state = clock.state[0]
    state.ageing_ppm = ageing_ppm(token.ageing_ppm_first_year, token.ageing_tau_s)
    state.level = 0
    while (
        state.level < LEVELS - 1 and clock.path.levels[state.level].limit_s > 0.02 * token.period_s
    ):
        state.level += 1
    state.stay = 0
    state.start_s = state.end_s = state.from_s = state.until_s = math.inf


@shared
def error_s(token: Any, stays: Any, events: Any, true_s: float, clock: Clock) -> float:
    """Token time less true time, as ``TokenClock.error_s``; ValueError outside the clock's life."""
    _find_stretch(token, stays, events, true_s, clock)
    state = clock.state[0]
    since_start_s: float
    if state.runs:
        since_start_s = _crystal_s(token, stays, true_s, clock) - state.crystal_s
    else:
        since_start_s = state.start_s - true_s
    error_s: float = state.error_s + since_start_s
    return error_s


@shared
def token_counter(token: Any, stays: Any, events: Any, true_s: float, clock: Clock) -> int:
    """The time step that the token is in: token time by period, rounded down.

    ``token`` is what :func:`begin` was given, its rows of STAY and EVENT are slices of ``stays``
    and ``events``. ValueError outside the clock's life.
    """
    state = clock.state[0]
    token_s: float
    if not state.from_s <= true_s < state.until_s:
        _find_stretch(token, stays, events, true_s, clock)
        if not state.runs:
            token_s = state.start_s + state.error_s
            return int(token_s // token.period_s)
        _draw_line(token, stays, true_s, clock)
    token_s = true_s + (state.line_s + state.slope * (true_s - state.from_s))
    if _decided(token_s, state.limit_s, token.period_s):
        return _step(token_s, token.period_s)
    return _near_an_edge(token, stays, true_s, clock)


@shared
def _decided(token_s: float, limit_s: float, period_s: int) -> bool:
    """Whether all times within ``limit_s`` are in one time step, whatever is rounded."""
    limit_s += 1e-6 + 1e-15 * abs(token_s)
    steps, limit = token_s / period_s, limit_s / period_s
    part = steps - math.floor(steps)
    return limit < part < 1.0 - limit


@shared
def _step(token_s: float, period_s: int) -> int:
    return math.floor(token_s / period_s)


@shared
def _near_an_edge(token: Any, stays: Any, true_s: float, clock: Clock) -> int:
    """Go down the tree until it is decided, at the latest at the leaf."""
    state, path = clock.state[0], clock.path
    steady_s = _steady_s(token, stays, true_s, clock)
    elapsed_s = true_s - token.born_s
    span = int(elapsed_s // SPAN_S)
    enter(path, span)
    within_s = elapsed_s - span * SPAN_S
    leaf = int(within_s / LEAF_S)
    token_s: float
    for level in range(state.level, LEVELS):
        descend(path, leaf, level)
        from_s, start_s, slope, limit_s = line(path, level)
        inside_s = start_s + slope * (within_s - from_s)
        noise_s = path.tree[0].phase_s + path.tree[0].rate * within_s + inside_s
        token_s = true_s + (state.error_s + (steady_s + noise_s - state.crystal_s))
        if _decided(token_s, limit_s, token.period_s):
            return _step(token_s, token.period_s)
    crystal_s = steady_s + phase_s(path, elapsed_s)
    token_s = true_s + (state.error_s + (crystal_s - state.crystal_s))
    return int(token_s // token.period_s)


@shared
def _draw_line(token: Any, stays: Any, true_s: float, clock: Clock) -> None:
    """The line around ``true_s``: within one interval of the noise, one stay and one stretch."""
    state, path = clock.state[0], clock.path
    elapsed_s = true_s - token.born_s
    span = int(elapsed_s // SPAN_S)
    enter(path, span)
    within_s = elapsed_s - span * SPAN_S
    descend(path, int(within_s / LEAF_S), state.level)
    tree = path.tree[0]
    noise_from_s, noise_s, slope, limit_s = line(path, state.level)

    _find_stay(token, stays, true_s, clock)
    span_s = token.born_s + span * SPAN_S
    from_s = max(span_s + noise_from_s, state.start_s)
    until_s = min(span_s + noise_from_s + 2.0 * path.levels[state.level].h, state.end_s)
    stay = stays[token.first_stay + state.stay]
    if state.stay > 0:
        from_s = max(from_s, stay.from_s)
    if state.stay + 1 < token.stays:
        until_s = min(until_s, stays[token.first_stay + state.stay + 1].from_s)
    state.from_s, state.until_s = from_s, until_s

    first_s = _steady_in_s(token, stay, from_s, state.ageing_ppm)
    last_s = _steady_in_s(token, stay, until_s, state.ageing_ppm)
    length_s = until_s - from_s
    steady_slope = (last_s - first_s) / length_s if length_s > 0.0 else 0.0
    # Ageing bends the less the older the crystal is. The day's swing, T = m + s·cos θ, goes back
    # and forth by at most |k|·|s|·(2·|m - T₀| + |s|/4)/ω.
    bend = 1e-6 * abs(state.ageing_ppm) / (from_s - token.born_s + token.ageing_tau_s)
    swing_c = abs(stay.swing_c)
    swing_s = 1e-6 * abs(token.parabola_ppm_per_c2) * swing_c / _OMEGA
    swing_s *= 2.0 * abs(stay.mean_c - token.turnover_c) + 0.25 * swing_c
    state.limit_s = limit_s + bend * length_s**2 / 8.0 + 2.0 * swing_s

    state.slope = tree.rate + slope + steady_slope
    noise_s = tree.phase_s + tree.rate * (from_s - span_s)
    noise_s += path.levels[state.level].x0 + slope * (from_s - span_s - noise_from_s)
    state.line_s = state.error_s + (first_s + noise_s - state.crystal_s)


@shared
def _crystal_s(token: Any, stays: Any, true_s: float, clock: Clock) -> float:
    """As ``Oscillator.error_s``."""
    return _steady_s(token, stays, true_s, clock) + phase_s(clock.path, true_s - token.born_s)


@shared
def _steady_s(token: Any, stays: Any, true_s: float, clock: Clock) -> float:
    """What the crystal gained but for the noise."""
    _find_stay(token, stays, true_s, clock)
    state = clock.state[0]
    return _steady_in_s(token, stays[token.first_stay + state.stay], true_s, state.ageing_ppm)


@shared
def _find_stay(token: Any, stays: Any, true_s: float, clock: Clock) -> None:
    state = clock.state[0]
    # a time at which it is moved counts to the stay before
    while state.stay + 1 < token.stays and stays[token.first_stay + state.stay + 1].from_s < true_s:
        state.stay += 1
    while state.stay > 0 and stays[token.first_stay + state.stay].from_s >= true_s:
        state.stay -= 1


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
def _find_stretch(token: Any, stays: Any, events: Any, true_s: float, clock: Clock) -> None:
    """Set the stretch around ``true_s``: all events up to it, as ``TokenClock`` takes them."""
    state = clock.state[0]
    if state.start_s <= true_s < state.end_s:
        return
    if not 0.0 <= true_s - token.born_s < LIFE_S:  # also refuses NaN
        raise ValueError("a token's clock is asked for a time before it was set, or past its life")
    state.from_s = state.until_s = math.inf
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
    state.start_s, state.end_s, state.error_s = start_s, end_s, error_s
    state.crystal_s, state.runs = crystal_s, runs
