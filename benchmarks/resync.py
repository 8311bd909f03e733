"""Finding a token's clock by two codes, ten days to either side, beside a loop over hmac.digest."""

import hmac
import struct
import time
from collections.abc import Callable, Iterator

from benchmarks.measure import Row, cost_of
from tokenkit.verifier import search
from tokenkit.verifier.resync import resynchronise
from tokenkit.verifier.search import warm
from tokenkit.verifier.totp import CodeGenerator, TotpState

RANGE_STEPS = 10 * 24 * 60 * 2
NOW_STEP = 60_000_000
SHOWN = NOW_STEP + 27_000
SEEDS = {"SHA1": bytes(range(20)), "SHA256": bytes(range(32)), "SHA512": bytes(range(64))}
GOAL = 10.0


def rows() -> Iterator[Row]:
    start = time.perf_counter()
    warm()
    yield Row("resync", "the kernels made, or read from Numba's cache", time.perf_counter() - start)
    for algorithm, seed in SEEDS.items():
        generator = CodeGenerator(seed, algorithm)
        calls = {"loop": _loop(seed, algorithm), "python": _ours(generator, {})}
        if kernels := search._kernels:
            calls["compiled"] = _ours(generator, kernels)
        for call in calls.values():
            assert call() == SHOWN + 1
        cost = cost_of(calls)
        what = f"±10 days, 57,601 codes, {algorithm}: "
        yield Row("resync", what + "a loop over hmac.digest", cost["loop"])
        for way, name in (("python", "in pure Python"), ("compiled", "compiled")):
            if way in cost:
                ratio = cost["loop"] / cost[way]
                goal, held = (f"≥ {GOAL:g}", ratio >= GOAL) if way == "compiled" else ("", None)
                yield Row("resync", what + name, cost[way], ratio, "× loop", goal, held)


def _loop(seed: bytes, algorithm: str) -> Callable[[], int]:
    """What RFC 4226 says, in the way it is mostly written."""
    code1, code2 = CodeGenerator(seed, algorithm).codes([SHOWN, SHOWN + 1])

    def search_all() -> int:
        found, before = 0, b""
        for counter in range(NOW_STEP - RANGE_STEPS - 1, NOW_STEP + RANGE_STEPS + 1):
            mac = hmac.digest(seed, counter.to_bytes(8, "big"), algorithm)
            [number] = struct.unpack_from(">I", mac, mac[-1] & 15)
            code = b"%06d" % ((number & 0x7FFF_FFFF) % 1_000_000)
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
