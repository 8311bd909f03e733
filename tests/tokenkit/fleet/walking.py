"""A token of a study walked through its sign-ins: the object model, the verifier, real digits.

Written from the words of the study's modules and not from their code, and as slow as that is.
"""

import math
from dataclasses import dataclass, field

from firmware_sim.world.philox import philox2x64, round_keys
from tokenkit.fleet.habits import HABITS
from tokenkit.fleet.study import Study
from tokenkit.fleet.tokens import object_token
from tokenkit.scenario.durations import DAY_S
from tokenkit.verifier import (
    InvalidAuthenticationCode,
    Locked,
    Throttled,
    TotpPolicy,
    Verifier,
)
from tokenkit.verifier.seed_file import Seed
from tokenkit.virtual import Battery, HardwareToken, SeededEntropy, Step

MONTH_S = 365.2425 * DAY_S / 12


@dataclass
class Walked:
    """What happened; ``months`` are (sign-ins, rejections, lock-outs), ``shown`` codes by time."""

    sign_ins: int = 0
    rejections: int = 0
    lock_outs: int = 0
    resyncs: int = 0
    lost: int = 0
    months: list[list[int]] = field(default_factory=list)
    shown: list[tuple[float, str]] = field(default_factory=list)


def halves(key: int, stream: int, number: int) -> list[float]:
    """Four numbers between 0 and 1."""
    words = philox2x64(number % 2**64, stream, round_keys(key))
    return [(half + 0.5) / 2**32 for word in words for half in (word >> 32, word % 2**32)]


class Walk:
    """Token ``number`` of ``study``'s first batch under ``totp``."""

    def __init__(self, study: Study, number: int, totp: TotpPolicy) -> None:
        self.study, self.totp = study, totp
        self.batch = study.batch[0]
        self.token, self.clock = object_token(study, 0, number)
        entropy = SeededEntropy(study.seed).child(f"people of {self.batch.name}")
        batch_key = int.from_bytes(entropy.bytes(8), "big")
        self.key = philox2x64(number, 0, round_keys(batch_key))[0]
        self.server = study.server_clock()
        self.verifier = self.new_verifier()
        self.walked = Walked(months=[[0, 0, 0] for _ in range(math.ceil(12 * study.years))])

    def new_verifier(self) -> Verifier:
        verifier = Verifier(now=lambda: self.server.read(self.clock.now()), totp=self.totp)
        spec = self.token.spec
        known = spec.serial_number, spec.seed, spec.algorithm, spec.digits, spec.period_s
        verifier.add_tokens([Seed(*known)])
        return verifier

    def walk(self) -> Walked:
        study, walked = self.study, self.walked
        try:
            self.enrol(0)
        except InvalidAuthenticationCode:
            self.replace(0)
        free_s, number, last_s = self.clock.now(), 0, float(self.token_enrolled_s)
        while True:
            number += 1
            last_s, slowness = self.next_sign_in(number, last_s)
            if last_s >= study.end_s:
                break
            if last_s < free_s:
                continue
            self.clock.wait_until(last_s)
            month = walked.months[int((last_s - study.start_s) / MONTH_S)]
            refused_before = walked.rejections
            walked.sign_ins += 1
            month[0] += 1
            accepted = self.sign_in(number, slowness)
            month[1] += walked.rejections - refused_before
            if not accepted:
                walked.lock_outs += 1
                month[2] += 1
                help_s = self.clock.now() + study.person.help
                if help_s >= study.end_s:
                    break
                self.clock.wait_until(help_s)
                self.help(number)
            free_s = self.clock.now()
        return walked

    @property
    def token_enrolled_s(self) -> float:
        return self.study.start_s + DAY_S * halves(self.key, 0, 1)[0]

    def next_sign_in(self, number: int, last_s: float) -> tuple[float, float]:
        habit = HABITS[self.batch.habit]
        own_s = habit.every_s * halves(self.key, 0, 0)[0]
        off, slowness, whether, how_long = halves(self.key, 3, number)
        beat = round((last_s - own_s) / habit.every_s) + 1
        if whether < habit.absence_chance:
            fewest, most = int(habit.fewest_beats), int(habit.most_beats)
            beat += fewest + int(how_long * (most + 1 - fewest))
        return own_s + beat * habit.every_s + (2 * off - 1) * habit.spread_s, slowness

    def type(self, slowness: float) -> None:
        low, high = self.study.person.entry
        self.clock.advance(low + slowness * (high - low))

    def read(self) -> str:
        """Look at the display: once a new battery is in, if one is just being changed."""
        for event in self.token.token_clock.events:
            outage_s = getattr(event, "outage_s", 0.0)
            if event.at_s <= self.clock.now() < event.at_s + outage_s:
                self.clock.wait_until(event.at_s + outage_s + 1.0)
        code = self.token.code()
        self.walked.shown.append((self.clock.now(), code))
        return code

    def sign_in(self, number: int, slowness: float) -> bool:
        for attempt in range(self.study.person.attempts):
            if attempt:
                self.wait_for_another_code()
                slowness = halves(self.key, 4 + attempt, number)[0]
            code = self.read()
            self.type(slowness)
            if self.accepts(code):
                return True
            self.walked.rejections += 1
        return False

    def wait_for_another_code(self) -> None:
        period_s = self.batch.period
        read_s = self.walked.shown[-1][0]
        shown = self.token.token_clock.read(read_s) // period_s
        now_s = self.token.token_clock.read(self.clock.now())
        if now_s // period_s == shown:
            self.clock.advance(period_s - now_s % period_s)
        self.clock.advance(1.0)

    def accepts(self, code: str) -> bool:
        for _ in range(2):
            try:
                self.verifier.sign_in("root", code, serial_number=self.token.serial_number)
                return True
            except Throttled as wait:
                self.clock.advance(wait.retry_after_s)
            except (InvalidAuthenticationCode, Locked):
                return False
        raise AssertionError("throttled for longer than was said")

    def two_codes(self, number: int) -> tuple[str, str]:
        self.read()
        codes = self.token.two_codes()
        self.type(halves(self.key, 4, number)[0])
        return codes

    def enrol(self, number: int) -> None:
        codes = self.two_codes(number)
        self.verifier.enable("root", self.token.serial_number, *codes)

    def replace(self, number: int) -> None:
        """By a token that nothing happens to, with the same crystal, whose clock is right."""
        self.walked.lost += 1
        spec, lies = self.token.spec, self.token.environment
        self.token = HardwareToken(spec, self.clock, lies, battery=Battery(capacity_mah=1e9))
        clock, now_s = self.token.token_clock, self.clock.now()
        clock.add(Step(now_s, -clock.error_s(now_s)))
        self.verifier = self.new_verifier()
        self.enrol(-1 - number)

    def help(self, number: int) -> None:
        serial_number = self.token.serial_number
        codes = self.two_codes(number)
        self.verifier.unlock(serial_number)
        try:
            self.verifier.resync("root", serial_number, *codes)
        except InvalidAuthenticationCode:
            self.replace(number)
        else:
            self.walked.resyncs += 1
