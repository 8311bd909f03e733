"""A log's rows of one token in true time, as far as a diagnosis tells it.

True time here is what the server's clock would have shown without the faults that were found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tokenkit.drift.diagnosis import Diagnosis, Estimate, ServerFault, TokenDiagnosis
from tokenkit.drift.observations import Observation

_ROUND = (3600.0, 60.0, 1.0, 0.1)  # seconds


@dataclass(frozen=True)
class Row:
    """A code for ``counter`` that arrives at ``true_s``, and what the log says came of it.

    The token's offset from true time is then between ``low_s`` and ``high_s``. ``fault`` is the
    index of the server's fault during which it came. Who shows a code that was shown before makes
    a ``replay``.
    """

    line: int
    true_s: float
    counter: int
    accepted: bool
    low_s: float
    high_s: float
    act: Literal["sign-in", "replay"] = "sign-in"
    fault: int | None = None


@dataclass(frozen=True)
class Jump:
    """The token's clock jumps by ``by_s`` at ``true_s``."""

    true_s: float
    by_s: float


@dataclass(frozen=True)
class Fault:
    """The server's clock is off by ``by_s`` from ``true_s`` on, until ``mended_s`` if ever."""

    true_s: float
    by_s: float
    mended_s: float | None


@dataclass(frozen=True)
class Timeline:
    """What happened to one token, each kind by time; ``missing`` says what cannot be in it."""

    rows: list[Row]
    jumps: list[Jump]
    faults: list[Fault]
    missing: dict[int, str]


def timeline(
    diagnosis: Diagnosis, token: TokenDiagnosis, observations: Iterable[Observation]
) -> Timeline:
    """The rows of ``token``; ``missing`` is by line."""
    seen = sorted(observations, key=lambda each: each.line)
    faults = [_fault(each) for each in diagnosis.server_faults]
    within = [_lines_within(each, seen) for each in diagnosis.server_faults]
    server_s = {each.line: each.server_s for each in seen}
    entry_s = max((p.high_s - p.low_s - token.period_s for p in token.placed), default=0.0)
    missing: dict[int, str] = {}
    rows = []

    def row(line: int, counter: int, accepted: bool, act: Literal["sign-in", "replay"]) -> Row:
        fault = next((n for n, lines in enumerate(within) if line in lines), None)
        true_s = round(server_s[line] - (0.0 if fault is None else faults[fault].by_s), 3)
        low_s = counter * token.period_s - true_s
        high_s = low_s + token.period_s + entry_s
        return Row(line, true_s, counter, accepted, low_s, high_s, act, fault)

    for placed in token.placed:
        if placed.accepted is None:
            missing[placed.line] = "the log does not say whether it was accepted"
        else:
            rows.append(row(placed.line, placed.counter, placed.accepted, "sign-in"))
    used = {each.counter for each in rows if each.accepted}
    for other in token.unplaced:
        again = other.reason == "replayed" and other.accepted is not None
        if again and other.counter is not None and not (other.accepted and other.counter in used):
            rows.append(row(other.line, other.counter, bool(other.accepted), "replay"))
        else:
            missing[other.line] = _WHY.get(other.reason, other.reason)
    rows.sort(key=lambda each: (each.true_s, each.line))
    jumps = [
        Jump(_between(rows, change.when.at_s), rounded(change.by_s))
        for change in token.changes
        if change.by_s is not None and change.cause != "server"  # that is among the faults
    ]
    return Timeline(rows, jumps, faults, missing)


_WHY = {
    "malformed": "it is no code",
    "no time": "it is no code of this token near that time",
    "alone": "it is no code of this token near that time",
    "off track": "the token cannot have shown this code then",
    "replayed": "the log says that the same code was accepted twice",
    "duplicate": "it is the same as a line before",
}


def rounded(by_s: Estimate) -> float:
    """The roundest duration that it may well be: people and programs set clocks by such."""
    for unit_s in _ROUND:
        nearest_s = round(by_s.value / unit_s) * unit_s
        if nearest_s and abs(nearest_s - by_s.value) <= 3.0 * by_s.deviation:
            return round(nearest_s, 1)
    return round(by_s.value, 1)


def _fault(found: ServerFault) -> Fault:
    by_s = rounded(found.by_s)
    # the last time before it is right, the first one in it is wrong; and the other way at its end
    begin_s = round((found.begin.after_s + found.begin.before_s - by_s) / 2.0)
    if found.end is None:
        return Fault(begin_s, by_s, None)
    return Fault(begin_s, by_s, round((found.end.after_s - by_s + found.end.before_s) / 2.0))


def _lines_within(found: ServerFault, seen: Sequence[Observation]) -> set[int]:
    """The lines that came during a fault: by their times, and by their order in the log."""
    from_s = found.begin.before_s
    until_s = float("inf") if found.end is None else found.end.after_s
    lines = [each.line for each in seen if from_s <= each.server_s <= until_s]
    first = min((each.line for each in seen if each.server_s == from_s), default=0)
    last = max(
        (each.line for each in seen if each.server_s == until_s), default=max(lines, default=0)
    )
    # a clock that was set back shows some times twice
    return {line for line in lines if first <= line <= last}


def _between(rows: Sequence[Row], at_s: float) -> float:
    """``at_s``, to the second, but away from rows."""
    near = min((abs(row.true_s - at_s) for row in rows), default=1e9)
    return round(at_s) if near > 1.0 else round(at_s, 3)
