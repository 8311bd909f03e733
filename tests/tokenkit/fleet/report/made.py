"""Made-up results of studies, in the shape of real ones."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tokenkit.fleet.result import (
    BatchNote,
    Cell,
    Codes,
    Comparison,
    Estimate,
    PolicyNote,
    Rate,
    StudyResult,
    Timeline,
)

MONTHS = 36
TOKENS = 2000
# policy: lock-outs in each batch, and by how many codes its window is one code wide
Counts = Mapping[str, Sequence[tuple[int, float]]]
NAMES = ("desk", "drawer <b>", "warehouse")
COUNTS: Counts = {
    "fixed ±1, learned offset": [(31, 3.0), (420, 3.0), (77, 3.0)],
    "<script>adaptive</script>": [(4, 2.3), (61, 4.8), (9, 4.1)],
    "wide": [(0, 21.0), (12, 21.0), (3, 21.0)],
    "like the first": [(33, 3.0), (401, 3.01), (80, 3.0)],
}


def rate(count: int, token_years: float) -> Rate:
    spread = 1.96 * math.sqrt(count + 1)
    low, high = max(count - spread, 0), count + spread
    return Rate(count, Estimate(*(1000 * each / token_years for each in (count, low, high))))


def moments(mean: float) -> list[int]:
    """About ``mean`` codes, most of the time."""
    weights = [math.exp(-((n - mean) ** 2) / (0.02 + 0.1 * mean)) for n in range(int(mean) + 8)]
    found = [round(10_000 * weight) for weight in weights]
    return found[: 1 + max(n for n, each in enumerate(found) if each)]


def cell(policy: str, batch: str | None, tokens: int, lock_outs: int, mean: float) -> Cell:
    years = tokens * MONTHS / 12
    of = moments(mean)
    by_month = [
        lock_outs * (m + 1) ** 2 // MONTHS**2 - lock_outs * m**2 // MONTHS**2 for m in range(MONTHS)
    ]
    return Cell(
        policy=policy,
        batch=batch,
        tokens=tokens,
        token_years=years,
        sign_ins=int(years * 200),
        rejections=rate(3 * lock_outs + 20, years),
        lock_outs=rate(lock_outs, years),
        resyncs=rate(lock_outs, years),
        lost=rate(lock_outs // 50, years),
        codes=Codes(*[Estimate(mean, mean - 0.02, mean + 0.02)] * 2, len(of) - 1, len(of) - 1, of),
        months=Timeline([tokens * 17] * MONTHS, [3 * n for n in by_month], by_month),
    )


def compare(mine: Cell, base: Cell) -> list[Comparison]:
    a, b = mine.lock_outs.count, base.lock_outs.count
    spread = math.exp(1.96 * math.sqrt(1 / max(a, 1) + 1 / max(b, 1)))
    ratio = (
        Estimate(a / b, a / b / spread, (a or 3) / b * (spread if a else 1))
        if b
        else Estimate(None, None, None)
    )
    codes = mine.codes.mean.value or 0.0, base.codes.mean.value or 0.0
    less = codes[0] - codes[1]
    names = (mine.policy, base.policy, mine.batch)
    per = 1000 / mine.token_years
    return [
        Comparison(
            *names,
            "lock_outs",
            Estimate((a - b) * per, (a - b - 9) * per, (a - b + 9) * per),
            ratio,
        ),
        *(
            Comparison(
                *names,
                measure,
                Estimate(less, less - 0.02 * bool(less), less + 0.02 * bool(less)),
                Estimate(None, None, None),
            )
            for measure in ("acceptable", "acceptable_next")
        ),
    ]


def study_result(
    counts: Counts = COUNTS, names: Sequence[str] = NAMES, title: str = "A <study> & more"
) -> StudyResult:
    cells = []
    for policy, batches in counts.items():
        for name, (lock_outs, mean) in zip(names, batches, strict=True):
            cells.append(cell(policy, name, TOKENS, lock_outs, mean))
        total = sum(n for n, _ in batches)
        mean = sum(mean for _, mean in batches) / len(batches)
        cells.append(cell(policy, None, TOKENS * len(names), total, mean))
    comparisons = [
        each
        for n, mine in enumerate(counts)
        for base in list(counts)[:n]
        for a in cells
        for b in cells
        if (a.policy, b.policy) == (mine, base) and a.batch == b.batch
        for each in compare(a, b)
    ]
    return StudyResult(
        title=title,
        summary="Some tokens & <some> people.",
        seed=7,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        years=MONTHS / 12,
        assumed=["Three codes are tried before one gives up.", "The verifier's clock is right."],
        policies=[PolicyNote(name, f"rules of {name}") for name in counts],
        batches=[BatchNote(name, TOKENS, f"{TOKENS} tokens in {name}") for name in names],
        cells=cells,
        comparisons=comparisons,
    )
