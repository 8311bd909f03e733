"""Timing that survives a busy machine: contenders take turns, each keeps its best turn."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TURNS = 12
TURN_S = 0.08


@dataclass(frozen=True)
class Row:
    """One line of the result: ``cost_s`` seconds an operation, and what it is compared with.

    ``ratio`` is in the unit that ``goal`` names; ``held`` is None where there is no goal.
    """

    section: str
    what: str
    cost_s: float
    ratio: float | None = None
    unit: str = ""
    goal: str = ""
    held: bool | None = None


def cost_of(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds a call of each contender, the best of several turns taken in rotation."""
    counts = {}
    for name, call in contenders.items():
        call()
        start = time.perf_counter()
        call()
        counts[name] = max(1, int(TURN_S / max(time.perf_counter() - start, 1e-9)))
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(TURNS):
        for name, call in contenders.items():
            turn = range(counts[name])
            start = time.perf_counter()
            for _ in turn:
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / counts[name])
    return best
