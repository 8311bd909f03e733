"""Every sign-in of every token under one policy, compiled.

A token is enrolled by two consecutive codes. Then its holder comes by habit, reads a code and types
it in; a code that is refused is followed by the next one, a few times, and no sooner than the
verifier allows. Who was refused each time is locked out, waits for help, and proves the clock by
two consecutive codes; wrong codes are forgiven then. Who waits for help does not try. If two codes
do not help, or do not enrol it, the token is lost: it is replaced by another one, with the same
crystal and a clock that is right, which is enrolled at once.
"""

import math
from typing import Any, NamedTuple

from tokenkit.fleet.compiled import compiled, shared
from tokenkit.fleet.draws import (
    ENTRIES,
    PERSON,
    between,
    second_uniform,
    two_words,
    uniform,
)
from tokenkit.fleet.habits import Habit, next_sign_in, usual_s
from tokenkit.fleet.judge import enrol, guessed, new_state, resync, sign_in, unlock, window
from tokenkit.fleet.physics import begin, error_s, replace, token_counter
from tokenkit.fleet.rules import Rule
from tokenkit.fleet.server import server_s
from tokenkit.fleet.tally import MOST_CODES
from tokenkit.scenario.durations import DAY_S, YEAR_S
from tokenkit.verifier.throttle import wait_s

_MONTH_S = YEAR_S / 12
# How often it is looked how many codes are acceptable, at a moment of the token's own.
_LOOK_S = 7 * DAY_S
NONE = -(2**62)  # no counter

# From a new code's appearing to its being read.
_GLANCE_S = 1.0


class People(NamedTuple):
    """``study.Person``, with ``habit``, for compiled code."""

    habit: Habit
    attempts: int
    entry_low_s: float
    entry_high_s: float
    help_s: float


class Sums(NamedTuple):
    """What is counted: one COUNTS a token; of all tokens a histogram, and MONTHLY by month."""

    counts: Any
    histogram: Any
    months: Any


class World(NamedTuple):
    """What is the same for all tokens, and room for the clock of one."""

    rule: Rule
    people: People
    stays: Any
    events: Any
    pieces: Any
    at: Any
    start_s: float
    end_s: float
    clock: Any


def count(
    rule: Rule,
    people: People,
    tokens: Any,
    stays: Any,
    events: Any,
    pieces: Any,
    at: Any,
    start_s: float,
    end_s: float,
    clock: Any,
    sums: Sums,
) -> None:
    """Add up what happens to ``tokens`` (of TOKEN) from ``start_s`` to ``end_s``, true time.

    ``stays`` and ``events`` are theirs, ``pieces`` (of PIECE) the verifier's clock. ``clock`` is
    room for one CLOCK, ``at`` for the number of a piece.
    """
    world = World(rule, people, stays, events, pieces, at, start_s, end_s, clock[0])
    for index in range(tokens.size):
        begin(tokens[index], world.clock)
        _count_one(world, tokens[index], sums.counts[index], sums)


@shared
def _count_one(world: World, token: Any, counts: Any, sums: Sums) -> None:
    people, end_s = world.people, world.end_s
    state, enabled, free_s = _enrol(world, token, token.enrolled_s, 0)
    if not enabled:
        counts.lost += 1
        state, free_s = _replace(world, token, free_s, 0)
    look_s = free_s + _LOOK_S * second_uniform(two_words(token.person_key, PERSON, 0)[0])
    own_s = usual_s(people.habit, token.person_key)
    last_s, number = token.enrolled_s, 0
    while True:
        number += 1
        last_s, slowness = next_sign_in(people.habit, token.person_key, own_s, number, last_s)
        if last_s >= end_s:
            break
        if last_s < free_s:
            continue
        look_s = _look(world, state, look_s, last_s, counts, sums)
        month = sums.months[int((last_s - world.start_s) / _MONTH_S)]
        counts.sign_ins += 1
        month[0] += 1
        read_s = _lit_s(world, token, last_s)
        shown = _counter(world, token, read_s)
        arrived_s = read_s + _entry_s(people, slowness)
        now_s = server_s(world.pieces, world.at, arrived_s)
        accepted, state = sign_in(world.rule, state, shown, now_s)
        if not accepted:
            accepted, state, refused, arrived_s = _try_again(
                world, token, state, number, shown, arrived_s
            )
            counts.rejections += refused
            month[1] += refused
        free_s = arrived_s
        if accepted:
            continue
        counts.lock_outs += 1
        month[2] += 1
        help_s = arrived_s + people.help_s
        if help_s >= end_s:
            break
        look_s = _look(world, state, look_s, help_s, counts, sums)
        state, found, free_s = _help(world, token, state, help_s, number)
        if found:
            counts.resyncs += 1
        else:
            counts.lost += 1
            state, free_s = _replace(world, token, free_s, number)
    _look(world, state, look_s, end_s, counts, sums)


