"""Codes in compiled code, beside pyotp and beside what OpenSSL's hashing allows."""

import base64
import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import pyotp

from benchmarks.measure import Row, cost_of
from tokenkit.verifier import search
from tokenkit.verifier.totp import CodeGenerator

FIRST = 60_000_000
COUNT = 2**16  # as many as a search makes at once
SEEDS = {"SHA1": bytes(range(20)), "SHA256": bytes(range(32)), "SHA512": bytes(range(64))}
MEBIBYTE = bytes(2**20)
PYOTP_GOAL = 150.0
WARM = """
import time
from tokenkit.verifier.search import warm
start = time.perf_counter()
assert warm()
print(time.perf_counter() - start)
"""


def rows() -> Iterator[Row]:
    """One core each; HMAC with the key's pads absorbed hashes two blocks a code."""
    yield from _made_and_read()
    if not search.warm():
        return
    calls: dict[str, Callable[[], object]] = {}
    units: dict[str, int] = {}
    for algorithm, seed in SEEDS.items():
        digest = getattr(hashlib, algorithm.lower())
        totp = pyotp.TOTP(base64.b32encode(seed).decode(), digest=digest)
        generator = CodeGenerator(seed, algorithm)
        kernel = functools.partial(
            search._kernels[algorithm], generator.pads, FIRST, COUNT, generator.modulus
        )
        assert [f"{number:06}" for number in kernel()[:3]] == [
            totp.at(30 * (FIRST + n)) for n in range(3)
        ]
        calls |= {
            f"pyotp {algorithm}": functools.partial(totp.at, 30 * FIRST),
            f"blocks {algorithm}": functools.partial(_hash, digest),
            f"codes {algorithm}": kernel,
        }
        units |= {
            f"blocks {algorithm}": len(MEBIBYTE) // digest().block_size,
            f"codes {algorithm}": COUNT,
        }
    cost = {name: cost_s / units.get(name, 1) for name, cost_s in cost_of(calls).items()}
    for algorithm in SEEDS:
        peer, block, own = (cost[f"{each} {algorithm}"] for each in ("pyotp", "blocks", "codes"))
        goals = (PYOTP_GOAL, 1.0) if algorithm == "SHA1" else (None, None)
        yield Row("codes", f"{algorithm}: pyotp's at", peer)
        yield Row("codes", f"{algorithm}: two blocks at OpenSSL's rate, the bound", 2 * block)
        yield _row(f"{algorithm}: compiled", own, peer / own, "× pyotp", goals[0])
        yield _row(f"{algorithm}: compiled", own, 2 * block / own, "× bound", goals[1])


def _row(what: str, cost_s: float, ratio: float, unit: str, goal: float | None) -> Row:
    if goal is None:
        return Row("codes", what, cost_s, ratio, unit)
    return Row("codes", what, cost_s, ratio, unit, f"≥ {goal:g}", ratio >= goal)


def _hash(digest: Callable[[bytes], object]) -> None:
    digest(MEBIBYTE)


def _made_and_read() -> Iterator[Row]:
    """A fresh interpreter without Numba's cache, and the next one, which reads it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for what in ("made anew, for Numba's cache", "read from it by the next process"):
            done = subprocess.run(
                [sys.executable, "-c", WARM], env=environment, capture_output=True, check=True
            )
            yield Row("codes", f"the three kernels {what}", float(done.stdout))
