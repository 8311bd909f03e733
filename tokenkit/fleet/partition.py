"""A study in parts: some tokens of one batch, whichever they are, count the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tokenkit.fleet.tally import Tally


@dataclass(frozen=True, order=True)
class Partition:
    """``count`` tokens of the study's batch number ``batch``, from number ``first`` (from 1) on."""

    batch: int
    first: int
    count: int


@dataclass(frozen=True, eq=False)
class Counted:
    """What one partition gives: ``counts`` are (policies, tokens) of type COUNTS."""

    partition: Partition
    counts: "np.ndarray[tuple[int, int], np.dtype[np.void]]"
    tally: Tally


def partitions(tokens: Iterable[int], most: int) -> Iterator[Partition]:
    """All batches, which have so many ``tokens``, in parts of ``most`` tokens at most."""
    for batch, total in enumerate(tokens):
        for first in range(1, total + 1, most):
            yield Partition(batch, first, min(most, total + 1 - first))
