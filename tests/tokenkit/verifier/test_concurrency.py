"""Requests at once: of threads, and of processes on one SQLite file."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tokenkit.verifier import Replayed, TotpPolicy, VerifierError

THREADS = 6
KEY = bytes(range(32))
EASY = TotpPolicy(window_steps=3, delay_s=0, lock_after=10_000)


@pytest.fixture(params=["memory", "file"])
def bench(request: pytest.FixtureRequest, make_bench: Any, tmp_path: Path) -> Iterator[Any]:
    url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/mfa.db"
    bench = make_bench(url=url, sealing_key=KEY, totp=EASY)
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


def test_one_code_is_accepted_once(bench: Any) -> None:
    phone = bench.phone()
    for _ in range(5):
        bench.wait(30)
        code = phone.code()
        outcomes = at_once([lambda code=code: bench.sign_in(phone, code)] * THREADS)
        assert outcomes == {"accepted": 1, "Replayed": THREADS - 1}
    assert len(bench.verifier.audit()) == 2 + 5 * THREADS


def test_also_if_nobody_says_of_which_device(bench: Any) -> None:
    phone, _ = bench.phone("one"), bench.phone("two")
    outcomes = at_once([lambda: bench.verifier.sign_in("root", phone.code())] * THREADS)
    assert outcomes == {"accepted": 1, "Replayed": THREADS - 1}


def test_also_by_resynchronisation(bench: Any) -> None:
    phone = bench.phone()
    pair = phone.pair()
    outcomes = at_once(
        [lambda: bench.verifier.resync("root", phone.serial_number, *pair)] * (THREADS - 2)
        + [lambda: bench.sign_in(phone, pair[1])] * 2
    )
    assert outcomes["accepted"] == 1


def test_every_wrong_code_is_counted(bench: Any) -> None:
    phone = bench.phone()
    wrong = phone.wrong_code()
    outcomes = at_once([lambda: bench.sign_in(phone, wrong)] * THREADS)
    assert outcomes == {"OutOfWindow": THREADS}
    assert bench.device(phone).failures == THREADS


def test_there_is_no_ninth_device(bench: Any) -> None:
    phones = [bench.new_phone(f"phone{number}") for number in range(11)]
    outcomes = at_once([lambda phone=phone: bench.enable(phone) for phone in phones])
    assert outcomes == {"accepted": 8, "LimitExceeded": 3}
    assert len(bench.verifier.devices("root")) == 8


def test_a_device_is_one_users(bench: Any) -> None:
    users = [f"user{number}" for number in range(THREADS)]
    for user in users:
        bench.verifier.create_user(user)
    phone = bench.new_phone()
    outcomes = at_once([lambda user=user: bench.enable(phone, user) for user in users])
    assert outcomes == {"accepted": 1, "EntityAlreadyExists": THREADS - 1}


def test_a_name_is_given_once(bench: Any) -> None:
    outcomes = at_once([lambda: bench.verifier.create_user("ann")] * THREADS)
    assert outcomes == {"accepted": 1, "EntityAlreadyExists": THREADS - 1}


def test_processes_on_one_file(make_bench: Any, tmp_path: Path) -> None:
    """Each shows the same thirty codes, one after the other."""
    path = tmp_path / "mfa.db"
    bench = make_bench(url=f"sqlite:///{path}", sealing_key=KEY, totp=EASY)
    phone = bench.phone()
    first_s = bench.now_s
    codes = [phone.code(steps) for steps in range(30)]
    program = f"""
import sys
from tokenkit.verifier import Replayed, TotpPolicy, Verifier
now_s = {first_s}
verifier = Verifier(
    "sqlite:///{path}",
    now=lambda: now_s,
    sealing_key=bytes(range(32)),
    totp=TotpPolicy(window_steps=3, delay_s=0, lock_after=10_000),
)
print("ready", flush=True)
sys.stdin.readline()
for number, code in enumerate({codes}):
    now_s = {first_s} + 30 * number
    try:
        verifier.sign_in("root", code, serial_number="{phone.serial_number}")
        print(number)
    except Replayed:
        pass
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
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
