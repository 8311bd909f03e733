"""Slowing down guesses: RFC 4226 section 7.3."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import (
    AuditEvent,
    Locked,
    MalformedCode,
    NoSuchEntity,
    OutOfWindow,
    Replayed,
    Throttled,
    TotpPolicy,
)
from tokenkit.verifier.throttle import wait_s


@given(st.integers(0, 20), st.floats(0, 1e10), st.floats(0, 100), st.floats(0, 1e6))
def test_the_wait_grows_with_each_wrong_code(
    failures: int, failed_s: float, delay_s: float, later_s: float
) -> None:
    policy = TotpPolicy(delay_s=delay_s, lock_after=15)
    left_s = wait_s(policy, failures, failed_s, failed_s + later_s)
    if failures >= 15:
        assert left_s == math.inf
    else:
        assert left_s == pytest.approx(max(0, failures * delay_s - later_s), abs=1e-5)


def test_each_wrong_code_makes_the_wait_longer(bench: Any) -> None:
    phone = bench.phone()
    for failures in range(1, 10):
        with pytest.raises(OutOfWindow):
            bench.sign_in(phone, phone.wrong_code())
        assert bench.device(phone).failures == failures
        with pytest.raises(Throttled) as raised:
            bench.sign_in(phone)
        assert raised.value.retry_after_s == pytest.approx(5 * failures)
        assert str(raised.value) == f"Rate exceeded. Try again in {5 * failures} s."
        bench.wait(5 * failures - 0.5)
        with pytest.raises(Throttled, match="in 1 s"):
            bench.sign_in(phone)
        bench.wait(0.5)
    bench.sign_in(phone)
    assert bench.device(phone).failures == 0


def test_ten_wrong_codes_in_a_row_lock(bench: Any) -> None:
    phone = bench.phone()
    for _ in range(10):
        assert not bench.device(phone).locked
        with pytest.raises(OutOfWindow):
            bench.sign_in(phone, phone.wrong_code())
        bench.wait(60)
    assert bench.device(phone).locked
    for wait in (60, 1e9):
        bench.wait(wait)
        with pytest.raises(Locked, match=r"locked\. .* administrator can unlock it") as raised:
            bench.sign_in(phone)
        assert raised.value.retry_after_s == math.inf
    with pytest.raises(Locked):
        bench.verifier.resync("root", phone.serial_number, *phone.pair())
    bench.verifier.unlock(phone.serial_number)
    bench.sign_in(phone)


def test_unlocking_is_for_tokens_and_apps(bench: Any) -> None:
    with pytest.raises(NoSuchEntity, match="nobody-has-it does not exist"):
        bench.verifier.unlock("nobody-has-it")
    assert [line.event for line in bench.verifier.audit()] == ["unlock-refused"]


def test_the_policys_numbers(make_bench: Any) -> None:
    bench = make_bench(totp=TotpPolicy(delay_s=0, lock_after=2))
    phone = bench.phone()
    for _ in range(2):
        with pytest.raises(OutOfWindow):
            bench.sign_in(phone, phone.wrong_code())
    with pytest.raises(Locked):
        bench.sign_in(phone)


def test_a_throttled_attempt_is_not_looked_at(bench: Any) -> None:
    """Neither right nor wrong: it does not count, and the code is not used."""
    phone = bench.phone()
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone, phone.wrong_code())
    bench.wait(4)
    for code in (phone.code(), phone.wrong_code(), "malformed"):
        with pytest.raises(Throttled):
            bench.sign_in(phone, code)
    bench.wait(1)
    bench.sign_in(phone)


def test_malformed_codes_do_not_count(bench: Any) -> None:
    phone = bench.phone()
    for code in ("", "12345", "1234567", "١٢٣٤٥٦", "123 456", "1" * 100_000):
        with pytest.raises(MalformedCode, match="Authentication code for device is not valid"):
            bench.sign_in(phone, code)
    assert bench.device(phone).failures == 0
    bench.sign_in(phone)


def test_replayed_codes_count(bench: Any) -> None:
    phone = bench.phone()
    bench.sign_in(phone)
    with pytest.raises(Replayed):
        bench.sign_in(phone)
    assert bench.device(phone).failures == 1


def test_nobody_waits_for_a_clock_that_was_ahead(bench: Any) -> None:
    phone = bench.phone()
    bench.wait(3600)
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone, phone.wrong_code())
    bench.wait(-3600)
    bench.sign_in(phone)


def test_deactivating_does_not_unlock(make_bench: Any) -> None:
    bench = make_bench(totp=TotpPolicy(lock_after=1))
    phone = bench.phone()
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone, phone.wrong_code())
    bench.verifier.deactivate("root", phone.serial_number)
    with pytest.raises(Locked):
        bench.enable(phone)
    bench.verifier.unlock(phone.serial_number)
    bench.wait(60)
    bench.enable(phone)


class TestSeveralDevices:
    """A code without a serial number is tried at all of a user's devices."""

    def test_a_wrong_code_counts_against_all(self, bench: Any) -> None:
        phones = [bench.phone("one"), bench.phone("two")]
        with pytest.raises(OutOfWindow):
            bench.verifier.sign_in("root", phones[0].wrong_code())
        assert [bench.device(phone).failures for phone in phones] == [1, 1]

    def test_a_right_code_counts_against_none(self, bench: Any) -> None:
        one, two = bench.phone("one"), bench.phone("two")
        assert bench.verifier.sign_in("root", two.code()).device == bench.device(two)
        assert bench.device(one).failures == 0
        bench.sign_in(one)  # at once: there is nothing to wait for

    def test_typing_errors_do_not_lock_the_spare_token(self, bench: Any) -> None:
        spare, daily = bench.phone("spare"), bench.phone("daily")
        for _ in range(20):
            with pytest.raises(OutOfWindow):
                bench.verifier.sign_in("root", daily.wrong_code())
            bench.wait(60)
            bench.verifier.sign_in("root", daily.code())
        assert bench.device(spare).failures == 0

    def test_a_right_code_unlocks_no_other_device(self, make_bench: Any) -> None:
        bench = make_bench(totp=TotpPolicy(lock_after=2))
        one, two = bench.phone("one"), bench.phone("two")
        for _ in range(2):
            with pytest.raises(OutOfWindow):
                bench.sign_in(one, one.wrong_code())
            bench.wait(60)
        bench.verifier.sign_in("root", two.code())
        assert bench.device(one).locked
        with pytest.raises(Locked):
            bench.verifier.sign_in("root", one.code(), serial_number=one.serial_number)

    def test_the_refusal_is_that_which_says_most(self, make_bench: Any) -> None:
        bench = make_bench(totp=TotpPolicy(lock_after=2))
        one, two = bench.phone("one"), bench.phone("two")
        bench.sign_in(two)
        with pytest.raises(Replayed):
            bench.verifier.sign_in("root", two.code())
        with pytest.raises(Throttled):
            bench.verifier.sign_in("root", two.code())
        bench.wait(60)
        with pytest.raises(OutOfWindow):
            bench.sign_in(one, one.wrong_code())
        with pytest.raises(OutOfWindow):  # two is wrong, one is locked
            bench.verifier.sign_in("root", one.wrong_code())
        with pytest.raises(Locked):
            bench.verifier.sign_in("root", one.wrong_code())

    def test_a_code_that_two_devices_show_is_accepted_once(self, bench: Any) -> None:
        one, two = twins(bench)
        bench.verifier.sign_in("root", one.code())
        for _ in range(3):
            with pytest.raises(Replayed):
                bench.verifier.sign_in("root", two.code())
            bench.wait(1)
            for phone in (one, two):
                bench.verifier.unlock(phone.serial_number)
        assert bench.device(two).last_used_s < bench.now_s - 10
        bench.wait(30)
        bench.verifier.sign_in("root", two.code())

    def test_also_if_one_of_them_was_throttled(self, bench: Any) -> None:
        one, two = twins(bench)
        with pytest.raises(OutOfWindow):
            bench.sign_in(one, one.wrong_code())
        assert bench.verifier.sign_in("root", two.code()).device.serial_number == two.serial_number
        with pytest.raises(Replayed):
            bench.sign_in(one)

    def test_a_device_of_other_digits_takes_no_part(self, make_bench: Any, tmp_path: Any) -> None:
        bench = make_bench()
        phone = bench.phone()
        (tmp_path / "seeds.csv").write_text(
            "serial number,secret key,digits\nLONG00000001,GEZDGNBVGY3TQOJQ,8\n"
        )
        [serial_number] = bench.verifier.import_seeds(tmp_path / "seeds.csv")
        long = bench.token(serial_number, "GEZDGNBVGY3TQOJQ", 8)
        bench.enable(long)
        bench.wait(60)
        with pytest.raises(OutOfWindow):
            bench.verifier.sign_in("root", phone.wrong_code())
        assert (bench.device(phone).failures, bench.device(long).failures) == (1, 0)
        bench.wait(60)
        assert bench.verifier.sign_in("root", long.code()).device == bench.device(long)
        with pytest.raises(MalformedCode):
            bench.verifier.sign_in("root", "1234567")


def twins(bench: Any) -> tuple[Any, Any]:
    """Two phones that happen to show the same codes, both of root."""
    secret = bytes(range(40))
    bench.verifier._random_bytes = lambda length: secret[:length]
    return bench.phone("one"), bench.phone("two")


def test_the_log_names_the_refusal(bench: Any) -> None:
    phone = bench.phone()
    with pytest.raises(OutOfWindow):
        bench.sign_in(phone, phone.wrong_code())
    assert bench.verifier.audit()[-1] == AuditEvent(
        bench.now_s, "sign-in-refused", "root", phone.serial_number, {"error": "OutOfWindow"}
    )
