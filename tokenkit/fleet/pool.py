"""Where partitions are counted: in threads of this process, or by the workers of a Dask cluster."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from tokenkit.fleet.archive import pack
from tokenkit.fleet.partition import Counted, Partition

Count: TypeAlias = Callable[[Partition], Counted]

LOOK_S = 5.0  # how often to ask a pool how many it wants, at least


class Pool(Protocol):
    """Counts partitions beside each other."""

    def submit(self, count: Count, part: Partition) -> "Future[Any]":
        """Begin with ``part``, for :meth:`archive`."""

    def archive(self, done: "Future[Any]") -> bytes:
        """What it gave, packed; TokenkitError if the pool is at fault."""

    def ahead(self) -> int:
        """How many partitions to have begun and not yet used; it bounds what memory holds.

        TokenkitError if the pool is no more.
        """


class Threads:
    """``workers`` threads of this process: compiled code runs beside compiled code."""

    def __init__(self, executor: ThreadPoolExecutor, workers: int) -> None:
        self._executor = executor
        self._ahead = 2 * workers

    def submit(self, count: Count, part: Partition) -> "Future[bytes]":
        return self._executor.submit(lambda: pack(count(part)))

    def archive(self, done: "Future[bytes]") -> bytes:
        return done.result()

    def ahead(self) -> int:
        return self._ahead


@contextmanager
def threads(workers: int | None = None) -> Iterator[Threads]:
    """As many as there are processors, by default."""
    workers = workers or processors()
    executor = ThreadPoolExecutor(workers, "fleet")
    try:
        yield Threads(executor, workers)
    finally:
        executor.shutdown(cancel_futures=True)  # and waits for those that are running


def processors() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
