"""How exactly clocks are diagnosed, and how fast: simulated fleets, the truth beside them.

``python -m benchmarks.diagnose 1000`` takes so many tokens of each fleet.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.measure import Row
from tests.tokenkit.drift.fleet import (
    DAY_S,
    PLACES,
    START_S,
    YEAR_S,
    Event,
    Sample,
    log_of,
    sample,
)
from tokenkit.drift.diagnose import diagnose
from tokenkit.drift.diagnosis import Diagnosis, Estimate, TokenDiagnosis
from tokenkit.verifier.search import warm
from tokenkit.virtual import BatteryChange, Step

TOKENS = 100
RATE_PPM = 0.2
GOAL = 0.95

Pair = tuple[Sample, TokenDiagnosis]


def rows(tokens: int = TOKENS) -> Iterator[Row]:
    warm()
    yield from _bound(tokens)
    for sign_ins in (30, 60, 104):
        name = f"{sign_ins} codes in a year"
        fleet = [sample(1, n, sign_ins=sign_ins, at=PLACES[n % 5]) for n in range(1, tokens + 1)]
        cost_s, _, pairs = _diagnosed(fleet)
        yield Row("diagnose", f"a token, {name}", cost_s)
        yield _share(f"{name}: rate within 0.2 ppm", cost_s, map(_rate_is_near, pairs), GOAL)
        yield _share(f"{name}: rate in its interval", cost_s, map(_rate_holds, pairs))
        yield _share(f"{name}: offset in its interval", cost_s, map(_offset_holds, pairs))
        quiet = (not token.changes for _, token in pairs)
        yield _share(f"{name}: no event where there was none", cost_s, quiet, GOAL)
    yield from _steps("30 codes in a year, a step", 30, 1.0, tokens)
    yield from _steps("90 codes in 90 days, a step", 90, 90 / 365.25, tokens)
    yield from _carried(tokens)
    yield from _server(max(1, tokens // 40))


def _steps(name: str, sign_ins: int, years: float, tokens: int) -> Iterator[Row]:
    rng = random.Random(name)
    fleet = []
    for number in range(1, tokens + 1):
        at_s = START_S + rng.uniform(0.15, 0.85) * years * YEAR_S
        event: Event = BatteryChange(at_s, rng.uniform(60.0, 600.0))
        if number % 2:
            event = Step(at_s, rng.choice([-1, 1]) * rng.uniform(60.0, 6000.0))
        fleet.append(sample(2, number, sign_ins=sign_ins, years=years, evenly=True, events=[event]))
    cost_s, _, pairs = _diagnosed(fleet)
    yield Row("diagnose", f"a token, {name}", cost_s)
    found = [[change for change in token.changes if change.by_s] for _, token in pairs]
    yield _share(f"{name}: found, and no other", cost_s, (len(each) == 1 for each in found), GOAL)
    planted = [
        (each.events[0], steps[0]) for (each, _), steps in zip(pairs, found, strict=True) if steps
    ]
    inside = (step.when.after_s <= event.at_s <= step.when.before_s for event, step in planted)
    yield _share(f"{name}: date in its interval", cost_s, inside, GOAL)
    day = (abs(step.when.at_s - event.at_s) < DAY_S for event, step in planted)
    yield _share(f"{name}: date within a day", cost_s, day)
    sizes = (_holds(step.by_s, _by_s(event)) for event, step in planted)
    yield _share(f"{name}: size in its interval", cost_s, sizes)


def _carried(tokens: int) -> Iterator[Row]:
    """Every 20 to 120 days to another place."""
    rng = random.Random("carried")
    fleet = []
    for number in range(1, tokens + 1):
        stays, moved_s = [], START_S + rng.uniform(20, 120) * DAY_S
        while moved_s < START_S + YEAR_S:
            stays.append((moved_s, rng.choice(PLACES)))
            moved_s += rng.uniform(20, 120) * DAY_S
        fleet.append(sample(3, number, at=rng.choice(PLACES), stays=stays))
    cost_s, _, pairs = _diagnosed(fleet)
    name = "30 codes in a year, carried about"
    yield Row("diagnose", f"a token, {name}", cost_s)
    yield _share(f"{name}: rate in its interval", cost_s, map(_rate_holds, pairs))
    yield _share(f"{name}: offset in its interval", cost_s, map(_offset_holds, pairs))


def _server(fleets: int) -> Iterator[Row]:
    """Forty tokens each; the server's clock is 300 s ahead for two weeks."""
    rng = random.Random("server")
    found, dated, cost_s = [], [], 0.0
    for number in range(fleets):
        begin_s = START_S + rng.uniform(60, 280) * DAY_S
        end_s = begin_s + rng.uniform(10, 20) * DAY_S

        def ahead_s(true_s: float, begin_s: float = begin_s, end_s: float = end_s) -> float:
            return 300.0 if begin_s < true_s < end_s else 0.0

        fleet = [sample(1000 + number, n, server=ahead_s) for n in range(1, 41)]
        cost_s, made, _ = _diagnosed(fleet)
        found.append(len(made.server_faults) == 1)
        for fault in made.server_faults:
            dated.append(abs(fault.begin.at_s - begin_s) < DAY_S)
            dated.append(fault.end is not None and abs(fault.end.at_s - end_s) < DAY_S)
    name = "40 tokens, 30 codes in a year, a fault of the server"
    yield _share(f"{name}: found, and no other", cost_s, found, GOAL)
    yield _share(f"{name}: dates within a day", cost_s, dated, GOAL)


