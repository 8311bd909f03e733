"""What a verifier decides by a :class:`Rule`, of counters: plain functions that compile.

They do what :class:`tokenkit.verifier.Verifier` does with the codes of these counters, by the same
filter and the same throttle, and what peers do. Times are the verifier's. A code's counter is
known here, so that what may happen by accident does not: two codes of a window are alike.
"""

import math
from types import FunctionType
from typing import NamedTuple

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.rules import (
    BEGIN,
    EITHER,
    KEEP,
    MIDDLE,
    NEXT,
    NONE,
    SERVER,
    Rule,
)
from tokenkit.verifier import drift, throttle
from tokenkit.verifier.drift import (
    LearnedClock,
    expected,
    learn_at,
    predict,
    prove,
    turned_s,
    window_at,
)
from tokenkit.verifier.throttle import wait_s

for module in (drift, throttle):
    for function in vars(module).values():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            shared(function)

NOT_YET = -(2**62)  # no counter


class Far(NamedTuple):
    """Right codes that were too far out: counters, by themselves and with the verifier's steps."""

    waiting: int  # the next one will be accepted
    step1: int
    counter1: int
    step2: int  # the later one's
    counter2: int


class State(NamedTuple):
    """What is known of a token.

    The offset is ``offset_steps`` and ``offset_s``. ``used`` is the counter up to which codes are
    used, NOT_YET before the first; ``clock`` is of use to rules that follow the rate, since then.
    """

    offset_steps: int
    offset_s: float
    used: int
    failures: int
    failed_s: float
    far: Far
    clock: LearnedClock


