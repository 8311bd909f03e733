"""The judge of counters against the verifier with the digits of a token that drifts."""

import math
from collections import deque
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenkit.fleet.judge import State, new_state, step_at
from tokenkit.fleet.rules import Policy
from tokenkit.scenario.durations import Duration
from tokenkit.verifier import (
    InvalidAuthenticationCode,
    Locked,
    Throttled,
    TotpPolicy,
    Verifier,
    records,
    totp,
)
from tokenkit.verifier.drift import prove
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import CodeGenerator
from tokenkit.virtual import Step, World

from .asking import ENROL, RESYNC, SIGN_IN, UNLOCK, Answer, ask, ask_compiled

DAY_S = 86_400.0
REFUSALS = (InvalidAuthenticationCode, Locked, Throttled)

# the same rules for both: (the study's, the verifier's)
POLICIES = {
    "offset": (Policy(name="", learn="offset"), TotpPolicy()),
    "rate": (Policy(name="", learn="rate"), TotpPolicy(drift="rate")),
    "narrow": (
        Policy(
            name="",
            learn="rate",
            max_window_steps=1,
            max_rate_ppm=5.0,
            entry=Duration(0.0),
            resync_range=Duration(300.0),
            enrol_range=Duration(600.0),
            delay=Duration(40.0),
            lock_after=3,
        ),
        TotpPolicy(
            drift="rate",
            max_window_steps=1,
            max_rate_ppm=5.0,
            entry_s=0.0,
            resync_range_s=300.0,
            enrol_range_s=600.0,
            delay_s=40.0,
            lock_after=3,
        ),
    ),
    "wide": (
        Policy(name="", learn="offset", window_steps=4, resync_steps=20, lock_after=4),
        TotpPolicy(window_steps=4, resync_range_s=600.0, lock_after=4),
    ),
}


class Desk:
    """A token, its holder and two judges: the verifier, and what is under test."""

    def __init__(self, name: str, rate_ppm: float) -> None:
        self.world = World(seed=f"{name} {rate_ppm}")
        [made] = self.world.make_batch("JUDGED", digits=8).tokens
        spec = replace(made, crystal=replace(made.crystal, tolerance_ppm=rate_ppm))
        self.token = self.world.token(spec)
        self.server_error_s = 0.0
        policy, totp_policy = POLICIES[name]
        self.rule = policy.rule(spec.period_s)
        self.state = new_state(self.rule)
        self.verifier = Verifier(now=lambda: self.server_s, totp=totp_policy)
        known = spec.serial_number, spec.seed, spec.algorithm, spec.digits, spec.period_s
        self.verifier.add_tokens([Seed(*known)])
        self.generator = CodeGenerator(spec.seed, spec.algorithm, spec.digits)
        self.read: deque[tuple[int, str]] = deque(maxlen=4)  # the last codes, with their counters

    @property
    def server_s(self) -> float:
        return self.world.clock.now() + self.server_error_s

    def look(self) -> tuple[int, str]:
        """The token's counter and code."""
        token_s = self.token.token_clock.read(self.world.clock.now())
        self.read.append((math.floor(token_s / 30), self.token.code()))
        return self.read[-1]

    def pair(self) -> tuple[int, str, str]:
        """The second counter of two codes, and both."""
        _, first = self.look()
        self.world.clock.advance(30.0)
        counter, second = self.look()
        return counter, first, second

    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    def enable(self) -> bool:
        counter, *codes = self.pair()
        serial = self.token.serial_number
        return self.agree(ENROL, counter, lambda: self.verifier.enable("root", serial, *codes))

    def resync(self) -> bool:
        counter, *codes = self.pair()
        serial = self.token.serial_number
        return self.agree(RESYNC, counter, lambda: self.verifier.resync("root", serial, *codes))

    def sign_in(self, counter: int, code: str) -> None:
        if self.is_ambiguous(counter, code):
            return
        serial = self.token.serial_number
        self.agree(
            SIGN_IN, counter, lambda: self.verifier.sign_in("root", code, serial_number=serial)
        )

    def unlock(self) -> None:
        self.agree(UNLOCK, 0, lambda: self.verifier.unlock(self.token.serial_number))

    def is_ambiguous(self, counter: int, code: str) -> bool:
        """Whether another code near by has the same digits, which a judge of counters ignores."""
        own = math.floor(self.server_s / 30) + self.state.offset_steps
        near = range(own - 120, own + 121)
        codes = self.generator.codes(near)
        return any(code.encode() == c and n != counter for n, c in zip(near, codes, strict=True))

    def agree(self, what: int, counter: int, asked: Any) -> bool:
        answer: Answer = ask(self.rule, self.state, what, counter, self.server_s)
        assert ask_compiled(self.rule, self.state, what, counter, self.server_s) == answer
        try:
            asked()
            accepted = True
        except REFUSALS:
            accepted = False
        assert answer[0] == accepted
        self.state = answer[1]
        if what == SIGN_IN and accepted:
            assert answer[2] <= counter <= answer[3]
        self.compare(answer[1])
        return accepted

    def compare(self, state: State) -> None:
        with self.verifier._store.reading() as connection:
            row = records.find_device(connection, self.token.serial_number)
        assert row is not None
        assert state.failures == row.failures
        if row.last_counter is None:
            return
        assert (state.offset_steps, state.offset_s) == (row.offset_steps, 0.0)
        assert state.used == row.last_counter
        if self.rule.rate:
            assert state.clock == records.learned_clock(row)


