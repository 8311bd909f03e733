"""Which counters the codes of a log are those of: the track of offsets that explains most rows.

A code is that of a far counter by accident about once in a million counters, so each row has its
candidates, and the cheapest track through them is chosen (A. J. Viterbi, 1967), in which rows may
fit nowhere. Costs are negative logarithms of rough probabilities.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tokenkit.drift.diagnosis import Placed, Unplaced, UnplacedReason
from tokenkit.drift.observations import Observation
from tokenkit.verifier.errors import MalformedCode
from tokenkit.verifier.search import find_code
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import CodeGenerator, step

_JUMP = 18.0  # a clock's step, to one offset out of all
_STRAY = {False: 17.0, None: 18.5, True: 20.0}  # another code that is one of this token by accident
_CLOSE = 3.0  # tracks whose costs differ by less are about as good
_MOST_RATE = 60e-6
_ALIVE = 30  # ends of tracks that are followed up


class Placement(NamedTuple):
    """Rows by time: those on the track, the others, and lines where another counter fits, too."""

    placed: list[Placed]
    unplaced: list[Unplaced]
    ambiguous: list[int]


class Row(NamedTuple):
    """A row, and all counters in range whose code it has; None if it is no code at all."""

    row: Observation
    counters: list[int] | None


class _End(NamedTuple):
    """A track that ends with row ``row`` at ``counter``, and what it costs so far."""

    cost: float
    row: int
    counter: int
    before: "_End | None"


def look_up(seed: Seed, rows: Iterable[Observation], range_s: float) -> Iterator[Row]:
    """Codes of ``rows`` among those of the token ``range_s`` to either side, however likely."""
    generator = CodeGenerator(seed.secret, seed.algorithm, seed.digits)
    reach = math.ceil(range_s / seed.period_s)
    for row in rows:
        try:
            code = generator.parse(row.code)
        except MalformedCode:
            yield Row(row, None)
            continue
        now = step(row.server_s, seed.period_s)
        yield Row(row, find_code(generator, code, range(now - reach, now + reach + 1)))


def place(rows: Iterable[Row], period_s: int, entry_s: float) -> Placement:
    """``rows`` are those of one token, by time."""
    found: list[tuple[Observation, list[int]]] = []
    unplaced: list[Unplaced] = []
    seen: set[tuple[float, str, bool | None]] = set()

    def leave_out(row: Observation, reason: UnplacedReason, counter: int | None = None) -> None:
        unplaced.append(Unplaced(row.line, row.server_s, row.accepted, reason, counter))

    for row, counters in rows:
        key = (row.server_s, row.code, row.accepted)
        if counters is None:
            leave_out(row, "malformed")
        elif key in seen:
            leave_out(row, "duplicate")
        elif not counters:
            leave_out(row, "no time")
        else:
            found.append((row, counters))
        seen.add(key)
    slack_s = period_s + 2.0 * entry_s
    ahead = _ends(found, period_s, slack_s)
    chosen = _chosen(ahead)
    placed: list[Placed] = []
    shown: set[int] = set()
    for index, (row, counters) in enumerate(found):
        counter = chosen.get(index)
        if counter is None:
            nearest = min(counters, key=lambda each: abs(each * period_s - row.server_s))
            leave_out(row, "off track", nearest)
        elif counter in shown:
            leave_out(row, "replayed", counter)
        else:
            shown.add(counter)
            low_s = float(counter * period_s - row.server_s)
            high_s = low_s + period_s + entry_s
            placed.append(Placed(row.line, row.server_s, counter, row.accepted, low_s, high_s))
    unplaced.sort(key=lambda each: (each.server_s, each.line))
    behind = _ends(found, period_s, slack_s, back=True)
    return Placement(placed, unplaced, _ambiguous(found, ahead, behind, chosen))


def _ends(
    found: Sequence[tuple[Observation, list[int]]],
    period_s: int,
    slack_s: float,
    back: bool = False,
) -> dict[tuple[int, int], _End]:
    """The cheapest track that ends at each candidate (row, counter); ``back`` from the log's end.

    A row on the track saves what it would have cost as a stray.
    """
    ends: dict[tuple[int, int], _End] = {}
    alive: list[_End] = []
    for index in range(len(found) - 1, -1, -1) if back else range(len(found)):
        row, counters = found[index]
        new = []
        for counter in counters:
            away_s = abs(counter * period_s - row.server_s)
            cost, before = 0.0 if back else math.log1p(away_s / 300.0), None
            for end in alive:
                other, _ = found[end.row]
                time_s = row.server_s - other.server_s
                moved_s = (counter - end.counter) * period_s - time_s
                jumped = abs(moved_s) > slack_s + _MOST_RATE * abs(time_s)
                if (so_far := end.cost + (_JUMP if jumped else 0.0)) < cost:
                    cost, before = so_far, end
            new.append(_End(cost - _STRAY[row.accepted], index, counter, before))
            ends[index, counter] = new[-1]
        alive += new
        alive.sort(key=lambda end: end.cost)
        del alive[_ALIVE:]
    return ends


def _chosen(ends: dict[tuple[int, int], _End]) -> dict[int, int]:
    """The counter of each row that is on the cheapest track."""
    end = min(ends.values(), key=lambda end: end.cost, default=None)
    chosen = {}
    while end is not None:
        chosen[end.row] = end.counter
        end = end.before
    return chosen


def _ambiguous(
    found: Sequence[tuple[Observation, list[int]]],
    ahead: dict[tuple[int, int], _End],
    behind: dict[tuple[int, int], _End],
    chosen: dict[int, int],
) -> list[int]:
    """Lines whose code may as well be that of another counter, on a track about as cheap."""
    most = min((end.cost for end in ahead.values()), default=0.0) + _CLOSE
    lines = []
    for (index, counter), end in ahead.items():
        row, _ = found[index]
        through = end.cost + behind[index, counter].cost + _STRAY[row.accepted]
        if through < most and chosen.get(index) != counter:
            lines.append(row.line)
    return lines
