"""What partitions of a batch add up to: whole numbers only, so that any order gives the same."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tokenkit.fleet.layout import COUNTS

Integers: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

# what is counted as a rate: names of COUNTS
MEASURES = ("rejections", "lock_outs", "resyncs", "lost")
# what is compared between policies, token by token
CODES = ("acceptable", "acceptable_next")
COMPARED = (*MEASURES, *CODES)
# what is counted by month since the study's start
MONTHLY = ("sign_ins", "rejections", "lock_outs")
# A histogram's bin n counts the moments at which n codes were acceptable; the last one, more.
MOST_CODES = 512


@dataclass(frozen=True, eq=False)
class Tally:
    """Of some tokens of one batch, under all policies in the order of the study.

    Every member is an array of int64, so ``np.savez(file, **vars(tally))`` keeps it and
    ``Tally(**np.load(file))`` brings it back.

    tokens, exposure_s: (): how many, and their seconds from enrolment to the study's end.
    totals: (policies, fields of COUNTS): sums over tokens; of ``most_acceptable`` the largest.
    products: (COMPARED, policies, policies): sums over tokens of the product of a measure under
        one policy and under another.
    histogram: (policies, MOST_CODES + 1): how often so many codes were acceptable.
    months: (policies, months, MONTHLY).
    """

    tokens: Integers
    exposure_s: Integers
    totals: Integers
    products: Integers
    histogram: Integers
    months: Integers

    def __add__(self, other: "Tally") -> "Tally":
        both = {name: array + getattr(other, name) for name, array in vars(self).items()}
        most = _MOST_ACCEPTABLE
        both["totals"][:, most] = np.maximum(self.totals[:, most], other.totals[:, most])
        return Tally(**both)


def tally(
    counts: "np.ndarray[tuple[int, int], np.dtype[np.void]]",
    exposure_s: int,
    histogram: Integers,
    months: Integers,
) -> Tally:
    """The tally of (policies, tokens) ``counts`` of type COUNTS; the rest as in Tally."""
    columns = [counts[name] for name in _FIELDS]
    totals = np.stack([column.sum(axis=1) for column in columns], axis=1)
    totals[:, _MOST_ACCEPTABLE] = columns[_MOST_ACCEPTABLE].max(axis=1, initial=0)
    products = np.stack([counts[name] @ counts[name].T for name in COMPARED])
    tokens = np.array(counts.shape[1], np.int64)
    return Tally(tokens, np.array(exposure_s, np.int64), totals, products, histogram, months)


_FIELDS: tuple[str, ...] = COUNTS.names or ()
_MOST_ACCEPTABLE = _FIELDS.index("most_acceptable")
