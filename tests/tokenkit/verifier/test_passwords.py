"""Passwords: kept as hashes, guesses slowed down, nothing told of what was wrong."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.verifier import (
    AccessDenied,
    EntityAlreadyExists,
    NoSuchEntity,
    PasswordPolicyViolation,
    Throttled,
    TotpPolicy,
    ValidationError,
    VerifierError,
    passwords,
)

GOOD, WRONG = "correct horse", "battery staple"
INCORRECT = r"^Your authentication information is incorrect\.$"


@pytest.fixture
def verifier(bench: Any) -> Any:
    bench.verifier.create_user("ann")
    bench.verifier.set_password("ann", GOOD)
    return bench.verifier


def refused(verifier: Any, user: str = "ann", password: str = WRONG) -> None:
    with pytest.raises(AccessDenied, match=INCORRECT):
        verifier.check_password(user, password)


class TestSet:
    def test_the_right_one_passes(self, verifier: Any, bench: Any) -> None:
        bench.wait(60)
        verifier.check_password("ann", GOOD)
        ann = verifier.user("ann")
        assert (ann.has_password, ann.password_used_s) == (True, bench.now_s)
        assert ann.password_changed_s == bench.now_s - 60

    def test_it_is_replaced(self, verifier: Any) -> None:
        with pytest.raises(EntityAlreadyExists, match="Login Profile for user ann already exists"):
            verifier.set_password("ann", "another one", replace=False)
        verifier.check_password("ann", GOOD)
        verifier.set_password("ann", "another one")
        refused(verifier, password=GOOD)

    def test_it_is_removed(self, verifier: Any) -> None:
        verifier.remove_password("ann")
        assert not verifier.user("ann").has_password
        refused(verifier, password=GOOD)
        with pytest.raises(NoSuchEntity, match="Login Profile for User ann cannot be found"):
            verifier.remove_password("ann")

    @pytest.mark.parametrize("password", ["", "1234567", "x" * 129, None, 12345678])
    def test_too_short_or_too_long(self, verifier: Any, password: Any) -> None:
        with pytest.raises(PasswordPolicyViolation, match="minimum length of 8"):
            verifier.set_password("ann", password)
        verifier.check_password("ann", GOOD)

    @pytest.mark.parametrize("password", ["x" * 8, "x" * 128, "pässwörd", "\0" * 8, "\ud800" * 8])
    def test_any_characters(self, verifier: Any, password: str) -> None:
        verifier.set_password("ann", password)
        verifier.check_password("ann", password)
        refused(verifier, password=password[:-1] + "y")

    def test_of_nobody(self, verifier: Any) -> None:
        for request in (
            lambda: verifier.set_password("bob", GOOD),
            lambda: verifier.remove_password("bob"),
        ):
            with pytest.raises(NoSuchEntity, match="The user with name bob cannot be found"):
                request()


class TestRefused:
    def test_one_text_whatever_was_wrong(self, verifier: Any) -> None:
        verifier.create_user("bob")
        for user, password in (
            ("ann", WRONG),
            ("ann", ""),
            ("ann", "x" * 100_000),
            ("bob", GOOD),
            ("nobody", GOOD),
        ):
            refused(verifier, user, password)
            verifier.set_password("ann", GOOD)  # no waiting

    def test_names_that_nobody_can_have(self, verifier: Any) -> None:
        with pytest.raises(ValidationError):
            verifier.check_password("a b", GOOD)

    def test_the_wait_grows(self, verifier: Any, bench: Any) -> None:
        for failures in range(1, 5):
            refused(verifier)
            with pytest.raises(Throttled) as caught:
                verifier.check_password("ann", GOOD)
            assert caught.value.retry_after_s == 5.0 * failures
            bench.wait(5.0 * failures)
        verifier.check_password("ann", GOOD)
        refused(verifier)
        bench.wait(5)
        verifier.check_password("ann", GOOD)

    def test_an_attempt_that_comes_too_soon_is_not_counted(self, verifier: Any, bench: Any) -> None:
        refused(verifier)
        for _ in range(100):
            with pytest.raises(Throttled):
                verifier.check_password("ann", WRONG)
        bench.wait(5)
        verifier.check_password("ann", GOOD)

    def test_wrong_ones_never_lock_for_good(self, verifier: Any, bench: Any) -> None:
        for _ in range(50):
            refused(verifier)
            bench.wait(900)
        verifier.check_password("ann", GOOD)

    def test_whoever_guesses_on_keeps_the_owner_out_until_the_guessing_ends(
        self, verifier: Any, bench: Any
    ) -> None:
        guesses = 0
        for _ in range(60):
            try:
                verifier.check_password("ann", WRONG)
            except Throttled:
                with pytest.raises(Throttled):
                    verifier.check_password("ann", GOOD)
            except AccessDenied:
                guesses += 1
            bench.wait(5)
        assert guesses >= 10
        bench.wait(45)
        verifier.check_password("ann", GOOD)

    def test_the_longest_wait(self, make_bench: Any) -> None:
        bench = make_bench(totp=TotpPolicy(delay_s=1e6))
        bench.verifier.set_password("root", GOOD)
        refused(bench.verifier, "root")
        with pytest.raises(Throttled) as caught:
            bench.verifier.check_password("root", GOOD)
        assert caught.value.retry_after_s <= 900.0
        bench.wait(900)
        bench.verifier.check_password("root", GOOD)

    def test_one_users_wait_is_not_anothers(self, verifier: Any) -> None:
        verifier.set_password("root", GOOD)
        refused(verifier)
        verifier.check_password("root", GOOD)


class Slow:
    """Argon2id, with something that happens whenever it is computed."""

    def __init__(self, meanwhile: Callable[[], None], **options: Any) -> None:
        self._meanwhile = meanwhile
        self._made = Argon2id(**options)

    def derive(self, password: bytes) -> bytes:
        self._meanwhile()
        return self._made.derive(password)

    def derive_phc_encoded(self, password: bytes) -> str:
        self._meanwhile()
        return self._made.derive_phc_encoded(password)


@pytest.fixture
def whenever_hashed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen while passwords are hashed."""

    def let(meanwhile: Callable[[], None]) -> None:
        class Made(Slow):
            def __init__(self, **options: Any) -> None:
                super().__init__(meanwhile, **options)

            @staticmethod
            def verify_phc_encoded(password: bytes, hashed: str) -> None:
                meanwhile()
                Argon2id.verify_phc_encoded(password, hashed)

        monkeypatch.setattr(passwords, "Argon2id", Made)

    return let


