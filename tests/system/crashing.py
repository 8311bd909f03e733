"""Mixed requests on a verifier, for a test that kills the process in the middle of them.

What was accepted is told on standard output before the next request: a line of JSON each, written
at once. Arguments: the database's URL, the number of the life (each draws other requests), the
time, and the phones as JSON.
"""

import json
import random
import sys
import threading
from typing import Any

import pyotp

from tokenkit.verifier import TotpPolicy, Verifier, VerifierError

REQUESTS, THREADS = 200, 4
POLICY = TotpPolicy(window_steps=2, delay_s=0, lock_after=10_000)


class Clock:
    """Whole seconds that pass from request to request, for all threads."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.now_s

    def advance(self) -> float:
        with self._lock:
            self.now_s += 5
            return self.now_s


def say(**told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def work(verifier: Verifier, clock: Clock, phones: list[tuple[str, str]], seed: str) -> None:
    rng = random.Random(seed)
    for number in range(REQUESTS // THREADS):
        serial_number, secret = rng.choice(phones)
        hotp = pyotp.HOTP(secret)
        counter = int(clock.advance() // 30)
        what = rng.choice(["sign-in", "sign-in", "enable", "resync", "deactivate", "other"])
        used: list[int] = []
        try:
            if what == "sign-in":
                used = [counter]
                verifier.sign_in("root", hotp.at(counter), serial_number=serial_number)
            elif what in ("enable", "resync"):
                used = [counter - 1, counter]
                request = verifier.enable if what == "enable" else verifier.resync
                request("root", serial_number, *map(hotp.at, used))
            elif what == "deactivate":
                verifier.deactivate("root", serial_number)
            else:
                verifier.create_user(f"user-{seed}-{number}")
        except VerifierError:
            continue
        say(now_s=clock.now_s, serial_number=serial_number, accepted=used)


def main(url: str, life: str, now_s: str, phones: str) -> None:
    clock = Clock(float(now_s))
    with Verifier(url, now=clock.now, sealing_key=bytes(range(32)), totp=POLICY) as verifier:
        threads = [
            threading.Thread(
                target=work, args=(verifier, clock, json.loads(phones), f"{life}-{number}")
            )
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    say(done=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
