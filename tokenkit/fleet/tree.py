"""The tree of a clock's noise, compiled: ``firmware_sim.world.noise`` with a bound at each level.

A record of TREE is the way down to what was last asked for, an interval at each level. What is
drawn depends on an interval's ends alone, so one that is still there need not be drawn again.

How far can the phase be from the straight line between an interval's ends? Let A be how far the
frequencies at its ends are off the line's slope, h half its length, and z the farthest Gaussian.
The midpoint is off the line by at most h·A/2 + z·σ of x, and for the halves A has grown by at most
z·(σ of w + σ of x / h): the mean frequency at the midpoint is between those of the ends and the
slope. Summed over all levels below, that is h·A and, whatever A is, the sum of
z·(3·(σ of x) + h·(σ of w))/2 over the levels. It is no estimate but a limit.
"""

from typing import Any

import numpy as np

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.gaussians import FARTHEST, gaussians
from tokenkit.virtual import LEAF_S, LEVELS, SPAN_S, midpoint, midpoint_law, span_end

for formula in (midpoint, midpoint_law, span_end):
    shared(formula)

# One level: its law, its limit without h·A, and of which node it holds the interval.
LEVEL = np.dtype(
    [
        ("h", "f8"),
        ("b", "f8"),
        ("sigma_x", "f8"),
        ("sigma_w", "f8"),
        ("limit_s", "f8"),
        ("node", "i8"),
        ("x0", "f8"),
        ("w0", "f8"),
        ("x1", "f8"),
        ("w1", "f8"),
    ]
)
# The way down to the leaf last asked for. Phase and rate are those at the start of the span.
TREE = np.dtype(
    [
        ("key", "u8"),
        ("white", "f8"),
        ("random_walk", "f8"),
        ("span", "i8"),
        ("phase_s", "f8"),
        ("rate", "f8"),
        ("levels", LEVEL, LEVELS + 1),
    ]
)


@shared
def plant(tree: Any, key: Any, white: float, random_walk: float) -> None:
    """Begin with the noise of another clock."""
    drawn_by = tree.white, tree.random_walk
    if tree.levels[0].h == 0.0 or drawn_by != (white, random_walk):  # else, these laws are there
        tree.white, tree.random_walk = white, random_walk
        length_s, limit_s = LEAF_S, 0.0
        for level in range(LEVELS - 1, -1, -1):
            row = tree.levels[level]
            length_s *= 2.0
            row.h, row.b, row.sigma_x, row.sigma_w = midpoint_law(white, random_walk, length_s)
            limit_s += FARTHEST * (1.5 * row.sigma_x + 0.5 * row.h * row.sigma_w)
            row.limit_s = limit_s
    tree.key = key
    _first_span(tree)


@shared
def _first_span(tree: Any) -> None:
    tree.span, tree.phase_s, tree.rate = 0, 0.0, 0.0
    _root(tree)


@shared
def _root(tree: Any) -> None:
    first, second = gaussians(tree.key, tree.span, 0)
    row = tree.levels[0]
    row.node, row.x0, row.w0 = 1, 0.0, 0.0
    row.x1, row.w1 = span_end(tree.white, tree.random_walk, first, second)
    for level in range(1, LEVELS + 1):
        tree.levels[level].node = 0  # of no span


@shared
def enter(tree: Any, span: int) -> None:
    """Go to ``span``, over those between."""
    if span < tree.span:
        _first_span(tree)
    while tree.span < span:
        root = tree.levels[0]
        tree.phase_s = tree.phase_s + tree.rate * SPAN_S + root.x1
        tree.rate += root.w1
        tree.span += 1
        _root(tree)


@shared
def descend(tree: Any, leaf: int, level: int) -> None:
    """Have the interval around ``leaf`` of the span at ``level``."""
    number = leaf | 1 << LEVELS
    start = level
    while tree.levels[start].node != number >> (LEVELS - start):
        start -= 1
    for upper in range(start, level):
        row, below = tree.levels[upper], tree.levels[upper + 1]
        law = row.h, row.b, row.sigma_x, row.sigma_w
        x0, w0, x1, w1 = row.x0, row.w0, row.x1, row.w1
        first, second = gaussians(tree.key, tree.span, row.node)
        x, w = midpoint((x0, w0, x1, w1), law, first, second)
        below.node = number >> (LEVELS - upper - 1)
        if below.node & 1:
            below.x0, below.w0, below.x1, below.w1 = x, w, x1, w1
        else:
            below.x0, below.w0, below.x1, below.w1 = x0, w0, x, w


@shared
def line(tree: Any, level: int) -> tuple[float, float, float, float]:
    """Of the interval at ``level``, above the leaves: start in the span, phase, slope, limit."""
    row = tree.levels[level]
    length_s = 2.0 * row.h
    slope = (row.x1 - row.x0) / length_s
    off = max(abs(row.w0 - slope), abs(row.w1 - slope))
    return (row.node - (1 << level)) * length_s, row.x0, slope, row.limit_s + row.h * off


@shared
def phase_s(tree: Any, elapsed_s: float) -> float:
    """As ``EndlessNoise`` has it, step for step."""
    span = int(elapsed_s // SPAN_S)
    enter(tree, span)
    within_s = elapsed_s - span * SPAN_S
    leaf = int(within_s / LEAF_S)
    descend(tree, leaf, LEVELS)
    row = tree.levels[LEVELS]
    inside_s = row.x0 + (within_s / LEAF_S - leaf) * (row.x1 - row.x0)
    gained_s: float = tree.phase_s + tree.rate * within_s + inside_s
    return gained_s
