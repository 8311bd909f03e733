"""A token in anybody's hands, beside a slow model that counts each hour's charge."""

import base64
from typing import Any

import pyotp
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware_sim.otp.battery import Battery
from firmware_sim.otp.grade import grade
from firmware_sim.otp.token import HardwareToken, TokenKind, TokenSpec
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.environment import Schedule, place

SEED = b"12345678901234567890"
MADE_S = 1_767_225_600
HOUR_S = 3600
# Whole numbers of everything, so that the model can count in integers.
CAPACITY_UAH, PRESS_UAH = 100, 10
BATTERY = Battery(capacity_mah=0.1, idle_ua=1.0, press_uah=10.0, low_fraction=0.25)


class TokenMachine(RuleBasedStateMachine):
    """The model keeps the charge in µA·s and moves it second by second, in stretches."""

    @initialize(kind=st.sampled_from(TokenKind), period_s=st.sampled_from([30, 60]))
    def make(self, kind: TokenKind, period_s: int) -> None:
        spec = TokenSpec(
            "TEST00001",
            SEED,
            kind,
            period_s=period_s,
            crystal=grade("perfect").crystal,
            made_s=MADE_S,
        )
        self.clock = SimulatedClock(MADE_S)
        self.token = HardwareToken(spec, self.clock, Schedule(place("desk")), battery=BATTERY)
        self.charge = CAPACITY_UAH * HOUR_S
        self.outage_s = 0  # what is left of it
        self.token_s = MADE_S
        self.lit_s = 0  # what is left of it
        self.taken = 0  # HOTP codes so far

    @property
    def has_power(self) -> bool:
        return self.charge > 0 and not self.outage_s

    @rule(seconds=st.integers(0, 100) | st.integers(0, 200 * HOUR_S))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        out_s = min(seconds, self.outage_s)
        self.outage_s -= out_s
        ran_s = min(seconds - out_s, self.charge)
        self.charge -= ran_s
        self.token_s += ran_s
        self.lit_s = max(0, self.lit_s - ran_s) if self.has_power else 0

    @rule()
    def press(self) -> None:
        shown = self.token.press()
        if self.has_power:
            if not self.lit_s:
                self.taken += 1
            self.charge = max(0, self.charge - PRESS_UAH * HOUR_S)
            self.lit_s = 30 if self.charge else 0
        assert shown == self.token.display()

    @rule(outage_s=st.sampled_from([0, 1, 60, 10 * HOUR_S]))
    def change_battery(self, outage_s: int) -> None:
        if self.outage_s:
            return
        self.token.replace_battery(outage_s)
        self.charge = CAPACITY_UAH * HOUR_S
        self.outage_s = outage_s
        self.lit_s = 0

    @invariant()
    def the_clock_agrees(self) -> None:
        now_s = self.clock.now()
        assert self.token.token_clock.read(now_s) == self.token_s
        assert self.token.token_clock.error_s(now_s) == self.token_s - now_s

    @invariant()
    def the_battery_agrees(self) -> None:
        assert self.token.battery_empty == (self.charge == 0)
        if self.has_power:
            assert self.token.low_battery == (4 * self.charge < CAPACITY_UAH * HOUR_S)

    @invariant()
    def the_display_agrees(self) -> None:
        display = self.token.display()
        spec = self.token.spec
        expected: dict[str, Any] = {"lit": False, "digits": "", "bars": 0, "low_battery": False}
        if self.lit_s:
            is_totp = spec.kind is TokenKind.TOTP
            step = self.token_s // spec.period_s if is_totp else self.taken - 1
            left_s = spec.period_s - self.token_s % spec.period_s
            expected = {
                "lit": True,
                "digits": pyotp.HOTP(base64.b32encode(SEED).decode()).at(step),
                "bars": -(-6 * left_s // spec.period_s) if is_totp else 0,
                "low_battery": 4 * self.charge < CAPACITY_UAH * HOUR_S,
            }
        assert {name: getattr(display, name) for name in expected} == expected


TokenMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
test_a_token_in_anybodys_hands = TokenMachine.TestCase
