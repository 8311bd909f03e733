"""Finding a token's clock by two codes, ten days to either side, beside a loop over pyotp's at."""

import base64
import hashlib
from collections.abc import Callable, Iterator

import pyotp

from benchmarks.measure import Row, cost_of
from tokenkit.verifier import search
from tokenkit.verifier.resync import resynchronise
from tokenkit.verifier.totp import CodeGenerator, TotpState

RANGE_STEPS = 10 * 24 * 60 * 2
NOW_STEP = 60_000_000
SHOWN = NOW_STEP + 27_000
SEEDS = {"SHA1": bytes(range(20)), "SHA256": bytes(range(32)), "SHA512": bytes(range(64))}
GOAL = 100.0
GOAL_S = 0.003


def rows() -> Iterator[Row]:
    """Warm: the kernels are read from Numba's cache before."""
    search.warm()
    for algorithm, seed in SEEDS.items():
        generator = CodeGenerator(seed, algorithm)
        calls = {"pyotp": _loop(seed, algorithm), "python": _ours(generator, {})}
        if kernels := search._kernels:
            calls["compiled"] = _ours(generator, kernels)
        for call in calls.values():
            assert call() == SHOWN + 1
        cost = cost_of(calls)
        what = f"±10 days, 57,601 codes, {algorithm}: "
        yield Row("resync", what + "a loop over pyotp's at", cost["pyotp"])
        for way, name in (("python", "in pure Python"), ("compiled", "compiled")):
            if way not in cost:
                continue
            ratio = cost["pyotp"] / cost[way]
            goal, held = "", None
            if way == "compiled" and algorithm == "SHA1":  # what tokens have
                goal, held = f"≥ {GOAL:g}, < 3 ms", ratio >= GOAL and cost[way] < GOAL_S
            yield Row("resync", what + name, cost[way], ratio, "× pyotp", goal, held)


def _loop(seed: bytes, algorithm: str) -> Callable[[], int]:
    """What RFC 4226 section 7.4 says, in the way it is mostly written."""
    totp = pyotp.TOTP(base64.b32encode(seed).decode(), digest=getattr(hashlib, algorithm.lower()))
    code1, code2 = totp.at(30 * SHOWN), totp.at(30 * (SHOWN + 1))

    def search_all() -> int:
        found, before = 0, ""
        for counter in range(NOW_STEP - RANGE_STEPS - 1, NOW_STEP + RANGE_STEPS + 1):
            code = totp.at(30 * counter)
            if before == code1 and code == code2:
                found = counter
            before = code
        return found

    return search_all


def _ours(generator: CodeGenerator, kernels: dict[str, Callable[..., object]]) -> Callable[[], int]:
    pair = generator.codes([SHOWN, SHOWN + 1])

    def search_all() -> int:
        search._kernels = kernels
        state = resynchronise(generator, TotpState(), *pair, NOW_STEP, RANGE_STEPS)
        return state.last_counter or 0

    return search_all
