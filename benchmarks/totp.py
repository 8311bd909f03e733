"""Checking a TOTP code with a window of ±1 step, beside pyotp."""

import base64
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp

from benchmarks.measure import Row, cost_of
from tokenkit.verifier import OutOfWindow, Verifier
from tokenkit.verifier.totp import CodeGenerator, TotpState, step, verify

SEED = bytes(range(20))
SECRET = base64.b32encode(SEED).decode()
NOW_S = 1_800_000_015.0
OFFSET_STEPS = 7  # learned: ours finds the code there, pyotp is told the device's time
DEVICE_S = int(NOW_S) + 30 * OFFSET_STEPS
STATE = TotpState(OFFSET_STEPS, step(NOW_S, 30) + OFFSET_STEPS - 2)
GOAL = 3.0


def rows() -> Iterator[Row]:
    """Both start from the secret, as a server does that has just read it from its store.

    pyotp stops at the code that is right, here the second of three; ours always looks at all.
    """
    pyotp_kept, ours_kept = pyotp.TOTP(SECRET), CodeGenerator(SEED)
    near = {pyotp_kept.at(DEVICE_S, counter_offset=steps) for steps in (-1, 0, 1)}
    codes = {
        "right": pyotp_kept.at(DEVICE_S),
        "wrong": next(code for n in itertools.count() if (code := f"{n:06}") not in near),
    }
    calls: dict[str, Callable[[], bool]] = {}
    for which, code in codes.items():
        calls[f"pyotp {which}"] = lambda code=code: theirs(pyotp.TOTP(SECRET), code)
        calls[f"ours {which}"] = lambda code=code: ours(CodeGenerator(SEED), code)
        calls[f"pyotp kept {which}"] = lambda code=code: theirs(pyotp_kept, code)
        calls[f"ours kept {which}"] = lambda code=code: ours(ours_kept, code)
    for name, call in calls.items():
        assert call() == name.endswith("right")
    cost = cost_of(calls)
    for which in codes:
        peer, own = cost[f"pyotp {which}"], cost[f"ours {which}"]
        yield Row("TOTP", f"{which} code, pyotp's verify(valid_window=1)", peer)
        what, ratio = f"{which} code, the verifier's rule", peer / own
        yield Row("TOTP", what, own, ratio, "× pyotp", f"≥ {GOAL:g}", ratio >= GOAL)
        peer, own = cost[f"pyotp kept {which}"], cost[f"ours kept {which}"]
        yield Row("TOTP", f"{which} code, objects kept", own, peer / own, "× pyotp")
    yield from _sign_ins()


def theirs(totp: pyotp.TOTP, code: str) -> bool:
    return totp.verify(code, for_time=DEVICE_S, valid_window=1)


def ours(generator: CodeGenerator, code: str) -> bool:
    try:
        verify(generator, STATE, generator.parse(code), step(NOW_S, 30), 1)
    except OutOfWindow:
        return False
    return True


def _sign_ins() -> Iterator[Row]:
    """A whole sign-in: store, log and all."""
    with tempfile.TemporaryDirectory() as folder:
        in_memory = _sign_in("sqlite://")
        in_file = _sign_in(f"sqlite:///{Path(folder) / 'verifier.db'}")
        cost = cost_of({"in memory": in_memory, "in a file": in_file})
    for where, one_s in cost.items():
        yield Row("TOTP", f"Verifier.sign_in, SQLite {where}", one_s)


def _sign_in(url: str) -> Callable[[], object]:
    time_s = [NOW_S]
    verifier = Verifier(url, now=lambda: time_s[0], sealing_key=bytes(32))
    app = verifier.create_authenticator_app("phone")
    phone = pyotp.parse_uri(app.uri)
    assert isinstance(phone, pyotp.TOTP)
    codes = [phone.at(int(NOW_S), counter_offset=steps) for steps in (0, 1)]
    verifier.enable("root", app.serial_number, *codes)

    def sign_in() -> object:
        time_s[0] += 60
        return verifier.sign_in("root", phone.at(int(time_s[0])))

    return sign_in
