"""What the figures say, in plain words: never without their intervals."""

from dataclasses import dataclass

from tokenkit.fleet.report.words import codes_figure, figure, interval, listed, plural
from tokenkit.fleet.result import Cell, Estimate, StudyResult
from tokenkit.fleet.tally import CODES


@dataclass(frozen=True)
class Verdict:
    """The first policy, and a sentence for each other one beside it; then who beats whom."""

    opening: str
    sentences: list[str]
    beaten: list[str]


def verdict(result: StudyResult) -> Verdict:
    """All sentences hold for the study's tokens together, unless they name a batch."""
    names = [policy.name for policy in result.policies]
    first, *others = names
    return Verdict(
        _alone(result.cell(first)),
        [_beside(result, name, first) for name in others],
        [text for name in names if (text := _beaten(result, name, names))],
    )


def compared(
    result: StudyResult, policy: str, baseline: str, measure: str, batch: str | None = None
) -> tuple[Estimate, Estimate]:
    """Difference and ratio of ``policy`` beside ``baseline``, whichever comes first."""
    names = [each.name for each in result.policies]
    if names.index(policy) > names.index(baseline):
        found = result.comparison(policy, baseline, measure, batch)
        return found.difference, found.ratio
    found = result.comparison(baseline, policy, measure, batch)
    return _negative(found.difference), _inverse(found.ratio)


def _negative(a: Estimate) -> Estimate:
    low, value, high = (None if each is None else -each for each in (a.high, a.value, a.low))
    return Estimate(value, low, high)


def _inverse(a: Estimate) -> Estimate:
    low, value, high = (1 / each if each else None for each in (a.high, a.value, a.low))
    return Estimate(value, low, high)


def _alone(cell: Cell) -> str:
    rate, mean = cell.lock_outs.per_1000_token_years, cell.codes.mean
    return (
        f"“{cell.policy}” locks people out {figure(rate.value)} times in 1,000 token-years (95 %:"
        f" {interval(rate)}), and {codes_figure(mean.value)} codes are acceptable on average"
        f" ({interval(mean, codes_figure)})."
    )


def _beside(result: StudyResult, policy: str, first: str) -> str:
    _, ratio = compared(result, policy, first, "lock_outs")
    counts = [result.cell(name).lock_outs.count for name in (policy, first)]
    codes, _ = compared(result, policy, first, "acceptable")
    after, _ = compared(result, policy, first, "acceptable_next")
    found = _lock_outs(f"“{policy}”", ratio, *counts)
    text = f"{found}, {_codes(codes)}{_codes_next(codes, after)}"
    return f"{text}{_otherwise(result, policy, first, ratio)}."


def _lock_outs(name: str, ratio: Estimate, count: int, first_count: int) -> str:
    """What the policy ``name`` has; ``ratio`` is against the first one, of ``first_count``."""
    if first_count == 0:
        has = "no lock-outs either" if count == 0 else f"{plural(count, 'lock-out')}, it none"
        return f"{name} has {has}"
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return f"{name} has {plural(count, 'lock-out')} beside {first_count:,}, too few to compare"
    if ratio.high < 1 and count == 0:
        least = figure(1 / ratio.high)
        return f"{name} has none beside {first_count:,}: at least {least} times fewer (95 %)"
    if ratio.high < 1:
        turned = _inverse(ratio)
        return f"{name} has {figure(turned.value)} times fewer lock-outs (95 %: {interval(turned)})"
    if ratio.low > 1:
        return f"{name} has {figure(ratio.value)} times the lock-outs (95 %: {interval(ratio)})"
    cannot = f"{name}: the study cannot tell which locks out more:"
    if count == 0:
        return f"{cannot} none beside {first_count:,} (95 %: {interval(ratio)} times as many)"
    return f"{cannot} {figure(ratio.value)} times as many (95 %: {interval(ratio)})"


def _codes(difference: Estimate) -> str:
    value, low, high = difference.value, difference.low, difference.high
    if value is None or low is None or high is None:
        return "and how many codes are acceptable cannot be compared"
    if round(low, 2) == round(high, 2) == 0:
        return "with as many acceptable codes on average"
    if low <= 0 <= high:
        return (
            "with about as many acceptable codes on average: the difference"
            f" ({interval(difference, _signed)}) includes 0"
        )
    if value < 0:
        difference = _negative(difference)
    return (
        f"with {codes_figure(difference.value)} {'fewer' if value < 0 else 'more'} acceptable codes"
        f" on average ({interval(difference, codes_figure)})"
    )


def _codes_next(codes: Estimate, after: Estimate) -> str:
    """Where a second guess meets more codes than the first, beside the first policy."""
    more = after.low is not None and after.low > 0
    if not more or codes.high is None or codes.high > 0:
        return ""
    return (
        f", but {codes_figure(after.value)} more after a wrong one"
        f" ({interval(after, codes_figure)})"
    )


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def _otherwise(result: StudyResult, policy: str, first: str, ratio: Estimate) -> str:
    """Where a batch says the contrary of all tokens together."""
    texts = []
    for batch in result.batches if len(result.batches) > 1 else []:
        _, there = compared(result, policy, first, "lock_outs", batch.name)
        if _side(there) and _side(ratio) and _side(there) != _side(ratio):
            cells = [result.cell(name, batch.name).lock_outs.count for name in (policy, first)]
            texts.append(f"in batch “{batch.name}” {_lock_outs('it', there, *cells)}")
    return "; but " + listed(texts) if texts else ""


def _side(ratio: Estimate) -> int:
    """Beyond doubt below 1: -1; above: 1; else 0."""
    if ratio.high is not None and ratio.high < 1:
        return -1
    return 1 if ratio.low is not None and ratio.low > 1 else 0


def _beaten(result: StudyResult, policy: str, names: list[str]) -> str:
    """By which others in both respects, with confidence in at least one and none against."""
    by = [name for name in names if name != policy and _beats(result, name, policy)]
    return f"“{policy}” by {listed([f'“{name}”' for name in by])}" if by else ""


def _beats(result: StudyResult, policy: str, other: str) -> bool:
    _, lock_outs = compared(result, policy, other, "lock_outs")
    codes = [compared(result, policy, other, measure)[0] for measure in CODES]
    no_more_codes = all(each.high is not None and each.high <= 0 for each in codes)
    return _side(lock_outs) < 0 and no_more_codes
