"""Token-days of a study a second, beside the object model, and what a token costs in large ones.

A study of a million tokens for five years takes minutes: it runs where BENCH_A_MILLION is set.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from benchmarks.measure import Row, cost_of
from tokenkit.fleet.partition import Partition
from tokenkit.fleet.pool import processors, threads
from tokenkit.fleet.run import run
from tokenkit.fleet.study import Study, parse
from tokenkit.fleet.work import work
from tokenkit.scenario.durations import DAY_S, YEAR_S
from tokenkit.verifier import TotpPolicy, Verifier
from tokenkit.verifier.seed_file import Seed
from tokenkit.virtual import SimulatedClock, World

STUDY = """
title = "Daily sign-ins, offset and rate"
start = 2026-01-01T00:00:00Z
years = 5
[[batch]]
name = "desk"
tokens = 1000
habit = "daily"
[[policy]]
name = "adaptive"
learn = "rate"
"""
GOAL_PER_S = 3e6  # token-days on one core
GOAL_EVEN = 1.2  # times what a token of the smallest study costs
GOAL_MILLION_S = 15 * 60.0
GOAL_MILLION_GIB = 4.0
SIZES = (1_000, 10_000, 100_000)
SPAN_YEARS = 0.2  # of the studies of these sizes


def rows() -> Iterator[Row]:
    study = parse(STUDY, "benchmark").study
    start = time.perf_counter()
    work(study, Partition(0, 1, 1))
    yield Row("fleet", "kernels made, or read from Numba's cache", time.perf_counter() - start)
    part = Partition(0, 1, 200)
    calls = {"kernel": lambda: work(study, part), "object model": _object_model()}
    cost = cost_of(calls, time.process_time)
    days = part.count * study.years * YEAR_S / DAY_S
    kernel_s = cost["kernel"] / days
    yield Row("fleet", "a token-day, HardwareToken and Verifier.sign_in", cost["object model"])
    ratio = cost["object model"] / kernel_s
    yield Row("fleet", "a token-day, tokens made and all", kernel_s, ratio, "× object model")
    rate = 1e-6 / kernel_s
    held = rate * 1e6 >= GOAL_PER_S
    goal = f"≥ {GOAL_PER_S / 1e6:g}"
    yield Row("fleet", "the same, a second and core", kernel_s, rate, "million", goal, held)
    yield from _sizes(replace(study, years=SPAN_YEARS))
    if "BENCH_A_MILLION" in os.environ:
        yield from _million(study)


def _object_model() -> Callable[[], object]:
    """One more day of one token: it shows a code, the verifier takes it."""
    world = World(seed=1)
    clock = world.clock
    assert isinstance(clock, SimulatedClock)
    token = world.token()
    spec = token.spec
    verifier = Verifier(now=clock.now, totp=TotpPolicy(drift="rate"))
    seed = Seed(spec.serial_number, spec.seed, spec.algorithm, spec.digits, spec.period_s)
    verifier.add_tokens([seed])
    verifier.enable("root", spec.serial_number, *token.two_codes())

    def day() -> object:
        clock.advance(DAY_S)
        return verifier.sign_in("root", token.code())

    return day


def _sizes(study: Study) -> Iterator[Row]:
    """On one core, in its own time; the smaller ones more often, for their best."""
    smallest_s = 0.0
    for size in SIZES:
        turns = min(10, SIZES[-1] // size)
        one_s = min(_run(study, size, 1, time.process_time) for _ in range(turns)) / size
        smallest_s = smallest_s or one_s
        ratio = one_s / smallest_s
        goal, held = ("", None) if size == SIZES[0] else (f"≤ {GOAL_EVEN:g}", ratio <= GOAL_EVEN)
        what = f"a token of {size:,}, for {study.years * YEAR_S / DAY_S:.0f} days"
        yield Row("fleet", what, one_s, ratio, f"× of {SIZES[0]:,}", goal, held)


def _million(study: Study) -> Iterator[Row]:
    workers = processors()
    spent_s = _run(study, 1_000_000, workers, time.perf_counter)
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    what = f"1,000,000 tokens for 5 years, {workers} threads"
    goal, held = f"≤ {GOAL_MILLION_S / 60:g}", spent_s <= GOAL_MILLION_S
    yield Row("fleet", what, spent_s, spent_s / 60, "min", goal, held)
    goal, held = f"≤ {GOAL_MILLION_GIB:g}", gib <= GOAL_MILLION_GIB
    yield Row("fleet", "the same, memory at most", spent_s, gib, "GiB", goal, held)


def _run(study: Study, tokens: int, workers: int, now_s: Callable[[], float]) -> float:
    """How long a study of so many ``tokens`` takes."""
    sized = replace(study, batch=[replace(study.batch[0], tokens=tokens)])
    start = now_s()
    with threads(workers) as pool:
        for _ in run(sized, pool):
            pass
    return now_s() - start
