"""Resynchronisation: the rule against a slow one, and through the verifier."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import (
    AuditEvent,
    InvalidAuthenticationCode,
    MalformedCode,
    NoSuchEntity,
    NotConsecutive,
    OutOfWindow,
    Replayed,
    TotpPolicy,
)
from tokenkit.verifier.resync import resynchronise
from tokenkit.verifier.totp import CodeGenerator, TotpState

DAY_S = 86_400.0


CodeAt = Callable[..., bytes]


def slow_resync(
    code_at: Callable[[int], bytes],
    state: TotpState,
    pair: tuple[bytes, bytes],
    now_step: int,
    range_steps: int,
) -> TotpState | type[InvalidAuthenticationCode]:
    """The rules one by one, over every second counter there could be."""
    expected = now_step + state.offset_steps
    reach = range(-range_steps, range_steps + 1)
    between = range(min(now_step, expected), max(now_step, expected) + 1)
    seconds = {now_step + n for n in reach} | {expected + n for n in reach} | set(between)
    right = [second for second in sorted(seconds) if (code_at(second - 1), code_at(second)) == pair]
    if not right:
        return NotConsecutive
    if any(state.last_counter is not None and second - 1 <= state.last_counter for second in right):
        return Replayed
    second = min(right, key=lambda each: abs(each - expected))
    return TotpState(second - now_step, second)


@given(
    st.binary(min_size=1, max_size=64),
    st.integers(1, 6),
    st.integers(-1000, 10**9),
    st.integers(-40, 40),
    st.one_of(st.none(), st.integers(-45, 45)),
    st.integers(0, 20),
    st.integers(-65, 65),
    st.sampled_from([-1, 0, 1, 1, 1, 2]),
)
def test_resynchronisation_against_the_slow_rules(
    code_at: CodeAt,
    seed: bytes,
    digits: int,
    now_step: int,
    offset_steps: int,
    used: int | None,
    range_steps: int,
    shown: int,
    gap: int,
) -> None:
    """One digit makes pairs collide within the range."""
    at = partial(code_at, seed, digits)
    state = TotpState(offset_steps, None if used is None else now_step + used)
    pair = at(now_step + shown), at(now_step + shown + gap)
    judged: Any
    try:
        judged = resynchronise(
            CodeGenerator(seed, digits=digits), state, *pair, now_step, range_steps
        )
    except InvalidAuthenticationCode as refusal:
        judged = type(refusal)
    assert judged == slow_resync(at, state, pair, now_step, range_steps)


@given(st.binary(min_size=1), st.integers(1, 2), st.integers(-50, 50), st.integers(60, 90))
def test_the_same_pair_is_not_accepted_again_at_once(
    seed: bytes, digits: int, shown: int, range_steps: int
) -> None:
    generator = CodeGenerator(seed, digits=digits)
    pair = generator.codes([shown, shown + 1])
    state = resynchronise(generator, TotpState(), *pair, 0, range_steps)
    with pytest.raises(InvalidAuthenticationCode):
        resynchronise(generator, state, *pair, 0, range_steps)


def test_two_equal_neighbouring_codes(code_at: CodeAt) -> None:
    """It happens once in a million: the pair is right, and so is each pair that overlaps it."""
    seed, generator = b"seed", CodeGenerator(b"seed", digits=1)
    codes = [code_at(seed, 1, counter) for counter in range(1000)]
    same = next(c for c in range(20, 1000) if codes[c] == codes[c + 1])
    state = resynchronise(generator, TotpState(), codes[same], codes[same], same, 3)
    assert state == TotpState(1, same + 1)
    with pytest.raises(Replayed):
        resynchronise(generator, state, codes[same], codes[same], same, 3)


@pytest.mark.parametrize("off_s", [-DAY_S, -3600.0, -90.0, 0.0, 90.0, 3600.0, DAY_S])
def test_a_clock_is_found_within_a_day_to_both_sides(make_bench: Any, off_s: float) -> None:
    bench = make_bench()
    phone = bench.phone()
    phone.offset_s = off_s
    bench.wait(2 * DAY_S)  # so that nothing it may show is older than what was used
    device = bench.verifier.resync("root", phone.serial_number, *phone.pair(-1))
    assert device.offset_s == off_s
    bench.wait(30)
    assert bench.sign_in(phone).device.offset_s == off_s


@pytest.mark.parametrize("off_s", [-DAY_S - 30, DAY_S + 30])
def test_a_clock_farther_off_is_not_found(make_bench: Any, off_s: float) -> None:
    bench = make_bench()
    phone = bench.phone()
    phone.offset_s = off_s
    bench.wait(3 * DAY_S)
    with pytest.raises(NotConsecutive):
        bench.verifier.resync("root", phone.serial_number, *phone.pair(-1))
    assert bench.device(phone).offset_s == 0


def test_the_range_is_the_policys(make_bench: Any) -> None:
    bench = make_bench(totp=TotpPolicy(resync_range_s=90.0))
    phone = bench.phone()
    phone.offset_s = 120
    with pytest.raises(NotConsecutive):
        bench.verifier.resync("root", phone.serial_number, *phone.pair(-1))
    phone.offset_s = 90
    bench.wait(5)
    bench.verifier.resync("root", phone.serial_number, *phone.pair(-1))
    assert bench.device(phone).offset_s == 90


@pytest.mark.parametrize("gap", [-1, 0, 2, 3])
def test_codes_that_are_not_adjacent(bench: Any, gap: int) -> None:
    phone = bench.phone()
    with pytest.raises(NotConsecutive):
        bench.verifier.resync("root", phone.serial_number, phone.code(1), phone.code(1 + gap))


def test_used_codes_are_refused(bench: Any) -> None:
    """CVE-2019-12887: a replayed code made another verifier resynchronise."""
    phone = bench.phone()
    bench.sign_in(phone)
    for first in (-2, -1, 0):  # one or both were used, or are older than one that was
        with pytest.raises(Replayed):
            bench.verifier.resync("root", phone.serial_number, *phone.pair(first))
        bench.wait(1)
        bench.verifier.unlock(phone.serial_number)
    bench.verifier.resync("root", phone.serial_number, *phone.pair(1))
    for code in phone.pair(1):
        with pytest.raises(Replayed):
            bench.sign_in(phone, code)
        bench.verifier.unlock(phone.serial_number)


def test_a_malformed_code_does_not_count(bench: Any) -> None:
    phone = bench.phone()
    for pair in [("12345", phone.code()), (phone.code(), "١٢٣٤٥٦")]:
        with pytest.raises(MalformedCode):
            bench.verifier.resync("root", phone.serial_number, *pair)
    assert bench.device(phone).failures == 0


def test_the_order_of_checks(bench: Any) -> None:
    verifier, phone = bench.verifier, bench.phone()
    verifier.create_user("bob")
    with pytest.raises(NoSuchEntity, match="user with name ann cannot be found"):
        verifier.resync("ann", phone.serial_number, "1", "2")
    with pytest.raises(NoSuchEntity, match="nothing-like-it does not exist"):
        verifier.resync("root", "nothing-like-it", "1", "2")
    with pytest.raises(NoSuchEntity, match="does not exist"):
        verifier.resync("bob", phone.serial_number, "1", "2")
    with pytest.raises(MalformedCode):
        verifier.resync("root", phone.serial_number, "1", "2")


def test_the_log(bench: Any) -> None:
    phone = bench.phone()
    serial_number, wrong = phone.serial_number, phone.wrong_code()
    with pytest.raises(NotConsecutive):
        bench.verifier.resync("root", serial_number, wrong, wrong)
    bench.wait(30)
    bench.verifier.resync("root", serial_number, *phone.pair(-1))
    [refused, done] = bench.verifier.audit()[-2:]
    assert refused == AuditEvent(
        bench.now_s - 30, "resync-refused", "root", serial_number, {"error": "NotConsecutive"}
    )
    assert (done.event, done.serial_number) == ("resync", serial_number)
    assert done.detail == {"offset_s": pytest.approx(0.0, abs=30.0)}


def test_a_phone_whose_clock_was_slow_and_was_mended(bench: Any) -> None:
    """Nango PR 7097: the stored offset must not lock the user out."""
    phone = bench.phone(offset_s=-20 * 3600.0)
    phone.offset_s = 0.0
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone)
    bench.wait(5)
    bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
    bench.wait(60)
    assert bench.sign_in(phone).device.offset_steps == 0


def test_a_clock_is_found_however_far_off_the_stored_offset_is(make_bench: Any) -> None:
    """Near the verifier's time, near the old offset, and in between."""
    for now_off_s in (0.0, -2000.0, -3600.0):
        bench = make_bench(totp=TotpPolicy(enrol_range_s=3600.0, resync_range_s=300.0))
        phone = bench.phone(offset_s=-3600.0)
        phone.offset_s = now_off_s
        device = bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
        assert device.offset_s == pytest.approx(now_off_s + 30, abs=30)


def test_a_phone_whose_clock_was_fast_and_was_mended(bench: Any) -> None:
    """What it shows now is older than what was used: it has to wait until time catches up."""
    phone = bench.phone(offset_s=3600.0)
    phone.offset_s = 0.0
    with pytest.raises(Replayed):
        bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
    bench.wait(3600)
    bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
    bench.wait(60)
    assert bench.sign_in(phone).device.offset_steps == 0


def test_a_verifier_whose_clock_was_an_hour_ahead_and_was_mended(bench: Any) -> None:
    """Right codes must not be refused until time has caught up."""
    phone = bench.phone()
    bench.wait(3600)
    phone.offset_s = -3600.0  # it is the verifier's clock that jumped
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone)
    bench.wait(5)
    bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
    bench.wait(60)
    bench.sign_in(phone)
    bench.wait(60 - 3600)
    phone.offset_s = 0.0
    bench.verifier.resync("root", phone.serial_number, *phone.pair(0))
    bench.wait(60)
    assert bench.sign_in(phone).device.offset_steps == 0
