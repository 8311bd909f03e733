"""One partition of a study, from its tokens to what is counted of them."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tokenkit.fleet.habits import HABITS
from tokenkit.fleet.kernel import People, Sums, kernel
from tokenkit.fleet.layout import COUNTS, PIECE
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.physics import CLOCK
from tokenkit.fleet.study import Study
from tokenkit.fleet.tally import MONTHLY, MOST_CODES, tally
from tokenkit.fleet.tokens import make_tokens
from tokenkit.server_clock import ServerClock


def work(study: Study, partition: Partition) -> Counted:
    """What happens to the partition's tokens, under each policy."""
    batch, person = study.batch[partition.batch], study.person
    made = make_tokens(study, partition)
    people = People(
        HABITS[batch.habit],
        person.attempts,
        float(person.entry[0]),
        float(person.entry[1]),
        float(person.help),
    )
    policies = len(study.policy)
    pieces = _pieces(study.server_clock(), study.start_s, study.end_s)
    counts = np.zeros((policies, partition.count), COUNTS)
    histogram = np.zeros((policies, MOST_CODES + 1), np.int64)
    months = np.zeros((policies, math.ceil(12 * study.years), len(MONTHLY)), np.int64)
    for number, policy in enumerate(study.policy):
        kernel(
            policy.rule(batch.period),
            people,
            made.tokens,
            made.stays,
            made.events,
            pieces,
            np.zeros(1, np.int64),
            study.start_s,
            study.end_s,
            np.zeros(1, CLOCK),
            Sums(counts[number], histogram[number], months[number]),
        )
    exposure_s = int(np.floor(study.end_s - made.tokens["enrolled_s"]).sum())
    return Counted(partition, counts, tally(counts, exposure_s, histogram, months))


@lru_cache(maxsize=2)
def _pieces(clock: ServerClock, from_s: float, until_s: float) -> Any:
    """The verifier's clock, as rows of PIECE."""
    return np.array(clock.pieces(from_s, until_s), PIECE)
