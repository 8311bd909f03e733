"""Tokens and apps from enabling to deactivation, and the bugs that other verifiers had."""

from typing import Any

import pytest

from tokenkit.verifier import (
    AuditEvent,
    Device,
    DeviceKind,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    LimitExceeded,
    MalformedCode,
    NoSuchEntity,
    NotConsecutive,
    OutOfWindow,
    Replayed,
    TotpPolicy,
    ValidationError,
    records,
)

DAY_S = 86_400.0


class TestEnabling:
    def test_a_phone(self, bench: Any) -> None:
        phone = bench.new_phone()
        device = bench.verifier.enable("root", phone.serial_number, *phone.pair(-1), name="mine")
        assert device == Device(
            serial_number="arn:aws:iam::123456789012:mfa/phone",
            kind=DeviceKind.AUTHENTICATOR_APP,
            name="mine",
            user="root",
            enabled_s=bench.now_s,
            last_used_s=bench.now_s,
            algorithm="SHA1",
            digits=6,
            period_s=30,
        )
        assert bench.verifier.devices("root") == [device]
        assert bench.verifier.audit()[-1] == AuditEvent(
            bench.now_s, "enable", "root", phone.serial_number, {"offset_s": 21.0}
        )

    def test_with_the_previous_and_the_current_code_at_once(self, bench: Any) -> None:
        phone = bench.new_phone()
        bench.verifier.enable("root", phone.serial_number, *phone.pair(-1))

    def test_with_codes_submitted_too_late(self, bench: Any) -> None:
        """The device is enabled but out of sync, as IAM says."""
        phone = bench.new_phone()
        pair = phone.pair()
        bench.wait(3600)
        device = bench.verifier.enable("root", phone.serial_number, *pair)
        assert device.offset_s == 30 - 3600
        with pytest.raises(OutOfWindow):
            bench.sign_in(phone)

    @pytest.mark.parametrize("offset_s", [-DAY_S, -3600, 3600, DAY_S])
    def test_a_clock_that_is_off_is_learned(self, bench: Any, offset_s: float) -> None:
        phone = bench.phone(offset_s=offset_s)
        assert bench.sign_in(phone).device.offset_s == offset_s

    def test_within_the_policys_range(self, make_bench: Any) -> None:
        bench = make_bench(totp=TotpPolicy(enrol_range_s=60))
        phone = bench.new_phone()
        phone.offset_s = 90
        with pytest.raises(NotConsecutive):
            bench.enable(phone)
        assert bench.verifier.devices() == []
        bench.wait(5)
        phone.offset_s = 60
        bench.enable(phone)

    def test_the_codes_of_enabling_are_used(self, bench: Any) -> None:
        phone = bench.new_phone()
        bench.enable(phone)
        for code in phone.pair(-1):
            with pytest.raises(Replayed):
                bench.sign_in(phone, code)
            bench.verifier.unlock(phone.serial_number)

    def test_the_order_of_checks(self, bench: Any) -> None:
        """Codes are looked at last of all: as recorded from IAM."""
        verifier = bench.verifier
        verifier.create_user("bob")
        phone, other = bench.phone(), bench.new_phone("other")
        enable = verifier.enable
        with pytest.raises(NoSuchEntity, match=r"^The user with name ann cannot be found\.$"):
            enable("ann", "nobody-has-it", "x", "x")
        with pytest.raises(NoSuchEntity, match=r"serial number nobody-has-it does not exist\.$"):
            enable("root", "nobody-has-it", "x", "x")
        for user in ("bob", "root"):
            with pytest.raises(EntityAlreadyExists, match=r"^MFA Device is already in use\.$"):
                enable(user, phone.serial_number, "x", "x")
        for number in range(7):
            bench.phone(f"phone{number}")
        with pytest.raises(LimitExceeded):
            enable("root", other.serial_number, "x", "x")
        with pytest.raises(MalformedCode):
            enable("bob", other.serial_number, "x", "x")
        with pytest.raises(NotConsecutive) as raised:
            enable("bob", other.serial_number, "000000", "111111")
        assert raised.value.code == "InvalidAuthenticationCode"
        assert raised.value.message == "Authentication code for device is not valid."
        assert [device.user for device in verifier.devices()] == ["root"] * 8

    def test_the_ninth_device_is_refused_and_nothing_changes(self, bench: Any) -> None:
        for number in range(8):
            bench.phone(f"phone{number}")
        ninth = bench.new_phone("ninth")
        before = bench.verifier.devices()
        with pytest.raises(LimitExceeded, match=r"MFADevicesPerUser: 8.*Deactivate a device"):
            bench.enable(ninth)
        assert bench.verifier.devices() == before
        bench.verifier.deactivate("root", before[3].serial_number)
        bench.enable(ninth)  # its codes are still unused
        assert bench.verifier.devices() == [*before[:3], *before[4:], bench.device(ninth)]

    @pytest.mark.parametrize("name", ["\n", "a\0", "x" * 257, "\ud800"])
    def test_a_name_must_be_readable(self, bench: Any, name: str) -> None:
        phone = bench.new_phone()
        with pytest.raises(ValidationError, match="printable"):
            bench.verifier.enable("root", phone.serial_number, *phone.pair(-1), name=name)


