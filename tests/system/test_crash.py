"""kill -9 in the middle of many requests, on both databases: what was accepted stays accepted."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from tokenkit.verifier import InvalidAuthenticationCode, NoSuchEntity, Verifier, store

from .modules import load

KEY = bytes(range(32))
START_S = 1_700_000_010.0
LIVES = 6
crashing = load("crashing")


class Killed:
    """A process that works on the database until it is killed, and what it told before."""

    def __init__(self, url: str, life: int, now_s: float, phones: list[tuple[str, str]]) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(crashing.__file__)),
                url,
                str(life),
                str(now_s),
                json.dumps(phones),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def told(self, before_killing: int) -> list[dict[str, Any]]:
        """All lines that it told; it is killed after so many of them, in whatever it does then."""
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline() for _ in range(before_killing)]
        self._process.kill()
        rest, errors = self._process.communicate(timeout=30)
        assert (self._process.returncode, errors) == (-signal.SIGKILL, "")
        lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in lines]


def opened(url: str, now_s: float) -> Verifier:
    return Verifier(url, now=lambda: now_s, sealing_key=KEY, totp=crashing.POLICY)


def check_devices(verifier: Verifier) -> int:
    """None is half enabled; how many are enabled."""
    with verifier._store.transaction() as connection:
        rows = connection.execute(sa.select(store.devices)).all()
    for row in rows:
        assert (row.user is None) == (row.enabled_s is None)
        if row.user is not None:
            assert row.last_counter is not None
            assert row.last_used_s is not None
    enabled = sum(row.user is not None for row in rows)
    assert enabled == len(verifier.devices("root"))
    return enabled


def test_killed_in_the_middle(database_url: str) -> None:
    rng = random.Random(1)
    with opened(database_url, START_S) as verifier:
        apps = [verifier.create_authenticator_app(f"phone{number}") for number in range(6)]
    phones = [(app.serial_number, pyotp.parse_uri(app.uri).secret) for app in apps]
    accepted: set[tuple[str, int]] = set()
    now_s, finished, were_enabled = START_S + 60, 0, 0
    for life in range(LIVES):
        killed = Killed(database_url, life, now_s, phones)
        told = killed.told(rng.randrange(5, 40))
        finished += any("done" in line for line in told)
        for line in told:
            for counter in line.get("accepted", []):
                key = (line["serial_number"], counter)
                # of the pair of an enabling or resync, neither was accepted before
                assert key not in accepted
                accepted.add(key)
            now_s = max(now_s, line.get("now_s", 0.0))
        with opened(database_url, now_s) as verifier:
            were_enabled += check_devices(verifier)
            verifier.verify_audit()
            for serial_number, counter in accepted:
                code = pyotp.HOTP(dict(phones)[serial_number]).at(counter)
                with pytest.raises((InvalidAuthenticationCode, NoSuchEntity)):
                    verifier.sign_in("root", code, serial_number=serial_number)
                pair = [pyotp.HOTP(dict(phones)[serial_number]).at(counter - n) for n in (1, 0)]
                for again in (verifier.enable, verifier.resync):
                    with pytest.raises(Exception, match=r"not valid|does not exist|in use"):
                        again("root", serial_number, *pair)
        now_s += 1
    assert finished == 0
    assert were_enabled > 0
    assert len(accepted) > 2 * LIVES


def test_left_alone_they_end(database_url: str) -> None:
    """So that what is killed above is killed in the middle."""
    with opened(database_url, START_S) as verifier:
        app = verifier.create_authenticator_app("phone")
    phones = [(app.serial_number, pyotp.parse_uri(app.uri).secret)]
    done = subprocess.run(
        [
            sys.executable,
            str(Path(crashing.__file__)),
            database_url,
            "0",
            str(START_S + 60),
            json.dumps(phones),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1]) == {"done": True}
    with opened(database_url, START_S) as verifier:
        assert verifier.verify_audit().lines == 1 + crashing.REQUESTS
