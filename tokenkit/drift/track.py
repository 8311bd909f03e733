"""A token's track under a given list of events, fitted to all of its codes."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tokenkit.drift.estimate import Fit, fit
from tokenkit.drift.shown import Delays, Shown
from tokenkit.drift.smoother import RATE_WALK, Belief, Factor, Node, smooth

Kind = Literal["step", "rate"]

_UNKNOWN_RATE = 20.0  # ppm, a standard deviation: a crystal at 0 °C is 21 ppm slow
_NUDGE = 1e-3


class Event(NamedTuple):
    """Something at ``at`` (megaseconds) in gap ``gap``, which is after the code of that number.

    ``size`` is the standard deviation of what it may be: seconds of a step, ppm of a turn.
    """

    at: float
    gap: int
    kind: Kind
    size: float


class Codes(NamedTuple):
    """All codes of a token: their times in megaseconds, in order, and what each shows.

    ``walk`` is how restless its rate is taken to be, in ppm² a megasecond.
    """

    times: list[float]
    shown: list[Shown]
    delays: Delays
    walk: float = RATE_WALK

    @property
    def prior(self) -> Belief:
        first = self.shown[0]
        return Belief(first.low_s + first.period_s / 2.0, 0.0, 1e8, 0.0, _UNKNOWN_RATE**2)


class Track(NamedTuple):
    """``codes`` and ``events`` hold for each code and event the number of its node.

    A step has two nodes, before and after: its number is that of the second.
    """

    events: tuple[Event, ...]
    nodes: list[Node]
    code_nodes: list[int]
    event_nodes: list[int]
    fit: Fit

    @property
    def beliefs(self) -> list[Belief]:
        return self.fit.smoothed.beliefs


def follow(codes: Codes, events: Sequence[Event] = ()) -> Track:
    """The track that all codes give if just these events happened."""
    events = tuple(sorted(events))
    nodes: list[Node] = []
    shown: list[Shown | None] = []
    code_nodes, event_nodes = [], []
    left = list(events)
    for number, time in enumerate(codes.times):
        while left and left[0].gap < number:
            for node in nodes_of(left.pop(0), codes.walk):
                nodes.append(node)
                shown.append(None)
            event_nodes.append(len(nodes) - 1)
        code_nodes.append(len(nodes))
        nodes.append(Node(time, walk=codes.walk))
        shown.append(codes.shown[number])
    return Track(
        events, nodes, code_nodes, event_nodes, fit(codes.prior, nodes, shown, codes.delays)
    )


def nodes_of(event: Event, walk: float) -> list[Node]:
    if event.kind == "step":
        before = Node(event.at, walk=walk)
        return [before, before._replace(step_variance=event.size**2)]
    return [Node(event.at, rate_variance=event.size**2, walk=walk)]


def mean_rate(codes: Codes, track: Track) -> tuple[float, float]:
    """What the clock gained from the first code to the last without its steps, by time: ppm.

    And its variance. A linear functional's variance is what its mean moves by where the
    density is multiplied by its exponential: one more run of the smoother.
    """
    weights = {track.code_nodes[-1]: 1.0}
    weights[track.code_nodes[0]] = weights.get(track.code_nodes[0], 0.0) - 1.0
    for event, node in zip(track.events, track.event_nodes, strict=True):
        if event.kind == "step":
            weights |= {node: -1.0, node - 1: 1.0}
    time = codes.times[-1] - codes.times[0]
    factors = list(track.fit.factors)
    for node, weight in weights.items():
        factor = factors[node]
        factors[node] = Factor(factor.shift + _NUDGE * weight, factor.precision)
    nudged = smooth(codes.prior, track.nodes, factors).beliefs
    gain = sum(weight * track.beliefs[node].offset for node, weight in weights.items())
    moved = sum(weight * nudged[node].offset for node, weight in weights.items()) - gain
    return gain / time, max(moved, 0.0) / _NUDGE / time**2
