"""Count a study, partition by partition, in order, wherever and by how many they are counted."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any, NamedTuple

from tokenkit.fleet.archive import unpack
from tokenkit.fleet.checkpoint import Checkpoint
from tokenkit.fleet.partition import Counted, Partition, partitions
from tokenkit.fleet.pool import LOOK_S, Pool
from tokenkit.fleet.study import Study
from tokenkit.fleet.work import work

# tokens of a partition at most: it takes seconds, and what is kept of it some 100 kB. By this, and
# not by the workers, a study is cut.
PARTITION_TOKENS = 1_000


class Done(NamedTuple):
    """A partition that is counted; ``kept`` if a checkpoint had it already."""

    counted: Counted
    kept: bool


def run(
    study: Study,
    pool: Pool,
    checkpoint: Checkpoint | None = None,
    count: Callable[[Study, Partition], Counted] = work,
) -> Iterator[Done]:
    """Count all partitions of ``study`` and give them in their order.

    Each is kept in ``checkpoint`` before it is given. No more is begun or held than ``pool``
    wants, so memory does not grow with the tokens. Raises TokenkitError where pool or checkpoint
    fail. Closing the iterator, as an exception does, lets go of what has been begun.
    """
    parts = list(partitions([batch.tokens for batch in study.batch], PARTITION_TOKENS))
    begun: dict[Future[Any], int] = {}
    ready: dict[int, Done] = {}
    due = following = 0  # the next to give, the next to begin
    try:
        while due < len(parts):
            while following < min(len(parts), due + pool.ahead()):
                part = parts[following]
                kept = None if checkpoint is None else checkpoint.load(part)
                if kept is None:
                    begun[pool.submit(partial(count, study), part)] = following
                else:
                    ready[following] = Done(kept, True)
                following += 1
            if due not in ready:
                for future in wait(begun, LOOK_S, FIRST_COMPLETED).done:
                    archive = pool.archive(future)
                    number = begun.pop(future)
                    if checkpoint is not None:
                        checkpoint.save(parts[number], archive)
                    ready[number] = Done(unpack(archive), False)
            while due in ready:
                yield ready.pop(due)
                due += 1
    finally:
        for future in begun:
            future.cancel()


def digest(study: Study) -> str:
    """What tells ``study`` from any other: a hash of all that its file says, as it was read."""
    return hashlib.sha256(repr(study).encode()).hexdigest()
