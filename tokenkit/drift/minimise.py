"""Delta debugging: the least of a list that still shows something."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def minimised(parts: Sequence[T], shows: Callable[[Sequence[T]], bool], most: int = 500) -> list[T]:
    """A subset of ``parts`` that ``shows`` it and of which nothing can be left out alone.

    All of ``parts`` must show it. After ``most`` trials it is what was found by then. A. Zeller,
    R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE Trans. Software
    Engineering 28(2), 2002; only complements are tried: mostly nearly all parts are of no account.
    """
    left, pieces = list(parts), 2
    if not left or shows([]):
        return []
    while len(left) >= 2:
        size = -(-len(left) // pieces)
        for start in range(0, len(left), size):
            without = left[:start] + left[start + size :]
            most -= 1
            if most < 0:
                return left
            if shows(without):
                left, pieces = without, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(2 * pieces, len(left))
    return left
