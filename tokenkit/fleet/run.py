"""Count a study, partition by partition, in order, wherever and by how many they are counted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, NamedTuple

from tokenkit.fleet.archive import unpack
from tokenkit.fleet.checkpoint import Checkpoint
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.pool import Count, Pool

# tokens of a partition at most: it takes seconds, and what is kept of it some 100 kB. By this, and
# not by the workers, a study is cut.
PARTITION_TOKENS = 1_000


class Done(NamedTuple):
    """A partition that is counted; ``kept`` if a checkpoint had it already."""

    counted: Counted
    kept: bool


def run(
    count: Count, parts: Sequence[Partition], pool: Pool, checkpoint: Checkpoint | None = None
) -> Iterator[Done]:
    """``count`` of each of ``parts``, in their order; kept in ``checkpoint`` before it is given.

    No more is begun or held than ``pool`` wants: neither the number of partitions nor that of
    tokens matters to memory. Raises what ``count`` does, and TokenkitError for the rest. Closing
    the iterator, as an exception does, lets go of what has been begun.
    """
    begun: dict[Future[Any], int] = {}
    ready: dict[int, Done] = {}
    due = following = 0  # the next to give, the next to begin
    try:
        while due < len(parts):
            while following < min(len(parts), due + pool.ahead()):
                part = parts[following]
                kept = None if checkpoint is None else checkpoint.load(part)
                if kept is None:
                    begun[pool.submit(count, part)] = following
                else:
                    ready[following] = Done(kept, True)
                following += 1
            if due not in ready:
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
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
