"""Requests at once: of threads, and of processes on one database, SQLite or PostgreSQL."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from tokenkit.verifier import Replayed, TotpPolicy, Verifier, VerifierError
from tokenkit.verifier.console_sessions import IDLE_S
from tokenkit.verifier.seed_file import parse_seed_file

THREADS = 6
KEY = bytes(range(32))
EASY = TotpPolicy(window_steps=3, delay_s=0, lock_after=10_000)


everywhere = pytest.mark.parametrize(
    "database_url", ["memory", "sqlite", "postgresql"], indirect=True
)


@pytest.fixture
def bench(make_bench: Any, database_url: str) -> Iterator[Any]:
    bench = make_bench(url=database_url, sealing_key=KEY, totp=EASY)
    with bench.verifier:
        yield bench


def at_once(requests: list[Callable[[], Any]]) -> Counter[str]:
    """How often each outcome came of requests that begin together."""
    barrier = Barrier(len(requests))

    def outcome(request: Callable[[], Any]) -> str:
        barrier.wait()
        try:
            request()
        except VerifierError as refusal:
            return type(refusal).__name__
        return "accepted"

    with ThreadPoolExecutor(len(requests)) as pool:
        return Counter(pool.map(outcome, requests))


@everywhere
def test_one_code_is_accepted_once(bench: Any) -> None:
    phone = bench.phone()
    for _ in range(5):
        bench.wait(30)
        code = phone.code()
        outcomes = at_once([lambda code=code: bench.sign_in(phone, code)] * THREADS)
        assert outcomes == {"accepted": 1, "Replayed": THREADS - 1}
    assert len(bench.verifier.audit()) == 2 + 5 * THREADS


@everywhere
def test_one_code_is_accepted_once_of_sixty_four(bench: Any) -> None:
    phone = bench.phone()
    code = phone.code()
    assert at_once([lambda: bench.sign_in(phone, code)] * 64) == {"accepted": 1, "Replayed": 63}
    events = Counter(event.event for event in bench.verifier.audit("root"))
    assert (events["sign-in"], events["sign-in-refused"]) == (1, 63)


@everywhere
def test_also_if_nobody_says_of_which_device(bench: Any) -> None:
    phone, _ = bench.phone("one"), bench.phone("two")
    outcomes = at_once([lambda: bench.verifier.sign_in("root", phone.code())] * THREADS)
    assert outcomes == {"accepted": 1, "Replayed": THREADS - 1}


@everywhere
def test_also_by_resynchronisation(bench: Any) -> None:
    phone = bench.phone()
    pair = phone.pair()
    outcomes = at_once(
        [lambda: bench.verifier.resync("root", phone.serial_number, *pair)] * (THREADS - 2)
        + [lambda: bench.sign_in(phone, pair[1])] * 2
    )
    assert outcomes["accepted"] == 1


@everywhere
def test_every_wrong_code_is_counted(bench: Any) -> None:
    phone = bench.phone()
    wrong = phone.wrong_code()
    outcomes = at_once([lambda: bench.sign_in(phone, wrong)] * THREADS)
    assert outcomes == {"OutOfWindow": THREADS}
    assert bench.device(phone).failures == THREADS


@everywhere
def test_there_is_no_ninth_device(bench: Any) -> None:
    phones = [bench.new_phone(f"phone{number}") for number in range(11)]
    outcomes = at_once([lambda phone=phone: bench.enable(phone) for phone in phones])
    assert outcomes == {"accepted": 8, "LimitExceeded": 3}
    assert len(bench.verifier.devices("root")) == 8


@everywhere
def test_a_device_is_one_users(bench: Any) -> None:
    users = [f"user{number}" for number in range(THREADS)]
    for user in users:
        bench.verifier.create_user(user)
    phone = bench.new_phone()
    outcomes = at_once([lambda user=user: bench.enable(phone, user) for user in users])
    assert outcomes == {"accepted": 1, "EntityAlreadyExists": THREADS - 1}


@everywhere
def test_a_name_is_given_once(bench: Any) -> None:
    outcomes = at_once([lambda: bench.verifier.create_user("ann")] * THREADS)
    assert outcomes == {"accepted": 1, "EntityAlreadyExists": THREADS - 1}


@everywhere
def test_nor_a_serial_number_or_a_role_twice(bench: Any) -> None:
    verifier = bench.verifier
    seeds = parse_seed_file(b"serial number,secret key\nTOKEN000001,GEZDGNBVGY3TQOJQ")
    for make in (
        lambda: verifier.create_authenticator_app("phone"),
        lambda: verifier.add_tokens(seeds),
        lambda: verifier.create_role("reader", trust_policy="{}"),
    ):
        assert at_once([make] * THREADS) == {"accepted": 1, "EntityAlreadyExists": THREADS - 1}


def test_a_new_database_is_made_once(database_url: str) -> None:
    def open_and_close() -> None:
        Verifier(database_url, sealing_key=KEY).close()

    assert at_once([open_and_close] * THREADS) == {"accepted": THREADS}
    with Verifier(database_url, sealing_key=KEY) as verifier:
        assert [user.name for user in verifier.users()] == ["root"]


PROCESS = """
import sys
from tokenkit.verifier import Replayed, TotpPolicy, Verifier
now_s = {now_s}
def opened():
    policy = TotpPolicy(window_steps=3, delay_s=0, lock_after=10_000)
    return Verifier("{url}", now=lambda: now_s, sealing_key=bytes(range(32)), totp=policy)
