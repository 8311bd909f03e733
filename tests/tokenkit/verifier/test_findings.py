"""What is amiss, by policy: pure over devices, and through a verifier."""

import math
from typing import Any

import pytest

from tokenkit.verifier import (
    AccountPolicy,
    Device,
    DeviceKind,
    FindingKind,
    TotpPolicy,
    User,
    ValidationError,
    WebAuthnPolicy,
)
from tokenkit.verifier.findings import find
from tokenkit.verifier.seed_file import Seed

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0
ANN = User("ann", "AIDA1", "/", NOW_S - 1000 * DAY_S)
ROOTS = (b"a root",)


def token(**members: Any) -> Device:
    given = {
        "serial_number": "GAHT00000001",
        "kind": DeviceKind.HARDWARE_TOKEN,
        "name": "",
        "user": "ann",
        "enabled_s": NOW_S,
        **members,
    }
    return Device(**given)


def kinds_of(
    *devices: Device,
    user: User = ANN,
    account: AccountPolicy | None = None,
    webauthn: WebAuthnPolicy | None = None,
) -> list[FindingKind]:
    found = find([user], devices, account or AccountPolicy(), webauthn or WebAuthnPolicy(), NOW_S)
    assert all(each.what.endswith(".") and each.advice.endswith(".") for each in found)
    return [each.kind for each in found]


def test_a_device_in_use_is_no_finding() -> None:
    assert kinds_of(token()) == []


class TestUsers:
    def test_those_who_cannot_sign_in_need_no_device(self) -> None:
        assert kinds_of() == []

    def test_those_with_a_password_do(self) -> None:
        [found] = find([User("ann", "A", "/", 0.0, True)], [], AccountPolicy(), WebAuthnPolicy(), 0)
        assert (found.kind, found.user, found.serial_number) == ("no-mfa", "ann", None)
        assert found.what == "ann has no MFA device."

    def test_root_can_always_sign_in(self) -> None:
        assert kinds_of(user=User("root", "1", "/", 0.0)) == [FindingKind.NO_MFA]

    @pytest.mark.parametrize(
        ("name", "policy"),
        [
            ("ann", AccountPolicy(mfa_required_for_users=True)),
            ("root", AccountPolicy(mfa_required_for_root=True)),
        ],
    )
    def test_of_whom_it_is_required(self, name: str, policy: AccountPolicy) -> None:
        assert policy.requires_mfa(name)
        [found] = find([User(name, "A", "/", 0.0)], [], policy, WebAuthnPolicy(), NOW_S)
        assert found.what == f"{name} has no MFA device, though the account's policy asks for one."

    def test_what_is_required_of_root_is_not_of_users(self) -> None:
        assert not AccountPolicy(mfa_required_for_root=True).requires_mfa("ann")
        assert not AccountPolicy(mfa_required_for_users=True).requires_mfa("root")

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_too_few(self, count: int) -> None:
        devices = [token(serial_number=f"GAHT0000000{n}") for n in range(count)]
        found = find([ANN], devices, AccountPolicy(minimum_devices=3), WebAuthnPolicy(), NOW_S)
        assert [each.what for each in found] == [
            f"ann has {count} MFA device{'s' if count > 1 else ''}, the account's policy asks"
            " for 3."
        ][: count < 3]