@shared
def _try_again(
    world: World, token: Any, state: Any, number: int, shown: int, arrived_s: float
) -> Any:
    """After ``shown`` was refused at ``arrived_s``: one code after the other.

    Whether one is accepted, the state then, how many were refused, and when the last one came.
    """
    people, refused = world.people, 1
    while refused < people.attempts:
        to_next_s = (shown + 1) * token.period_s - _token_s(world, token, arrived_s)
        read_s = arrived_s + max(0.0, to_next_s) + _GLANCE_S
        read_s = _lit_s(world, token, read_s)
        shown = _counter(world, token, read_s)
        slowness = uniform(two_words(token.person_key, ENTRIES + refused, number)[0])
        arrived_s = read_s + _entry_s(people, slowness)
        now_s = server_s(world.pieces, world.at, arrived_s)
        delay_s = wait_s(world.rule, state.failures, state.failed_s, now_s)
        if 0.0 < delay_s < math.inf:  # which a person is told
            arrived_s += delay_s
            now_s = server_s(world.pieces, world.at, arrived_s)
        accepted, state = sign_in(world.rule, state, shown, now_s)
        if accepted:
            return True, state, refused, arrived_s
        refused += 1
    return False, state, refused, arrived_s


@shared
def _entry_s(people: People, slowness: float) -> float:
    return between(people.entry_low_s, people.entry_high_s, slowness)


@shared
def _enrol(world: World, token: Any, read_s: float, number: int) -> Any:
    """Enable a token whose codes nobody has seen: its state, whether it is enabled, and when."""
    second, arrives_s = _two_codes(world, token, read_s, number)
    state = new_state(world.rule)
    if second == NONE:
        return state, False, arrives_s
    enabled, state = enrol(world.rule, state, second, server_s(world.pieces, world.at, arrives_s))
    return state, enabled, arrives_s


@shared
def _replace(world: World, token: Any, true_s: float, number: int) -> Any:
    """Enrol another token in the place of this one: its state, and when."""
    replace(token, world.stays, world.events, true_s, world.clock)
    state, _, arrives_s = _enrol(world, token, true_s, -1 - number)
    return state, arrives_s


@shared
def _help(world: World, token: Any, state: Any, read_s: float, number: int) -> Any:
    """Resynchronise a token, wrong codes being forgiven: its state, whether it works, and when."""
    second, arrives_s = _two_codes(world, token, read_s, number)
    if second == NONE:
        return state, False, arrives_s
    found, state = resync(
        world.rule, unlock(state), second, server_s(world.pieces, world.at, arrives_s)
    )
    return state, found, arrives_s


@shared
def _two_codes(world: World, token: Any, read_s: float, number: int) -> tuple[int, float]:
    """Read two codes as ``HardwareToken.two_codes``: the second's counter, and its arrival.

    NONE if they are not consecutive, as of a clock that stands.
    """
    people, period_s = world.people, token.period_s
    read_s = _lit_s(world, token, read_s)
    first = _counter(world, token, read_s)
    read_s += period_s - _token_s(world, token, read_s) % period_s + period_s / 2
    second = _counter(world, token, read_s)
    slowness = uniform(two_words(token.person_key, ENTRIES, number)[0])
    arrives_s = read_s + _entry_s(people, slowness)
    return second if second == first + 1 else NONE, arrives_s


@shared
def _look(
    world: World, state: Any, look_s: float, until_s: float, counts: Any, sums: Sums
) -> float:
    """Count the acceptable codes at the moments before ``until_s``; the first one after it."""
    while look_s < until_s:
        server_now_s = server_s(world.pieces, world.at, look_s)
        first, last = window(world.rule, state, server_now_s)
        codes = max(0, last - first + 1)
        first, last = window(world.rule, guessed(state), server_now_s)
        counts.acceptable_next += max(0, last - first + 1)
        counts.moments += 1
        counts.acceptable += codes
        counts.most_acceptable = max(counts.most_acceptable, codes)
        sums.histogram[min(codes, MOST_CODES)] += 1
        look_s += _LOOK_S
    return look_s


@shared
def _lit_s(world: World, token: Any, true_s: float) -> float:
    """When a code can be read: ``true_s``, or once a new battery is in."""
    if world.clock.replaced:
        return true_s
    for number in range(token.first_event, token.first_event + token.events):
        event = world.events[number]
        if event.at_s <= true_s < event.until_s:
            true_s = event.until_s + _GLANCE_S
    return true_s


@shared
def _counter(world: World, token: Any, true_s: float) -> int:
    return token_counter(token, world.stays, world.events, true_s, world.clock)


@shared
def _token_s(world: World, token: Any, true_s: float) -> float:
    error: float = error_s(token, world.stays, world.events, true_s, world.clock)
    return true_s + error


kernel: Any = compiled(count)