class TestHashing:
    """It takes long, and strangers can ask for it."""

    def test_nobody_waits_for_it(self, verifier: Any, whenever_hashed: Any) -> None:
        written: list[bool] = []

        def write() -> None:
            thread = threading.Thread(target=verifier.end_console_sessions, args=("ann",))
            thread.start()
            thread.join(20)
            written.append(not thread.is_alive())

        whenever_hashed(write)
        verifier.check_password("ann", GOOD)
        refused(verifier)
        refused(verifier, "nobody")
        with pytest.raises(Throttled):
            verifier.check_password("ann", GOOD)
        verifier.set_password("ann", "another one")
        assert written == [True] * 5

    def test_of_guesses_at_once_one_is_looked_at(self, verifier: Any, whenever_hashed: Any) -> None:
        barrier = threading.Barrier(passwords.AT_ONCE)
        whenever_hashed(lambda: (barrier.wait(20), None)[1])

        def outcome(password: str) -> type[VerifierError] | None:
            try:
                verifier.check_password("ann", password)
            except VerifierError as refusal:
                return type(refusal)
            return None

        with ThreadPoolExecutor(passwords.AT_ONCE) as pool:
            outcomes = Counter(pool.map(outcome, [WRONG] * passwords.AT_ONCE))
        assert outcomes == {AccessDenied: 1, Throttled: passwords.AT_ONCE - 1}

    def test_so_many_at_once(self, verifier: Any, whenever_hashed: Any) -> None:
        lock, under_way, most = threading.Lock(), 0, 0
        full = threading.Barrier(passwords.AT_ONCE)

        def hashing() -> None:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            full.wait(20)
            with lock:
                under_way -= 1

        whenever_hashed(hashing)
        names = [f"nobody{number}" for number in range(3 * passwords.AT_ONCE)]
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: refused(verifier, name), names))
        assert most == passwords.AT_ONCE

    def test_it_is_changed_meanwhile(self, verifier: Any, whenever_hashed: Any) -> None:
        """The one that was right when it came is not any more."""
        changed: list[str] = []

        def change() -> None:
            if not changed:
                changed.append("another one")
                verifier.set_password("ann", "another one")

        whenever_hashed(change)
        refused(verifier, password=GOOD)
        verifier.set_password("ann", GOOD)
        verifier.check_password("ann", GOOD)

    def test_its_user_is_deleted_meanwhile(self, verifier: Any, whenever_hashed: Any) -> None:
        def delete() -> None:
            verifier.remove_password("ann")
            verifier.delete_user("ann")

        whenever_hashed(delete)
        refused(verifier, password=GOOD)


class TestKept:
    def test_one_that_is_typed_as_a_name_is_not_in_the_log(self, verifier: Any) -> None:
        refused(verifier, user="correct-horse9")
        refused(verifier, user="ann")
        assert [event.user for event in verifier.audit()[-2:]] == [None, "ann"]
        assert "correct-horse9" not in repr(verifier.audit())

    def test_neither_log_nor_database_has_it(self, make_bench: Any, tmp_path: Any) -> None:
        bench = make_bench(url=f"sqlite:///{tmp_path}/mfa.db", sealing_key=bytes(32))
        bench.verifier.set_password("root", GOOD)
        refused(bench.verifier, "root")
        assert [event.event for event in bench.verifier.audit("root")] == [
            "set-password",
            "password-refused",
        ]
        assert GOOD not in repr(bench.verifier.audit())
        bench.verifier.close()
        whole = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert GOOD.encode() not in whole
        assert b"$argon2id$v=19$m=19456,t=2,p=1$" in whole

    def test_the_same_password_has_two_hashes(self, make_bench: Any, tmp_path: Any) -> None:
        bench = make_bench(url=f"sqlite:///{tmp_path}/mfa.db", sealing_key=bytes(32))
        for user in ("ann", "bob"):
            bench.verifier.create_user(user)
            bench.verifier.set_password(user, GOOD)
        bench.verifier.close()
        whole = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        hashes = set(whole.split(b"$argon2id$v=19$m=19456,t=2,p=1$")[1:])
        assert len({each[:22] for each in hashes}) == 2


@settings(max_examples=25)
@given(st.text(min_size=8, max_size=128), st.text(max_size=130))
def test_it_passes_if_equal(make_bench: Any, password: str, guess: str) -> None:
    verifier = make_bench().verifier
    verifier.set_password("root", password)
    if guess == password:
        verifier.check_password("root", guess)
    else:
        refused(verifier, "root", guess)
    verifier.close()
