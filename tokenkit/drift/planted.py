"""A clock of few straight lines that shows given codes at given times."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MARGIN_S = 0.5  # the line keeps so far from the edges of what a code allows
_FASTEST_PPM = 100.0  # a clock that would have to be faster has jumped
_HALVINGS = 60


class Gate(NamedTuple):
    """At ``true_s`` the clock's offset from true time must be from ``low_s`` to ``high_s``."""

    true_s: float
    low_s: float
    high_s: float


class Line(NamedTuple):
    """From ``from_s`` on the offset is ``offset_s``, and grows by ``ppm``."""

    from_s: float
    offset_s: float
    ppm: float

    def at(self, true_s: float) -> float:
        return self.offset_s + 1e-6 * self.ppm * (true_s - self.from_s)


@dataclass(frozen=True)
class Path:
    """Lines by time: each goes on from where the last one ended, or the clock jumps there."""

    lines: list[Line]

    def at(self, true_s: float) -> float:
        """The offset; before the first line begins it is that one's."""
        number = bisect_right(self.lines, true_s, key=lambda line: line.from_s)
        return self.lines[max(number - 1, 0)].at(true_s)


def through(
    gates: Sequence[Gate], start_s: float, aim: Callable[[float], float] | None = None
) -> Path:
    """A path from ``start_s`` on through ``gates``, by time and later, of as few lines as possible.

    It goes near ``aim`` where the gates let it.
    """
    if not gates:
        return Path([Line(start_s, round(aim(start_s), 2) if aim else 0.0, 0.0)])
    if aim is None:
        first = _longest(gates, start_s)
        aim = first.at
    lines = [Line(start_s, round(aim(start_s), 2), 0.0)]
    at = 0
    while at < len(gates):
        pivot = lines[-1]
        line, passed = _onward(pivot, gates[at:], aim)
        if passed == 0:  # it cannot have drifted there
            gate = gates[at]
            jump_s = (pivot.from_s + gate.true_s) / 2.0
            # twice as far from the edges: it is rounded, and gates may be a moment apart
            low_s, high_s = gate.low_s + 2.0 * _MARGIN_S, gate.high_s - 2.0 * _MARGIN_S
            offset_s = min(max(aim(gate.true_s), low_s), high_s)
            lines.append(Line(round(jump_s, 3), round(offset_s, 2), 0.0))
            continue
        at += passed
        lines[-1] = line
        if at < len(gates):
            last_s = gates[at - 1].true_s
            lines.append(Line(last_s, line.at(last_s), line.ppm))
    return Path(lines)


def _onward(pivot: Line, gates: Sequence[Gate], aim: Callable[[float], float]) -> tuple[Line, int]:
    """The line from where ``pivot`` begins that passes most gates, and how many these are."""
    low, high, passed = -_FASTEST_PPM, _FASTEST_PPM, 0
    for gate in gates:
        time_s = 1e-6 * (gate.true_s - pivot.from_s)
        if time_s <= 0.0:
            inside = gate.low_s <= pivot.offset_s <= gate.high_s
            least, most = (low, high) if inside else (1.0, 0.0)
        else:
            least = max(low, (gate.low_s + _MARGIN_S - pivot.offset_s) / time_s)
            most = min(high, (gate.high_s - _MARGIN_S - pivot.offset_s) / time_s)
        if least > most:
            break
        low, high, passed = least, most, passed + 1
    if not passed:
        return pivot, 0
    last_s = gates[passed - 1].true_s
    wanted = 0.0
    if last_s > pivot.from_s:
        wanted = 1e6 * (aim(last_s) - pivot.offset_s) / (last_s - pivot.from_s)
    # 4 digits of a ppm are 3 ms a year
    return pivot._replace(ppm=round(min(max(wanted, low), high), 4)), passed


def _longest(gates: Sequence[Gate], start_s: float) -> Line:
    """The line that goes through as many of the first gates as any, far from their edges."""
    fits, fails = 1, len(gates) + 1
    trial = min(8, len(gates))
    while fails - fits > 1:
        if _best(gates[:trial], start_s)[0] >= _MARGIN_S:
            fits = trial
        else:
            fails = trial
        trial = min(2 * fits, len(gates)) if fails > len(gates) else (fits + fails) // 2
        if trial == fits:
            break
    return _best(gates[:fits], start_s)[1]


def _best(gates: Sequence[Gate], start_s: float) -> tuple[float, Line]:
    """The line that keeps farthest from all edges, and how far that is; negative if it must not.

    How far it can keep is a concave function of its slope.
    """
    low, high = -_FASTEST_PPM, _FASTEST_PPM
    for _ in range(_HALVINGS):
        third = (high - low) / 3.0
        at_low = _room(gates, start_s, low + third)[0]
        at_high = _room(gates, start_s, high - third)[0]
        if at_low < at_high or (at_low == at_high and -low > high):  # nearer to no drift at all
            low += third
        else:
            high -= third
    ppm = (low + high) / 2.0
    room_s, offset_s = _room(gates, start_s, ppm)
    return room_s, Line(start_s, offset_s, ppm)


def _room(gates: Sequence[Gate], start_s: float, ppm: float) -> tuple[float, float]:
    """How far a line of that slope can keep from all edges, and its offset at ``start_s``."""
    least = max(gate.low_s - 1e-6 * ppm * (gate.true_s - start_s) for gate in gates)
    most = min(gate.high_s - 1e-6 * ppm * (gate.true_s - start_s) for gate in gates)
    return (most - least) / 2.0, (least + most) / 2.0
