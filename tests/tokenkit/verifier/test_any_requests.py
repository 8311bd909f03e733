"""Any requests in any order: the verifier beside a model of what it ought to say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tokenkit.verifier import (
    MAX_DEVICES,
    Device,
    InvalidAuthenticationCode,
    LimitExceeded,
    MalformedCode,
    NoSuchEntity,
    TotpPolicy,
    VerifierError,
    records,
)

POLICY = TotpPolicy(window_steps=2, resync_range_s=600, enrol_range_s=600, delay_s=5, lock_after=4)
REACH = 600 // 30  # steps


@dataclass
class Known:
    """What the model knows of a phone: who has it, and which counter was used last."""

    phone: Any
    owner: str | None = None
    used: int | None = None
    offset: int = 0

    def is_due(self, counter: int) -> bool:
        return self.used is None or counter > self.used


class AnyRequests(RuleBasedStateMachine):
    bench: Any

    phones = Bundle("phones")

    def __init__(self) -> None:
        super().__init__()
        self.users = ["root"]
        self.known: dict[str, Known] = {}
        self.accepted: set[tuple[str, int]] = set()
        self.lines = 0

    @initialize(target=phones)
    def some_phones(self) -> Any:
        self.lines = len(self.verifier.audit())
        return multiple(*(self.new_phone() for _ in range(3)))

    @property
    def verifier(self) -> Any:
        return self.bench.verifier

    def ask(self, request: Callable[[], Any], *allowed: type[VerifierError]) -> Any:
        """What a request gives; None if refused, which changes nothing but failure counters."""
        before = self.verifier.devices()
        self.lines += 1
        try:
            return request()
        except allowed:
            assert self.uncounted(self.verifier.devices()) == self.uncounted(before)
            assert self.verifier.audit()[-1].event.endswith("-refused")
            return None

    def uncounted(self, devices: list[Device]) -> list[Device]:
        return [replace(device, failures=0, locked=False) for device in devices]

    def use(self, known: Known, counter: int, now_step: int) -> None:
        """A code was accepted: for the first time, and it was due."""
        key = known.phone.serial_number, counter
        assert key not in self.accepted
        assert known.is_due(counter)
        self.accepted.add(key)
        known.used = counter
        known.offset = counter - now_step

    def now_step(self) -> int:
        return int(self.bench.now_s // 30)

    @rule(target=phones)
    def new_phone(self) -> Known:
        phone = self.bench.new_phone(f"phone{len(self.known)}")
        self.lines += 1
        self.known[phone.serial_number] = Known(phone)
        return self.known[phone.serial_number]

    @rule()
    def new_user(self) -> None:
        self.users.append(f"user{len(self.users)}")
        self.ask(lambda: self.verifier.create_user(self.users[-1]))

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 30.0, 60.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @rule(seconds=st.sampled_from([-300.0, -30.0, 30.0]))
    def the_verifiers_clock_is_set(self, seconds: float) -> None:
        """By so much; what phones show does not change."""
        self.bench.wait(seconds)
        for known in self.known.values():
            known.phone.offset_s -= seconds

    @rule(known=phones, seconds=st.sampled_from([-90.0, -30.0, 10.0, 30.0, 300.0]))
    def a_phone_drifts(self, known: Known, seconds: float) -> None:
        known.phone.offset_s += seconds

    @rule(
        known=phones,
        number=st.integers(0, 3),
        first=st.integers(-3, 2),
        gap=st.sampled_from([1, 1, 1, 2]),
        again=st.booleans(),
    )
    def enable_or_resync(
        self, known: Known, number: int, first: int, gap: int, again: bool
    ) -> None:
        user, phone = self.users[number % len(self.users)], known.phone
        request = self.verifier.resync if again else self.verifier.enable
        if again:
            user = known.owner or user
        codes = phone.code(first), phone.code(first + gap)
        full = self.count(user) >= MAX_DEVICES
        may = known.owner == user if again else known.owner is None and not full
        counter = phone.counter + first
        off = counter + 1 - self.now_step()
        right = (
            gap == 1
            and known.is_due(counter)
            and min(0, known.offset) - REACH <= off <= max(0, known.offset) + REACH
            and self.failures_of(phone) == 0
        )
        device = self.ask(lambda: request(user, phone.serial_number, *codes), VerifierError)
        assert (device is not None) >= (may and right)
        if device is not None:
            assert may
            assert gap == 1
            known.owner = user
            assert known.is_due(counter)
            self.use(known, counter + 1, self.now_step())
            self.accepted.add((phone.serial_number, counter))
            assert device.offset_steps == known.offset
            assert device.failures == 0

    @rule(known=phones, steps=st.integers(-4, 4), named=st.booleans(), number=st.integers(0, 3))
    def sign_in(self, known: Known, steps: int, named: bool, number: int) -> None:
        phone = known.phone
        user = known.owner or self.users[number % len(self.users)]
        options = {"serial_number": phone.serial_number} if named else {}
        counter = phone.counter + steps
        away = abs(counter - self.now_step() - known.offset)
        fresh = self.failures_of(phone) == 0
        request = lambda: self.verifier.sign_in(user, phone.code(steps), **options)  # noqa: E731
        right = away <= POLICY.window_steps and known.is_due(counter)
        signed_in = self.ask(request, VerifierError)
        if signed_in is None:
            assert not (right and known.owner == user and fresh)
            return
        assert known.owner == user
        assert signed_in.device.serial_number == phone.serial_number
        assert right
        self.use(known, counter, self.now_step())
        assert signed_in.device.offset_steps == known.offset
        assert signed_in.device.failures == 0
        assert self.ask(request, InvalidAuthenticationCode) is None  # not again

    @rule(known=phones, code=st.sampled_from(["000000", "12345", "", "１２３４５６"]))
    def a_wrong_code(self, known: Known, code: str) -> None:
        phone, user = known.phone, known.owner or "root"
        before = self.failures_of(phone)
        request = lambda: self.verifier.sign_in(user, code, serial_number=phone.serial_number)  # noqa: E731
        with pytest.raises(VerifierError) as raised:
            request()
        self.lines += 1
        counted = isinstance(raised.value, InvalidAuthenticationCode) and not isinstance(
            raised.value, MalformedCode
        )
        assert self.failures_of(phone) == before + counted
        assert isinstance(raised.value, NoSuchEntity) == (known.owner is None)

    @rule(known=phones)
    def deactivate(self, known: Known) -> None:
        if known.owner is not None:
            request = lambda: self.verifier.deactivate(known.owner, known.phone.serial_number)  # noqa: E731
            self.ask(request)
            known.owner = None

    @rule(known=phones)
    def unlock(self, known: Known) -> None:
        self.ask(lambda: self.verifier.unlock(known.phone.serial_number))
        assert self.failures_of(known.phone) == 0

    @rule()
    def fill_up(self) -> None:
        """Root has as many devices as a user may; one more is refused."""
        while self.count("root") < MAX_DEVICES:
            known = self.new_phone()
            self.enable_or_resync(known, 0, -1, 1, False)
            assert known.owner == "root"
        ninth = self.new_phone().phone
        self.ask(lambda: self.bench.enable(ninth), LimitExceeded)
        assert all(device.serial_number != ninth.serial_number for device in self.devices())

    def devices(self) -> list[Device]:
        devices: list[Device] = self.verifier.devices()
        return devices

    def failures_of(self, phone: Any) -> int:
        """Of a phone that is nobody's, too, though no list shows it."""
        with self.verifier._store.transaction() as connection:
            row = records.find_device(connection, phone.serial_number)
        assert row is not None
        failures: int = row.failures
        return failures

    def count(self, user: str) -> int:
        return sum(known.owner == user for known in self.known.values())

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        held = {device.serial_number: device for device in self.devices()}
        assert {number: device.user for number, device in held.items()} == {
            number: known.owner for number, known in self.known.items() if known.owner
        }
        for number, device in held.items():
            assert device.offset_steps == self.known[number].offset
            assert device.locked == (device.failures >= POLICY.lock_after)
        assert all(self.count(user) <= MAX_DEVICES for user in self.users)

    @invariant()
    def every_request_is_one_line_of_the_log(self) -> None:
        assert len(self.verifier.audit()) == self.lines


def test_any_requests_in_any_order(make_bench: Callable[..., Any]) -> None:
    class Machine(AnyRequests):
        def __init__(self) -> None:
            super().__init__()
            self.bench = make_bench(totp=POLICY)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