class TestSigningIn:
    def test_what_it_says(self, bench: Any) -> None:
        phone = bench.phone()
        signed_in = bench.sign_in(phone)
        assert (signed_in.user, signed_in.at_s) == ("root", bench.now_s)
        assert not signed_in.user_verified
        assert signed_in.device == bench.device(phone)
        assert signed_in.device.last_used_s == bench.now_s
        assert bench.verifier.audit()[-1] == AuditEvent(
            bench.now_s,
            "sign-in",
            "root",
            phone.serial_number,
            {"offset_steps": 0, "offset_s": 21.0, "rate_ppm": 0.0},
        )

    def test_without_a_serial_number_the_log_names_the_device(self, bench: Any) -> None:
        bench.phone("one")
        two = bench.phone("two")
        signed_in = bench.verifier.sign_in("root", two.code())
        assert signed_in.device.serial_number == two.serial_number
        assert bench.verifier.audit()[-1].serial_number == two.serial_number

    def test_the_order_of_checks(self, bench: Any) -> None:
        verifier, phone = bench.verifier, bench.phone()
        verifier.create_user("bob")
        with pytest.raises(NoSuchEntity, match="The user with name ann cannot be found"):
            verifier.sign_in("ann", "x")
        with pytest.raises(NoSuchEntity, match="The user with name ann cannot be found"):
            verifier.sign_in("ann", "x", serial_number=phone.serial_number)
        with pytest.raises(NoSuchEntity, match=r"bob has no token or app\. Enable one first"):
            verifier.sign_in("bob", "x")
        with pytest.raises(NoSuchEntity, match="does not exist"):
            verifier.sign_in("bob", phone.code(), serial_number=phone.serial_number)
        assert bench.device(phone).failures == 0

    @pytest.mark.parametrize("window_steps", [0, 1, 3])
    def test_the_window_is_to_both_sides_of_the_learned_offset(
        self, make_bench: Any, window_steps: int
    ) -> None:
        """Keycloak 8383 looked only backward, FreeIPA never tested negative steps."""
        for offset_s in (-3600, 0, 3600):
            for steps in range(-window_steps - 1, window_steps + 2):
                bench = make_bench(totp=TotpPolicy(window_steps=window_steps))
                phone = bench.phone(offset_s=offset_s)
                bench.wait(600)
                if abs(steps) <= window_steps:
                    device = bench.sign_in(phone, phone.code(steps)).device
                    assert device.offset_s == offset_s + 30 * steps
                else:
                    with pytest.raises(OutOfWindow):
                        bench.sign_in(phone, phone.code(steps))
                    assert bench.device(phone).offset_s == offset_s

    def test_a_clock_that_drifts_is_followed(self, bench: Any) -> None:
        """A second a day for three years: 18 minutes in all."""
        phone = bench.phone()
        for _ in range(3 * 53):
            bench.wait(7 * DAY_S)
            phone.offset_s -= 7
            bench.sign_in(phone)
        assert bench.device(phone).offset_s == pytest.approx(-3 * 53 * 7, abs=30)

    def test_after_too_long_a_rest_it_has_to_be_resynchronised(self, bench: Any) -> None:
        phone = bench.phone()
        bench.wait(240 * DAY_S)
        phone.offset_s = -300.0  # eight months in the warehouse
        with pytest.raises(OutOfWindow, match="resynchronise the device if its clock may be off"):
            bench.sign_in(phone)
        bench.wait(5)
        bench.verifier.resync("root", phone.serial_number, *phone.pair(-1))
        bench.wait(30)
        assert bench.sign_in(phone).device.offset_s == -300

    def test_a_code_is_accepted_once(self, make_bench: Any) -> None:
        """Not again within its window (Keycloak 13607), nor when a cache has forgotten it
        (Infisical PR 6112).
        """
        bench = make_bench(totp=TotpPolicy(window_steps=20, delay_s=0, lock_after=1000))
        phone = bench.phone()
        code = phone.code()
        bench.sign_in(phone)
        for _ in range(25):
            with pytest.raises(InvalidAuthenticationCode):
                bench.sign_in(phone, code)
            bench.wait(30)

    def test_codes_before_the_last_used_one_are_refused(self, make_bench: Any) -> None:
        bench = make_bench(totp=TotpPolicy(window_steps=3))
        phone = bench.phone()
        bench.wait(300)
        bench.sign_in(phone, phone.code(2))
        for steps in (-1, 0, 1, 2):
            with pytest.raises(Replayed):
                bench.sign_in(phone, phone.code(steps))
            bench.verifier.unlock(phone.serial_number)
        bench.sign_in(phone, phone.code(3))

    @pytest.mark.parametrize(
        "now_s",
        [-1e9, -45.0, 0.0, 2.0**31 - 75, 2.0**31 + 60, 2.0**32 - 75, 951_782_385.0, 2e11],
        ids=["1938", "1969", "1970", "2038", "2038 after", "2106", "29 February 2000", "8307"],
    )
    def test_any_time(self, make_bench: Any, now_s: float) -> None:
        """Signed and unsigned 32-bit clocks end in 2038 and 2106 (Nitrokey storage 17)."""
        bench = make_bench()
        bench.now_s = now_s
        phone = bench.phone(offset_s=-90)
        for _ in range(5):
            bench.sign_in(phone)
            bench.wait(30)

    def test_another_request_that_was_faster(
        self, bench: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a database that locks no rows both may have read the same state."""
        phone = bench.phone()
        lock_device = records.lock_device
        with bench.verifier._store.transaction() as connection:
            before = lock_device(connection, phone.serial_number)
        bench.sign_in(phone)
        monkeypatch.setattr(records, "lock_device", lambda *_: before)
        with pytest.raises(Replayed, match="by another request just now"):
            bench.sign_in(phone)


class TestDeactivating:
    def test_the_device_is_nobodys_then(self, bench: Any) -> None:
        verifier, phone = bench.verifier, bench.phone()
        verifier.deactivate("root", phone.serial_number)
        assert verifier.devices() == []
        assert verifier.audit()[-1] == AuditEvent(
            bench.now_s, "deactivate", "root", phone.serial_number, {}
        )
        with pytest.raises(NoSuchEntity):
            bench.sign_in(phone)
        with pytest.raises(NoSuchEntity, match="does not exist"):
            verifier.deactivate("root", phone.serial_number)

    def test_the_order_of_checks(self, bench: Any) -> None:
        verifier, phone = bench.verifier, bench.phone()
        verifier.create_user("bob")
        with pytest.raises(NoSuchEntity, match=r"^The user with name ann cannot be found\.$"):
            verifier.deactivate("ann", "nobody-has-it")
        for user, serial_number in [("root", "nobody-has-it"), ("bob", phone.serial_number)]:
            with pytest.raises(NoSuchEntity, match=f"number {serial_number} does not exist"):
                verifier.deactivate(user, serial_number)
        assert bench.device(phone).user == "root"

    def test_used_codes_stay_used_when_it_is_enabled_again(self, bench: Any) -> None:
        bench.verifier.create_user("bob")
        phone = bench.phone()
        bench.sign_in(phone)
        bench.verifier.deactivate("root", phone.serial_number)
        for first in (-2, -1, 0):
            with pytest.raises(Replayed):
                bench.verifier.enable("bob", phone.serial_number, *phone.pair(first))
            bench.verifier.unlock(phone.serial_number)
        bench.verifier.enable("bob", phone.serial_number, *phone.pair(1))
        device = bench.device(phone)
        assert (device.user, device.name, device.enabled_s) == ("bob", "", bench.now_s)
