"""Drift through the verifier: what is kept, what is told, and an attacker who relays codes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from tokenkit.verifier import (
    InvalidAuthenticationCode,
    OutOfWindow,
    Replayed,
    Throttled,
    TotpPolicy,
    VerifierError,
    records,
)
from tokenkit.verifier.store import devices

DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
RATE = TotpPolicy(drift="rate")


class Drifting:
    """A phone whose clock gains ``rate_ppm``, read 5 s before its code arrives."""

    def __init__(self, bench: Any, rate_ppm: float) -> None:
        self.bench, self.rate_ppm = bench, rate_ppm
        self.phone = bench.phone()
        self.start_s = bench.now_s

    def wait(self, seconds: float) -> None:
        self.bench.wait(seconds)
        self.phone.offset_s = 1e-6 * self.rate_ppm * (self.bench.now_s - self.start_s)

    def sign_in(self) -> Any:
        code = self.phone.code()
        self.wait(5.0)
        return self.bench.sign_in(self.phone, code)

    def resync(self) -> Any:
        return self.bench.verifier.resync("root", self.phone.serial_number, *self.phone.pair(-1))


def weekly(drifting: Drifting, weeks: int) -> Any:
    for _ in range(weeks):
        drifting.wait(7 * DAY_S + 11.0)
        signed_in = drifting.sign_in()
    return signed_in.device


@pytest.mark.parametrize("rate_ppm", [-6.0, 2.0, 10.0])
def test_a_year_in_a_drawer(make_bench: Callable[..., Any], rate_ppm: float) -> None:
    """Weekly for half a year, then not for one: found where the rate predicts it."""
    for policy in (RATE, TotpPolicy()):
        drifting = Drifting(make_bench(totp=policy), rate_ppm)
        device = weekly(drifting, 26)
        assert device.rate_ppm == pytest.approx(rate_ppm, abs=1.0)  # learned under both
        drifting.wait(YEAR_S)
        if policy.drift == "rate":
            device = drifting.sign_in().device
            assert device.predicted_offset_s == pytest.approx(drifting.phone.offset_s, abs=25)
        else:
            with pytest.raises(OutOfWindow):
                drifting.sign_in()


def test_a_token_that_was_carried_into_the_cold(make_bench: Callable[..., Any]) -> None:
    """For three weeks: its next code is refused, the one after it accepted, without a resync."""
    bench = make_bench(totp=RATE)
    drifting = Drifting(bench, 0.0)
    weekly(drifting, 26)
    drifting.wait(21 * DAY_S)
    low_s, _ = bench.device(drifting.phone).window_s
    drifting.phone.offset_s = low_s - 45.0  # within the 54 s that 30 ppm make of three weeks
    with pytest.raises(OutOfWindow):
        bench.sign_in(drifting.phone)
    bench.wait(30.0)
    device = bench.sign_in(drifting.phone).device
    assert device.failures == 0
    assert device.predicted_offset_s == pytest.approx(low_s - 45.0, abs=25.0)


def test_what_is_told(make_bench: Callable[..., Any]) -> None:
    drifting = Drifting(make_bench(totp=RATE), 5.0)
    signed_in = weekly(drifting, 30)
    bench, phone = drifting.bench, drifting.phone
    device = bench.device(phone)
    assert device.uncertainty_s < 10
    low_s, high_s = device.window_s
    assert low_s < device.predicted_offset_s < high_s
    assert low_s < phone.offset_s < high_s
    detail = bench.verifier.audit()[-1].detail
    assert detail == {
        "offset_steps": signed_in.offset_steps,
        "offset_s": round(device.predicted_offset_s, 3),
        "rate_ppm": round(device.rate_ppm, 3),
    }
    drifting.wait(100 * DAY_S)
    later = bench.device(phone)
    moved_s = later.predicted_offset_s - device.predicted_offset_s
    assert moved_s == pytest.approx(1e-6 * device.rate_ppm * 100 * DAY_S, rel=1e-6)
    assert later.uncertainty_s > device.uncertainty_s
    assert later.rate_ppm == device.rate_ppm
    assert later.offset_steps == device.offset_steps


def test_a_fixed_window_is_told_as_such(bench: Any) -> None:
    phone = bench.phone(offset_s=300.0)
    device = bench.sign_in(phone).device
    assert device.window_s == (270.0, 330.0)
    assert bench.new_phone("other") is not None
    [device] = bench.verifier.devices()
    assert device.rate_ppm == 0.0


def test_a_security_key_has_no_clock(bench: Any) -> None:
    phone = bench.phone()
    forget_clock(bench, phone)
    device = bench.device(phone)
    assert (device.predicted_offset_s, device.rate_ppm, device.window_s) == (None, None, None)


def forget_clock(bench: Any, phone: Any) -> None:
    """As in a database of a time when nothing was learned of clocks."""
    with bench.verifier._store.transaction() as connection:
        connection.execute(
            update(devices)
            .where(devices.c.serial_number == phone.serial_number)
            .values(synced_s=None, offset_s=None)
        )


def test_a_device_of_which_nothing_is_learned_yet(make_bench: Callable[..., Any]) -> None:
    """Its codes are accepted by the fixed window, and the first one begins what is learned."""
    bench = make_bench(totp=RATE)
    phone = bench.phone(offset_s=-3600.0)
    forget_clock(bench, phone)
    bench.wait(60)
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone, phone.code(2))
    bench.wait(5)
    device = bench.sign_in(phone).device
    assert device.predicted_offset_s == pytest.approx(-3600.0, abs=21)
    assert device.uncertainty_s < 15


def test_the_columns_are_kept_through_another_holder(make_bench: Callable[..., Any]) -> None:
    """Who gets the token next gets its crystal, too."""
    drifting = Drifting(make_bench(totp=RATE), 8.0)
    weekly(drifting, 20)
    bench, phone = drifting.bench, drifting.phone
    bench.verifier.create_user("ann")
    bench.verifier.deactivate("root", phone.serial_number)
    drifting.wait(30 * DAY_S)
    device = bench.enable(phone, "ann")
    assert device.rate_ppm == pytest.approx(8.0, abs=1.5)


def test_resynchronisation_after_a_year_measures_the_rate(make_bench: Callable[..., Any]) -> None:
    drifting = Drifting(make_bench(totp=RATE), -12.0)
    for year in range(4):
        drifting.wait(YEAR_S)
        if year == 0:
            with pytest.raises(OutOfWindow):
                drifting.sign_in()
            drifting.wait(5.0)
            device = drifting.resync()
        else:
            device = drifting.sign_in().device
        assert device.rate_ppm == pytest.approx(-12.0, abs=1.5)


def test_a_new_battery_leaves_the_rate(make_bench: Callable[..., Any]) -> None:
    drifting = Drifting(make_bench(totp=RATE), 5.0)
    before = weekly(drifting, 30).rate_ppm
    drifting.bench.wait(DAY_S)
    drifting.phone.offset_s -= 7200.0
    drifting.bench.wait(7300.0)  # until what it shows was not used
    device = drifting.resync()
    assert device.rate_ppm == before
    assert device.predicted_offset_s == pytest.approx(drifting.phone.offset_s, abs=25)


def test_resynchronisation_is_limited_for_each_device(make_bench: Callable[..., Any]) -> None:
    """Wrong pairs slow it down and lock it, and each right one uses up two codes."""
    bench = make_bench(totp=RATE)
    phone, other = bench.phone(), bench.phone("other")
    resync = bench.verifier.resync
    wrong = phone.wrong_code()
    for failures in range(1, 10):
        with pytest.raises(InvalidAuthenticationCode):
            resync("root", phone.serial_number, wrong, wrong)
        with pytest.raises(Throttled) as raised:
            resync("root", phone.serial_number, *phone.pair(1))
        assert raised.value.retry_after_s == pytest.approx(5.0 * failures)
        bench.wait(5.0 * failures)
    resync("root", other.serial_number, *other.pair(1))
    resync("root", phone.serial_number, *phone.pair(1))
    for first in (0, 1, 2):
        with pytest.raises(Replayed):
            resync("root", phone.serial_number, *phone.pair(first))
        bench.verifier.unlock(phone.serial_number)


class Relay(RuleBasedStateMachine):
    """An attacker sees all codes the owner's token shows, and shows them when it suits him."""

    bench: Any
    policy = RATE

    @initialize(rate_ppm=st.floats(-25.0, 25.0), jitter=st.floats(0.0, 29.0))
    def a_token(self, rate_ppm: float, jitter: float) -> None:
        self.rate_ppm = rate_ppm
        self.bench.wait(jitter)
        self.start_s = self.bench.now_s
        self.phone = self.bench.new_phone()
        self.bench.enable(self.phone)
        self.used = self.phone.counter
        self.synced_s = self.bench.now_s
        self.seen: dict[int, tuple[float, str]] = {}
        self.accepted = {self.used - 1, self.used}

    def look(self) -> None:
        self.seen[self.phone.counter] = self.bench.now_s, self.phone.code()

    def show(self, counter: int, code: str) -> bool:
        """Whether it is accepted, which it is once, and none that is older."""
        try:
            device = self.bench.sign_in(self.phone, code).device
        except VerifierError:
            return False
        assert counter not in self.accepted
        assert counter > self.used
        self.accepted.add(counter)
        self.used = max(self.used, int(self.bench.now_s // 30) + device.offset_steps)
        return True

    @property
    def plausible_s(self) -> float:
        """How far drift can have come since the last proof, and a step."""
        since_s = self.bench.now_s - self.synced_s
        return 30.0 + 1e-6 * self.policy.max_rate_ppm * since_s

    @rule(seconds=st.sampled_from([1.0, 7.0, 30.0, 61.0, 3600.0, DAY_S, 7 * DAY_S, 90 * DAY_S]))
    def time_passes(self, seconds: float) -> None:
        self.bench.wait(seconds)
        self.phone.offset_s = 1e-6 * self.rate_ppm * (self.bench.now_s - self.start_s)
        self.look()

    @rule()
    def the_owner_signs_in(self) -> None:
        self.look()
        self.show(self.phone.counter, self.phone.code())

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def the_attacker_shows_an_old_code(self, data: Any) -> None:
        counter = data.draw(st.sampled_from(sorted(self.seen)[-8:]))
        seen_s, code = self.seen[counter]
        true_offset_s = self.phone.offset_s
        if self.show(counter, code):
            late_s = self.bench.now_s - seen_s
            # the clock is where it is, the window as far below as drift and the policy allow
            below_s = min(2 * self.plausible_s, self.policy.max_window_steps * 30.0)
            assert late_s <= self.plausible_s + abs(true_offset_s) + below_s + 60.0

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def the_attacker_relays_as_late_as_passes(self, data: Any) -> None:
        """The newest code again and again, each time a little later, to drag the window along."""
        counter = max(self.seen)
        _, code = self.seen[counter]
        self.bench.wait(data.draw(st.floats(1.0, 60.0)))
        self.show(counter, code)

    @rule()
    def somebody_guesses(self) -> None:
        before = self.bench.device(self.phone)
        assert not self.show(-1, self.phone.wrong_code())
        after = self.bench.device(self.phone)
        assert after.predicted_offset_s == before.predicted_offset_s
        assert after.rate_ppm == before.rate_ppm

    @rule()
    def the_owner_resynchronises(self) -> None:
        self.look()
        self.bench.verifier.unlock(self.phone.serial_number)
        first = max(self.phone.counter - 1, self.used + 1)
        steps = first - self.phone.counter
        try:
            self.bench.verifier.resync("root", self.phone.serial_number, *self.phone.pair(steps))
        except InvalidAuthenticationCode:
            assert steps > 0 or self.phone.counter - 1 <= self.used
            return
        self.used = first + 1
        self.accepted |= {first, first + 1}
        self.synced_s = self.bench.now_s

    @invariant()
    def what_is_learned_is_plausible(self) -> None:
        [device] = self.bench.verifier.devices() or [None]
        if device is None:
            return
        with self.bench.verifier._store.transaction() as connection:
            row = records.find_device(connection, self.phone.serial_number)
        clock = records.learned_clock(row)
        assert clock is not None
        assert abs(device.predicted_offset_s - clock.synced_offset_s) <= self.plausible_s + 1e-3
        assert abs(device.rate_ppm) <= self.policy.max_rate_ppm * (1 + 1e-9)
        low_s, high_s = device.window_s
        assert high_s - low_s <= 2 * 30.0 * self.policy.max_window_steps + 1e-6
        assert clock.synced_s == self.synced_s  # only two codes move it


def test_an_attacker_who_relays_and_delays_codes(make_bench: Callable[..., Any]) -> None:
    class Machine(Relay):
        def __init__(self) -> None:
            super().__init__()
            self.bench = make_bench(totp=RATE)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
