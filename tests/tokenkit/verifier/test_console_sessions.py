"""Sessions of the console, on each kind of database."""

from tokenkit.verifier import Verifier
from tokenkit.verifier.console_sessions import ABSOLUTE_S, IDLE_S

KEY = bytes(32)


def test_its_life(database_url: str) -> None:
    now_s = 1_700_000_000.0
    with Verifier(database_url, now=lambda: now_s, sealing_key=KEY) as verifier:
        begun = verifier.begin_console_session("root", {"stage": "signed-in"})
        assert verifier.console_session(begun.token) == begun
        assert verifier.console_session(begun.token + "x") is None
        assert verifier.console_session("\ud800\0") is None

        verifier.put_console_state(begun.token, {"stage": "other", "n": [1, None]})
        begun_s = now_s
        while now_s + IDLE_S - 1 < begun_s + ABSOLUTE_S:
            now_s += IDLE_S - 1
            found = verifier.console_session(begun.token)
            assert found is not None
            assert found.state == {"stage": "other", "n": [1, None]}
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
