"""Every sign-in of every token under one policy, compiled.

A token is enrolled by two consecutive codes. Then its holder comes by habit, reads a code and types
it in; a code that is refused is followed by the next one, a few times. Who was refused each time
is locked out, waits for help, and proves the clock by two consecutive codes. If that fails, too,
the token is lost: it is enrolled anew, as another one would be. Who waits for help does not try.
"""

from typing import Any, NamedTuple

import numpy as np

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
from tokenkit.fleet.judge import new_state, resync, sign_in, window
from tokenkit.fleet.physics import Clock, begin, error_s, new_clock, token_counter
from tokenkit.fleet.rules import Rule
from tokenkit.fleet.server import server_s
from tokenkit.fleet.tally import MOST_CODES
from tokenkit.scenario.durations import DAY_S, YEAR_S

_MONTH_S = YEAR_S / 12
# How often it is looked how many codes are acceptable, at a moment of the token's own.
_LOOK_S = 7 * DAY_S
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
    start_s: float
    end_s: float
    clock: Clock


def count(
    rule: Rule,
    people: People,
    tokens: Any,
    stays: Any,
    events: Any,
    pieces: Any,
    start_s: float,
    end_s: float,
    sums: Sums,
) -> None:
    """Add up what happens to ``tokens`` (of TOKEN) from ``start_s`` to ``end_s``, true time.

    ``stays`` and ``events`` are theirs, ``pieces`` (of PIECE) the verifier's clock.
    """
    world = World(rule, people, stays, events, pieces, start_s, end_s, new_clock())
    for index in range(tokens.size):
        begin(tokens[index], world.clock)
        _count_one(world, tokens[index], sums.counts[index], sums)


@shared
def _count_one(world: World, token: Any, counts: Any, sums: Sums) -> None:
    rule, people, end_s = world.rule, world.people, world.end_s
    state, _, free_s = _prove(world, token, new_state(rule), token.enrolled_s, 0)
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
        accepted, state, refused, arrived_s = _occasion(
            world, token, state, number, last_s, slowness
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
        state, proved, free_s = _prove(world, token, state, help_s, number)
        if proved:
            counts.resyncs += 1
        else:
            counts.lost += 1
            state, _, free_s = _prove(world, token, new_state(rule), free_s, -number)
    _look(world, state, look_s, end_s, counts, sums)


@shared
def _occasion(
    world: World, token: Any, state: Any, number: int, read_s: float, slowness: float
) -> Any:
    """One code after the other, until one is accepted: whether, the state, refusals, until when."""
    people = world.people
    read_s = _lit_s(token, world.events, read_s)
    arrives_s, shown = read_s, 0
    for attempt in range(people.attempts):
        if attempt > 0:
            wait_s = (shown + 1) * token.period_s - _token_s(world, token, arrives_s)
            read_s = _lit_s(token, world.events, arrives_s + max(0.0, wait_s) + _GLANCE_S)
            words = two_words(token.person_key, ENTRIES + attempt, number)
            slowness = uniform(words[0])
        shown = _counter(world, token, read_s)
        arrives_s = read_s + between(people.entry_low_s, people.entry_high_s, slowness)
        accepted, state = sign_in(world.rule, state, shown, server_s(world.pieces, arrives_s))
        if accepted:
            return True, state, attempt, arrives_s
    return False, state, people.attempts, arrives_s


@shared
def _prove(world: World, token: Any, state: Any, read_s: float, number: int) -> Any:
    """Show two consecutive codes, as ``HardwareToken.two_codes``: state, whether, and when."""
    people = world.people
    read_s = _lit_s(token, world.events, read_s)
    first = _counter(world, token, read_s)
    period_s = token.period_s
    read_s += period_s - _token_s(world, token, read_s) % period_s + period_s / 2
    second = _counter(world, token, read_s)
    slowness = uniform(two_words(token.person_key, ENTRIES, number)[0])
    arrives_s = read_s + between(people.entry_low_s, people.entry_high_s, slowness)
    if second != first + 1:
        return state, False, arrives_s
    proved, state = resync(world.rule, state, second, server_s(world.pieces, arrives_s))
    return state, proved, arrives_s


@shared
def _look(
    world: World, state: Any, look_s: float, until_s: float, counts: Any, sums: Sums
) -> float:
    """Count the acceptable codes at the moments before ``until_s``; the first one after it."""
    while look_s < until_s:
        first, last = window(world.rule, state, server_s(world.pieces, look_s))
        codes = max(0, last - first + 1)
        counts.moments += 1
        counts.acceptable += codes
        counts.most_acceptable = max(counts.most_acceptable, codes)
        sums.histogram[min(codes, MOST_CODES)] += 1
        look_s += _LOOK_S
    return look_s


@shared
def _lit_s(token: Any, events: Any, true_s: float) -> float:
    """When a code can be read: ``true_s``, or once a new battery is in."""
    for number in range(token.first_event, token.first_event + token.events):
        event = events[number]
        if event.at_s <= true_s < event.until_s:
            return event.until_s + _GLANCE_S
    return true_s


@shared
def _counter(world: World, token: Any, true_s: float) -> int:
    return token_counter(token, world.stays, world.events, true_s, world.clock)


@shared
def _token_s(world: World, token: Any, true_s: float) -> float:
    return true_s + error_s(token, world.stays, world.events, true_s, world.clock)


kernel: Any = compiled(count)
