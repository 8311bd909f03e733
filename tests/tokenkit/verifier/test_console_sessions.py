"""Sessions of the console, on each kind of database."""

from typing import Any

import pytest

from tokenkit.verifier import AccessDenied, AccountPolicy, Verifier
from tokenkit.verifier.console_sessions import ABSOLUTE_S, ENROL, IDLE_S, PASSWORD, SIGNED_IN

KEY = bytes(32)


def test_its_life(database_url: str) -> None:
    now_s = 1_700_000_000.0
    with Verifier(database_url, now=lambda: now_s, sealing_key=KEY) as verifier:
        begun = verifier.begin_console_session("root", {"n": 0})
        assert verifier.console_session(begun.token) == begun
        assert verifier.console_session(begun.token + "x") is None
        assert verifier.console_session("\ud800\0") is None

        verifier.put_console_state(begun.token, {"n": [1, None]})
        begun_s = now_s
        while now_s + IDLE_S - 1 < begun_s + ABSOLUTE_S:
            now_s += IDLE_S - 1
            found = verifier.console_session(begun.token)
            assert found is not None
            assert found.state == {"n": [1, None]}
        now_s = begun_s + ABSOLUTE_S
        assert verifier.console_session(begun.token) is None

        first, second = (verifier.begin_console_session("root", {}) for _ in range(2))
        now_s -= 3600.0  # the clock was ahead: nobody keeps a session of the future
        assert verifier.console_session(first.token) is None
        now_s += 3600.0
        verifier.end_console_session(first.token)
        assert verifier.console_session(first.token) is None
        assert verifier.console_session(second.token) == second
        verifier.set_password("root", "a new password")
        assert verifier.console_session(second.token) is None


def test_of_a_user_who_is_deleted(database_url: str) -> None:
    with Verifier(database_url, sealing_key=KEY) as verifier:
        verifier.create_user("ann")
        begun = verifier.begin_console_session("ann", {})
        verifier.delete_user("ann")
        assert verifier.console_session(begun.token) is None


def test_looking_alone_prolongs_nothing(database_url: str) -> None:
    now_s = 1_700_000_000.0
    with Verifier(database_url, now=lambda: now_s, sealing_key=KEY) as verifier:
        begun = verifier.begin_console_session("root", {})
        now_s += IDLE_S - 1
        assert verifier.console_session(begun.token, prolong=False) == begun
        now_s += 1
        assert verifier.console_session(begun.token) is None


@pytest.mark.parametrize("required", [False, True])
def test_how_far_it_goes_follows_from_the_devices_there_are(
    make_bench: Any, required: bool
) -> None:
    bench = make_bench(account=AccountPolicy(mfa_required_for_root=required))
    verifier = bench.verifier
    assert verifier.begin_console_session("root", {}).stage == (ENROL if required else SIGNED_IN)
    bench.phone()
    assert verifier.begin_console_session("root", {}).stage == PASSWORD
    begun = verifier.begin_console_session("root", {}, mfa=True)
    assert begun.stage == SIGNED_IN
    assert verifier.console_session(begun.token) == begun


def test_a_first_device_ends_all_but_the_session_that_enables_it(make_bench: Any) -> None:
    bench = make_bench()
    verifier, first, second = bench.verifier, bench.new_phone("first"), bench.new_phone("second")
    verifier.create_user("ann")
    owner, thief = (verifier.begin_console_session("root", {}) for _ in range(2))
    ann = verifier.begin_console_session("ann", {})
    verifier.enable("root", first.serial_number, *first.pair(-1), session=owner.token)
    assert verifier.console_session(owner.token) == owner
    assert verifier.console_session(thief.token) is None
    assert verifier.console_session(ann.token) == ann
    with pytest.raises(AccessDenied, match="signed in"):  # a request that was under way
        verifier.enable("root", second.serial_number, *second.pair(-1), session=thief.token)
    assert [device.serial_number for device in verifier.devices("root")] == [first.serial_number]
    later = verifier.begin_console_session("root", {}, mfa=True)
    verifier.enable("root", second.serial_number, *second.pair(-1))
    assert verifier.console_session(later.token) == later


def test_by_whatever_way_it_was_enabled(make_bench: Any) -> None:
    bench = make_bench()
    thief = bench.verifier.begin_console_session("root", {})
    bench.phone()
    assert bench.verifier.console_session(thief.token) is None


def test_none_follows_one_that_has_ended(make_bench: Any) -> None:
    bench = make_bench()
    verifier = bench.verifier
    first = verifier.begin_console_session("root", {})
    second = verifier.begin_console_session("root", {"n": 1}, mfa=True, after=first.token)
    assert verifier.console_session(first.token) is None
    verifier.set_password("root", "a new password")
    with pytest.raises(AccessDenied, match="signed in"):
        verifier.begin_console_session("root", {}, mfa=True, after=second.token)
