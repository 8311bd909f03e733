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


def cost_of(
    contenders: Mapping[str, Callable[[], object]],
    now_s: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds a call of each contender, the best of several turns taken in rotation.

    With ``time.process_time`` for ``now_s`` they are those of a processor, whoever else has it.
    """
    counts = {}
    for name, call in contenders.items():
        call()
        start = now_s()
        call()
        counts[name] = max(1, int(TURN_S / max(now_s() - start, 1e-9)))
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(TURNS):
        for name, call in contenders.items():
            turn = range(counts[name])
            start = now_s()
            for _ in turn:
                call()
            best[name] = min(best[name], (now_s() - start) / counts[name])
    return best
