"""Faults of the server's clock: many tokens shift at once, by the same amount.

One token alone cannot tell its own step from the server's. Where several shift by the same and no
other that was seen meanwhile did not, it was the server's; and it was when all their gaps between
two codes say that it was, which is much less than one gap.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tokenkit.drift.diagnosis import Dated, Estimate, ServerFault

_LEAST = 3  # tokens
_TOO_FEW = 2  # to be sure
_SHARE = 0.6  # of the tokens that were seen during a fault
_SIGMAS = 3.0
_AT_LEAST_S = 5.0  # what sizes may differ by in any case


class Shift(NamedTuple):
    """A token's offset was another after ``before_s`` than until ``after_s``."""

    token: str
    after_s: float
    before_s: float
    by_s: float
    deviation_s: float


class Seen(NamedTuple):
    """A token was seen at ``at_s``."""

    at_s: float
    token: str


class Company(NamedTuple):
    """What other tokens have to say of a step: ``tokens`` were told of, ``shifts`` are of all."""

    tokens: int
    shifts: Sequence[Shift]
    suspected: Sequence[ServerFault]

    def alike(self, shift: Shift) -> list[str]:
        """The others that show the same at the same time."""
        others = (other for other in self.shifts if _overlap(shift, other) and _alike(shift, other))
        return sorted({other.token for other in others} - {shift.token})

    def suspects_server(self, shift: Shift) -> bool:
        for fault in self.suspected:
            if shift.token in fault.tokens:
                back = (shift.by_s > 0.0) == (fault.by_s.value > 0.0)
                end = fault.end if back else fault.begin
                if end is not None and _overlap(shift, end):
                    return True
        return False


def company(
    shifts: Sequence[Shift], seen: Sequence[Seen], faults: Sequence[ServerFault], tokens: int
) -> Company:
    """``shifts`` are those that are left when ``faults`` are corrected."""
    known = [fault.begin for fault in faults]
    suspected = server_faults(shifts, seen, least=_TOO_FEW)
    return Company(tokens, shifts, [fault for fault in suspected if fault.begin not in known])


def server_faults(
    shifts: Sequence[Shift], seen: Sequence[Seen], least: int = _LEAST
) -> list[ServerFault]:
    """``seen`` are all rows that are on a track, or would be but for a shift; by time.

    Of so few tokens as ``least`` below three all that were seen meanwhile must show it.
    """
    faults: list[ServerFault] = []
    left = list(shifts)
    while group := _together(left, least):
        other = _opposite(group, left, least)
        if other and _common(other).at_s < _common(group).at_s:
            group, other = other, group
        fault = _fault(group, other, seen)
        if fault is not None:
            faults.append(fault)
        used = {id(shift) for shift in [*group, *other]}
        left = [shift for shift in left if id(shift) not in used]
    return sorted(faults, key=lambda fault: fault.begin.at_s)


def _together(shifts: Sequence[Shift], least: int) -> list[Shift]:
    """The most shifts of like size that have a time in common, the earliest of such."""
    best: list[Shift] = []
    begun = deque(sorted(shifts, key=lambda shift: shift.after_s))
    active: list[Shift] = []
    for first in sorted(shifts, key=lambda shift: shift.before_s):
        # a group has a time in common just before the first of its ends
        while begun and begun[0].after_s < first.before_s:
            active.append(begun.popleft())
        active = [shift for shift in active if shift.before_s >= first.before_s]
        group = list({shift.token: shift for shift in active if _alike(shift, first)}.values())
        if len(group) > len(best):
            best = group
    return best if len(best) >= least else []


def _alike(one: Shift, other: Shift, sign: float = 1.0) -> bool:
    apart_s = abs(one.by_s - sign * other.by_s)
    return apart_s < _AT_LEAST_S + _SIGMAS * math.hypot(one.deviation_s, other.deviation_s)


def _overlap(one: Shift | Dated, other: Shift | Dated) -> bool:
    return one.after_s < other.before_s and other.after_s < one.before_s


def _opposite(group: Sequence[Shift], shifts: Sequence[Shift], least: int) -> list[Shift]:
    """Shifts of many tokens back again, before or after: a fault has two ends."""
    when = _common(group)
    back = [shift for shift in shifts if _alike(shift, group[0], sign=-1.0)]
    before = _together([shift for shift in back if shift.before_s <= when.before_s], least)
    after = _together([shift for shift in back if shift.after_s >= when.after_s], least)
    return max(after, before, key=len)


def _fault(
    begins: Sequence[Shift], ends: Sequence[Shift], seen: Sequence[Seen]
) -> ServerFault | None:
    """None if too many tokens that were seen meanwhile did not shift."""
    begin, end = _common(begins), _common(ends) if ends else None
    tokens = {shift.token for shift in [*begins, *ends]}
    until_s = math.inf if end is None else end.after_s
    exposed = {each.token for each in seen if begin.before_s <= each.at_s <= until_s}
    share = _SHARE if len(tokens) >= _LEAST else 1.0
    if len(tokens) < share * len(exposed | tokens):
        return None
    # whoever was not seen meanwhile saw the right time before and after
    for each in seen:
        if each.token in tokens | exposed:
            continue
        if begin.after_s < each.at_s < begin.before_s:
            begin = _dated(each.at_s, begin.before_s)
        if end is not None and end.after_s < each.at_s < end.before_s:
            end = _dated(end.after_s, each.at_s)
    by = _mean([*begins, *(shift._replace(by_s=-shift.by_s) for shift in ends)])
    return ServerFault(begin, end, by, sorted(tokens))


def _common(shifts: Iterable[Shift]) -> Dated:
    """When all of them can have been."""
    shifts = list(shifts)
    return _dated(max(shift.after_s for shift in shifts), min(shift.before_s for shift in shifts))


def _dated(after_s: float, before_s: float) -> Dated:
    return Dated(after_s, before_s, (after_s + before_s) / 2.0)


def _mean(shifts: Sequence[Shift]) -> Estimate:
    """How far the server was ahead: tokens fall back by as much.

    There and back a token may have been measured by the same code, so that it counts once.
    """
    best: dict[str, Shift] = {}
    for shift in sorted(shifts, key=lambda shift: shift.deviation_s):
        best.setdefault(shift.token, shift)
    weights = {token: 1.0 / max(shift.deviation_s, 0.1) ** 2 for token, shift in best.items()}
    total = sum(weights.values())
    value = -sum(weight * best[token].by_s for token, weight in weights.items()) / total
    deviation = 1.0 / math.sqrt(total)
    return Estimate(value, deviation, value - 1.96 * deviation, value + 1.96 * deviation)