def accepted(verifier, code):
    try:
        verifier.sign_in("root", code, serial_number="{serial_number}")
    except Replayed:
        return False
    return True
"""


def test_processes_on_one_database(make_bench: Any, database_url: str) -> None:
    """Each shows the same thirty codes, one after the other."""
    bench = make_bench(url=database_url, sealing_key=KEY, totp=EASY)
    phone = bench.phone()
    first_s = bench.now_s
    codes = [phone.code(steps) for steps in range(30)]
    program = f"""
verifier = opened()
print("ready", flush=True)
sys.stdin.readline()
for number, code in enumerate({codes}):
    now_s = {first_s} + 30 * number
    if accepted(verifier, code):
        print(number)
"""
    known = {"now_s": first_s, "url": database_url, "serial_number": phone.serial_number}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS.format(**known) + program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    accepted: Counter[str] = Counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        accepted.update(output.split())
    assert accepted == {str(number): 1 for number in range(30)}
    bench.wait(30 * 29)
    with bench.verifier, pytest.raises(Replayed):
        bench.sign_in(phone)


def test_sixty_four_processes_and_one_code(make_bench: Any, database_url: str) -> None:
    """Each opens the database itself, then all wait for the same moment."""
    bench = make_bench(url=database_url, sealing_key=KEY, totp=EASY)
    phone = bench.phone()
    program = f"""
import multiprocessing
context = multiprocessing.get_context("fork")
barrier = context.Barrier(64)
def attempt(number):
    with opened() as verifier:
        barrier.wait(60)
        return accepted(verifier, "{phone.code()}")
with context.Pool(64) as pool:
    print(pool.map(attempt, range(64), chunksize=1).count(True))
"""
    known = {"now_s": bench.now_s, "url": database_url, "serial_number": phone.serial_number}
    done = subprocess.run(
        [sys.executable, "-c", PROCESS.format(**known) + program],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    with bench.verifier, pytest.raises(Replayed):
        bench.sign_in(phone)


@everywhere
def test_first_devices_of_several_users_while_others_come(bench: Any) -> None:
    """All wait for each other in one order: users, what they have, names, the log."""
    verifier = bench.verifier
    for round_ in range(4):
        sessions, requests = {}, []
        for user in (f"ann{round_}", f"ben{round_}"):
            verifier.create_user(user)
            sessions[user] = [verifier.begin_console_session(user, {}).token for _ in range(2)]
        bench.wait(IDLE_S)  # who begins a session clears away those
        for user, tokens in sessions.items():
            for number, token in enumerate(tokens):
                app = verifier.offer_authenticator_app(f"{user}-{number}")
                phone = bench.token(app.serial_number, app.secret)
                enable = partial(verifier.enable_app, user, app, *phone.pair(-1), name="phone")
                requests.append(partial(enable, session=token))
                requests.append(partial(verifier.create_authenticator_app, f"{user}-{number}"))
                requests.append(partial(verifier.begin_console_session, user, {}))
                requests.append(partial(verifier.set_password, user, "correct horse"))
        outcomes = at_once(requests)
        assert set(outcomes) <= {"accepted", "EntityAlreadyExists", "AccessDenied"}
        held = verifier.devices()
        assert len(held) == len({device.user for device in held})  # a password alone enables one