actions = st.one_of(
    # a wait, from reading a code to its arrival, and which of the last codes it is
    st.tuples(
        st.just("sign-in"),
        st.one_of(st.floats(0.0, 100.0), st.floats(0.0, 60 * DAY_S)),
        st.floats(0.0, 45.0),
        st.sampled_from([-1, -1, -1, -1, 0]),
    ),
    st.tuples(st.just("again"), st.floats(0.0, 60.0)),
    st.tuples(st.just("resync"), st.floats(0.0, 400 * DAY_S)),
    st.tuples(st.just("jump"), st.floats(-200.0, 200.0) | st.floats(-2 * DAY_S, 2 * DAY_S)),
    st.tuples(st.just("server"), st.floats(-100.0, 100.0) | st.floats(-DAY_S, DAY_S)),
    st.tuples(st.just("unlock")),
)


def far_away_and_back(by_s: float) -> list[tuple[Any, ...]]:
    """A clock that jumps, and is mended at last: each time it is found again."""
    away = [("jump", by_s), ("resync", DAY_S)] * 3
    return [*away, ("jump", -3 * by_s), ("resync", DAY_S), ("sign-in", DAY_S, 5.0, -1)]


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=25)
@example(rate_ppm=0.0, todo=far_away_and_back(230.0))
@example(rate_ppm=0.0, todo=far_away_and_back(-230.0))
@given(
    rate_ppm=st.sampled_from([-9.0, -1.0, 0.0, 4.0]),
    todo=st.lists(actions, min_size=5, max_size=25),
)
def test_it_decides_and_learns_as_the_verifier_does(
    name: str, rate_ppm: float, todo: list[tuple[Any, ...]]
) -> None:
    desk = Desk(name, rate_ppm)
    with desk.verifier:
        if not desk.enable():
            return
        for what, *numbers in todo:
            act(desk, what, *numbers)


def act(desk: Desk, what: str, *numbers: Any) -> None:
    if what == "sign-in":
        wait_s, entry_s, which = numbers
        desk.wait(wait_s)
        desk.look()
        desk.wait(entry_s)
        desk.sign_in(*desk.read[which])
    elif what == "again":
        desk.wait(*numbers)
        desk.sign_in(*desk.read[-1])
    elif what == "resync":
        desk.wait(*numbers)
        desk.resync()
    elif what == "jump":
        desk.token.token_clock.add(Step(desk.world.clock.now(), *numbers))
    elif what == "server":
        [desk.server_error_s] = numbers
    else:
        desk.unlock()


@given(
    st.floats(-1e12, 1e12) | st.integers(-(10**9), 10**9).map(lambda n: math.nextafter(n * 30, 0)),
    st.sampled_from([30, 60]),
)
def test_a_time_step_is_the_verifiers(time_s: float, period_s: int) -> None:
    assert step_at(time_s, period_s) == totp.step(time_s, period_s)


def test_the_next_code_proves_where_a_clock_is() -> None:
    """RSA's way with tokens that jumped, and our filter."""
    rule = Policy(name="", learn="rate", next_code_steps=20).rule(30)
    _, state, *_ = ask(rule, new_state(rule), ENROL, 1000, 30_010.0)
    accepted, waiting, *_ = ask(rule, state, SIGN_IN, 1030, 30_310.0)
    assert not accepted
    accepted, found, *_ = ask(rule, waiting, SIGN_IN, 1031, 30_340.0)
    assert accepted
    assert found.clock == prove(state.clock, rule.limits, 1031, 30_340.0)
    assert (found.offset_steps, found.failures) == (20, 0)
    accepted, *_ = ask(rule, waiting, SIGN_IN, 1032, 30_370.0)
    assert not accepted