_NOTHING_FAR = Far(NOT_YET, NOT_YET, NOT_YET, NOT_YET, NOT_YET)
_NO_CLOCK = LearnedClock(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@shared
def new_state(rule: Rule) -> State:
    """Of a token that was not enabled yet."""
    return State(0, 0.0, NOT_YET, 0, 0.0, _NOTHING_FAR, _NO_CLOCK)


@shared
def enrol(rule: Rule, state: State, second: int, server_s: float) -> tuple[bool, State]:
    """Two consecutive codes, the second for counter ``second``, enable a token.

    One code does where the verifier has no use for two.
    """
    if rule.enrol_steps == NONE:
        return sign_in(rule, state, second, server_s)
    return _prove(rule, state, second, server_s, rule.enrol_steps)


@shared
def resync(rule: Rule, state: State, second: int, server_s: float) -> tuple[bool, State]:
    """Two consecutive codes, the second for counter ``second``, find a clock again."""
    if rule.resync_steps == NONE:
        return False, state
    return _prove(rule, state, second, server_s, rule.resync_steps)


@shared
def sign_in(rule: Rule, state: State, shown: int, server_s: float) -> tuple[bool, State]:
    """One code, for counter ``shown``."""
    if wait_s(rule, state.failures, state.failed_s, server_s) > 0.0:
        return False, state
    if _follows(rule, state):
        now = predict(state.clock, server_s)
        further_s = turned_s(state.clock, rule.limits, state.failures, server_s)
        first, last = window_at(now, rule.limits, further_s)
        near = first <= shown <= last
    else:
        now = state.clock
        amid = _expected(rule, state, server_s)
        near = amid - rule.window_steps <= shown <= amid + rule.ahead_steps
    if near and state.failures < rule.next_code_after:
        if shown <= state.used:
            return False, _refused(state, server_s, state.far)
        if not _follows(rule, state):
            return True, _proved(rule, state, shown, server_s, rule.sign_in_offset)
        clock = learn_at(now, rule.limits, shown, server_s - state.clock.learned_s)
        return True, _accepted(rule, state, shown, server_s, rule.sign_in_offset, clock)
    if rule.next_code_steps != NONE:
        return _next_code(rule, state, shown, server_s)
    if rule.three_codes_steps != NONE:
        return _three_codes(rule, state, shown, server_s)
    return False, _refused(state, server_s, state.far)


@shared
def window(rule: Rule, state: State, server_s: float) -> tuple[int, int]:
    """The first and the last counter whose code is accepted by itself; none if first > last.

    Codes that are used are none, whether or not there is a wait for failures.
    """
    if _follows(rule, state):
        further_s = turned_s(state.clock, rule.limits, state.failures, server_s)
        first, last = window_at(predict(state.clock, server_s), rule.limits, further_s)
    else:
        amid = _expected(rule, state, server_s)
        first, last = amid - rule.window_steps, amid + rule.ahead_steps
    if state.failures >= rule.next_code_after:
        last = first - 1
    return max(first, state.used + 1), last


@shared
def guessed(state: State) -> State:
    """Right after one more wrong code."""
    return _refused(state, state.failed_s, state.far)


@shared
def unlock(state: State) -> State:
    """Forget wrong codes, after somebody has asked whose they were."""
    return State(
        state.offset_steps, state.offset_s, state.used, 0, state.failed_s, state.far, state.clock
    )


@shared
def step_at(time_s: float, period_s: int) -> int:
    """The counter at ``time_s``: :func:`tokenkit.verifier.totp.step`, without slow divisions."""
    counter = math.floor(time_s / period_s)
    return counter - 1 if counter * period_s > time_s else counter  # it was rounded up


@shared
def _follows(rule: Rule, state: State) -> bool:
    """Whether codes are looked for by the token's rate."""
    return rule.rate and state.used != NOT_YET


@shared
def _expected(rule: Rule, state: State, server_s: float) -> int:
    """The counter that the token most likely shows."""
    if _follows(rule, state):
        return expected(state.clock, rule.limits, server_s)
    return step_at(server_s + state.offset_s, rule.period_s) + state.offset_steps


@shared
def _prove(
    rule: Rule, state: State, second: int, server_s: float, steps: int
) -> tuple[bool, State]:
    if wait_s(rule, state.failures, state.failed_s, server_s) > 0.0:
        return False, state
    low = high = _expected(rule, state, server_s)
    own = step_at(server_s, rule.period_s)
    if rule.resync_around == SERVER:
        low = high = own
    elif rule.resync_around == EITHER:
        low, high = min(low, own), max(high, own)
    if low - steps <= second <= high + steps and state.used < second - 1:
        return True, _proved(rule, state, second, server_s, rule.resync_offset)
    return False, _refused(state, server_s, state.far)


@shared
def _next_code(rule: Rule, state: State, shown: int, server_s: float) -> tuple[bool, State]:
    """A code that is no farther out than allowed, if it follows the last such one."""
    steps = rule.next_code_steps
    if state.failures >= rule.next_code_after:
        steps = rule.next_code_late_steps
    far = state.far
    if abs(shown - _expected(rule, state, server_s)) > steps:
        return False, _refused(state, server_s, far)
    waiting = shown if far.waiting == NOT_YET else NOT_YET
    after = Far(waiting, far.step1, far.counter1, far.step2, far.counter2)
    if shown == far.waiting + 1 and state.used < shown:
        return True, _proved(rule, _with_far(state, after), shown, server_s, rule.sign_in_offset)
    return False, _refused(state, server_s, after)


@shared
def _three_codes(rule: Rule, state: State, shown: int, server_s: float) -> tuple[bool, State]:
    """The third of three codes at about the same offset, in quick succession."""
    own, far = step_at(server_s, rule.period_s), state.far
    skew, skew1, skew2 = shown - own, far.counter1 - far.step1, far.counter2 - far.step2
    if abs(skew) > rule.three_codes_steps or shown == far.counter2:
        return False, _refused(state, server_s, far)
    if (
        far.step1 != NOT_YET
        and far.step1 < far.step2 <= far.step1 + 2
        and far.step2 < own <= far.step2 + 2
        and abs(skew1 - skew) <= 1
        and abs(skew2 - skew) <= 1
    ):
        average = int((skew1 + skew2 + skew) / 3)  # towards 0
        used = max(state.used, shown)
        return True, State(average, 0.0, used, 0, state.failed_s, _NOTHING_FAR, state.clock)
    after = Far(far.waiting, far.step2, far.counter2, own, shown)
    return False, _refused(state, server_s, after)


@shared
def _proved(rule: Rule, state: State, counter: int, server_s: float, measure: int) -> State:
    """After two consecutive codes, or one of a token whose clock was never looked at."""
    clock = state.clock
    if rule.rate:
        if state.used == NOT_YET:
            clock = prove(None, rule.limits, counter, server_s)
        else:
            clock = prove(clock, rule.limits, counter, server_s)
    return _accepted(rule, state, counter, server_s, measure, clock)


@shared
def _accepted(
    rule: Rule, state: State, counter: int, server_s: float, measure: int, clock: LearnedClock
) -> State:
    steps, seconds = state.offset_steps, state.offset_s
    if measure == BEGIN:
        steps, seconds = 0, float(counter * rule.period_s - math.floor(server_s))
    elif measure == MIDDLE:
        steps, seconds = 0, (counter + 0.5) * rule.period_s - server_s
    elif measure != KEEP:
        steps, seconds = counter - step_at(server_s, rule.period_s), 0.0
        if measure == NEXT:
            steps += 1
    return State(steps, seconds, counter, 0, state.failed_s, state.far, clock)


@shared
def _refused(state: State, server_s: float, far: Far) -> State:
    return State(
        state.offset_steps,
        state.offset_s,
        state.used,
        state.failures + 1,
        server_s,
        far,
        state.clock,
    )


@shared
def _with_far(state: State, far: Far) -> State:
    return State(
        state.offset_steps,
        state.offset_s,
        state.used,
        state.failures,
        state.failed_s,
        far,
        state.clock,
    )