def _bound(tokens: int) -> Iterator[Row]:
    """The best there can be: the sum over all tracks of clocks whose rate never changes.

    Delays are known to be from 3 to 12 s, and what the others do not know is known.
    """
    rng = np.random.default_rng(1)
    year = YEAR_S / 1e6
    rates, offsets = np.linspace(-0.9, 0.9, 181)[:, None], np.linspace(-15.0, 15.0, 151)[None, :]
    start = time.perf_counter()
    near = []
    for _ in range(tokens):
        times = rng.uniform(0.0, year, 30)
        low_s = -rng.uniform(0.0, 30.0, 30) - rng.uniform(3.0, 12.0, 30)
        log = np.zeros((len(rates), offsets.size))
        for at, low in zip(times - times.mean(), low_s, strict=True):
            since = offsets + rates * at - low
            shown = np.clip(since, 3.0, 12.0) - np.clip(since - 30.0, 3.0, 12.0)
            log += np.log(shown / 9.0 + 1e-12)
        weights = np.exp(log - log.max())
        near.append(abs(float((weights * rates).sum() / weights.sum())) < RATE_PPM)
    cost_s = (time.perf_counter() - start) / tokens
    yield _share("30 codes, an even clock, known delays, all tracks: within 0.2 ppm", cost_s, near)


def _diagnosed(fleet: Sequence[Sample]) -> tuple[float, Diagnosis, list[Pair]]:
    start = time.perf_counter()
    made = diagnose([each.seed for each in fleet], log_of(fleet))
    cost_s = (time.perf_counter() - start) / len(fleet)
    return cost_s, made, list(zip(fleet, made.tokens, strict=True))


def _share(
    what: str, cost_s: float, held: "Iterator[bool] | Sequence[bool] | map[bool]", goal: float = 0.0
) -> Row:
    each = list(held)
    share = sum(each) / max(len(each), 1)
    wanted = f"≥ {100 * goal:g}" if goal else ""
    return Row("diagnose", what, cost_s, 100 * share, "%", wanted, share >= goal if goal else None)


def _holds(estimate: Estimate | None, truth: float) -> bool:
    return estimate is not None and estimate.low <= truth <= estimate.high


def _rate_is_near(pair: Pair) -> bool:
    each, token = pair
    rate = token.mean_rate_ppm
    return rate is not None and abs(rate.value - each.mean_rate_ppm) < RATE_PPM


def _rate_holds(pair: Pair) -> bool:
    return _holds(pair[1].mean_rate_ppm, pair[0].mean_rate_ppm)


def _offset_holds(pair: Pair) -> bool:
    return _holds(pair[1].offset_s, pair[0].offset_s(pair[0].read_s[-1]))


def _by_s(event: Event) -> float:
    return event.by_s if isinstance(event, Step) else -event.outage_s


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else TOKENS):
        ratio = "" if row.ratio is None else f"{row.ratio:6.1f} {row.unit}"
        print(f"{row.what:75} {1e3 * row.cost_s:8.1f} ms {ratio} {row.goal}", flush=True)