class TestDevices:
    @pytest.mark.parametrize("used_s", [None, NOW_S - 91 * DAY_S])
    def test_stale(self, used_s: float | None) -> None:
        old = token(enabled_s=NOW_S - 100 * DAY_S, last_used_s=used_s)
        assert kinds_of(old) == [FindingKind.STALE_DEVICE]
        assert kinds_of(old, account=AccountPolicy(stale_after_days=100)) == []

    def test_locked(self) -> None:
        assert kinds_of(token(locked=True, failures=10)) == [FindingKind.LOCKED]

    def test_a_clone(self) -> None:
        key = token(kind=DeviceKind.SECURITY_KEY, clone_suspected=True)
        assert kinds_of(key) == [FindingKind.CLONE_SUSPECTED]

    @pytest.mark.parametrize(
        ("offset_s", "doubt_s", "kind", "drifting"),
        [
            (0.0, 5.0, DeviceKind.HARDWARE_TOKEN, False),
            (29.0, 15.0, DeviceKind.HARDWARE_TOKEN, False),
            (24.0, 20.0, DeviceKind.HARDWARE_TOKEN, False),
            (26.0, 20.0, DeviceKind.HARDWARE_TOKEN, True),
            (-26.0, 20.0, DeviceKind.HARDWARE_TOKEN, True),
            (0.0, 46.0, DeviceKind.HARDWARE_TOKEN, True),
            (0.0, 46.0, DeviceKind.AUTHENTICATOR_APP, False),
            (31.0, 0.0, DeviceKind.AUTHENTICATOR_APP, True),
        ],
    )
    def test_drifting(
        self, offset_s: float, doubt_s: float, kind: DeviceKind, drifting: bool
    ) -> None:
        device = token(
            kind=kind,
            period_s=30,
            predicted_offset_s=offset_s,
            uncertainty_s=doubt_s,
            window_s=(-30.0, 30.0),
        )
        assert kinds_of(device) == [FindingKind.DRIFTING][: int(drifting)]

    @pytest.mark.parametrize(
        ("members", "what"),
        [
            (
                {"predicted_offset_s": 26.0},
                "Its next code may be refused: its clock is 26 s ahead by now, give or take 20 s,"
                " and codes are accepted from 30 s behind to 30 s ahead.",
            ),
            (
                {"predicted_offset_s": -0.4, "uncertainty_s": 80.0, "failures": 1},
                "Its last code was refused, and its clock may be why: its clock is on time by now,"
                " give or take 80 s, and codes are accepted from 30 s behind to 30 s ahead.",
            ),
            (
                {"predicted_offset_s": -160.0, "failures": 1},
                "Its codes are probably refused: its clock is 160 s behind by now, give or take"
                " 20 s, and codes are accepted from 30 s behind to 30 s ahead.",
            ),
        ],
    )
    def test_drifting_says_whether_the_window_is_left(
        self, members: dict[str, Any], what: str
    ) -> None:
        seen = {"period_s": 30, "uncertainty_s": 20.0, "window_s": (-30.0, 30.0), **members}
        [found] = find([ANN], [token(**seen)], AccountPolicy(), WebAuthnPolicy(), NOW_S)
        assert found.what == what

    @pytest.mark.parametrize(
        ("form", "aaguid", "aaguids", "untrusted"),
        [
            ("packed", "00000000-0000-0000-0000-000000000001", (), False),
            ("none", "00000000-0000-0000-0000-000000000001", (), True),
            ("", "", (), True),
            ("packed", "a" * 8 + "-0000-0000-0000-000000000001", ("b",), True),
        ],
    )
    def test_untrusted(
        self, form: str, aaguid: str, aaguids: tuple[str, ...], untrusted: bool
    ) -> None:
        allowed = tuple("bbbbbbbb-0000-0000-0000-000000000001" for _ in aaguids)
        policy = WebAuthnPolicy(attestation="direct", trusted_roots=ROOTS, aaguids=allowed)
        key = token(kind=DeviceKind.SECURITY_KEY, attestation_format=form, aaguid=aaguid)
        assert kinds_of(key, webauthn=policy) == [FindingKind.UNTRUSTED][: int(untrusted)]
        assert kinds_of(key) == []
        assert kinds_of(token(), webauthn=policy) == []

    def test_several_at_once(self) -> None:
        bad = token(locked=True, clone_suspected=True, enabled_s=NOW_S - 365 * DAY_S)
        assert kinds_of(bad, account=AccountPolicy(minimum_devices=2)) == [
            FindingKind.TOO_FEW_DEVICES,
            FindingKind.LOCKED,
            FindingKind.CLONE_SUSPECTED,
            FindingKind.STALE_DEVICE,
        ]


class TestOfAVerifier:
    def test_a_walk_through_all(self, make_bench: Any) -> None:
        bench = make_bench(
            totp=TotpPolicy(lock_after=1), account=AccountPolicy(stale_after_days=30)
        )
        verifier = bench.verifier
        assert [each.kind for each in verifier.findings()] == [FindingKind.NO_MFA]
        phone = bench.phone()
        assert verifier.findings() == []
        bench.wait(31 * DAY_S)
        [found] = verifier.findings()
        assert (found.kind, found.serial_number) == ("stale-device", phone.serial_number)
        assert "31 days" in found.what
        bench.sign_in(phone)
        assert verifier.findings() == []
        with pytest.raises(Exception, match="not valid"):
            bench.sign_in(phone, phone.wrong_code())
        assert [each.kind for each in verifier.findings()] == [FindingKind.LOCKED]

    def test_a_token_whose_clock_runs_away(self, make_bench: Any) -> None:
        """Nobody knows how fast a silent token is: it is told of before months have passed."""
        bench = make_bench(account=AccountPolicy(stale_after_days=10_000))
        seed = "JBSWY3DPEHPK3PXP"
        bench.verifier.add_tokens([Seed("GAHT00000001", b"Hello!\xde\xad\xbe\xef", "SHA1", 6, 30)])
        bench.enable(bench.token("GAHT00000001", seed))
        assert bench.verifier.findings() == []
        days = 0
        while not bench.verifier.findings():
            bench.wait(DAY_S)
            days += 1
            assert days < 365
        [found] = bench.verifier.findings()
        assert found.kind == FindingKind.DRIFTING
        assert 7 < days < 100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mfa_required_for_root": "yes"}, "mfa_required_for_root is true or false, not 'yes'"),
        ({"mfa_required_for_users": 1}, "mfa_required_for_users is true or false, not 1"),
        ({"minimum_devices": 0}, "minimum_devices is from 1 to 8, not 0"),
        ({"minimum_devices": 9}, "minimum_devices is from 1 to 8, not 9"),
        ({"minimum_devices": 1.5}, "minimum_devices is from 1 to 8, not 1.5"),
        ({"stale_after_days": 0.0}, "stale_after_days is above 0"),
        ({"stale_after_days": math.nan}, "stale_after_days is above 0"),
        ({"stale_after_days": math.inf}, "stale_after_days is above 0"),
    ],
    ids=repr,
)
def test_impossible_policies(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AccountPolicy(**values)
