"""Studies give the same wherever they are counted, and whoever dies meanwhile."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker

from tokenkit.fleet import cluster as clusters
from tokenkit.fleet import run as running
from tokenkit.fleet.archive import pack
from tokenkit.fleet.cluster import ClusterError, cluster
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.pool import Pool, threads
from tokenkit.fleet.run import run
from tokenkit.fleet.study import Study, parse

STUDY = """
title = "Test"
start = 2026-01-01T00:00:00Z
years = 0.5
[[batch]]
name = "desk"
tokens = 45
[[batch]]
name = "cold"
tokens = 20
places = ["warehouse"]
[[policy]]
name = "fixed"
learn = "offset"
[[policy]]
name = "adaptive"
learn = "rate"
"""


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PARTITION_TOKENS", 2)


@pytest.fixture(scope="module")
def study() -> Study:
    return parse(STUDY, "test.toml").study


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as made:
        yield made.scheduler_address


@pytest.fixture
def client(scheduler: str) -> Iterator[Client]:
    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


def archives(study: Study, pool: Pool) -> list[bytes]:
    return [pack(done.counted) for done in run(study, pool)]


@pytest.fixture(scope="module")
def expected(study: Study) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch, threads(1) as pool:
        patch.setattr(running, "PARTITION_TOKENS", 2)
        return archives(study, pool)


def test_partitions_come_in_order_and_leave_nobody_out(study: Study) -> None:
    with threads(2) as pool:
        parts = [done.counted.partition for done in run(study, pool)]
    tokens = [(part.batch, part.first + n) for part in parts for n in range(part.count)]
    assert tokens == [(0, n) for n in range(1, 46)] + [(1, n) for n in range(1, 21)]


def test_threads_make_no_difference(study: Study, expected: list[bytes]) -> None:
    with threads(3) as pool:
        assert archives(study, pool) == expected


def test_a_cluster_makes_no_difference(study: Study, scheduler: str, expected: list[bytes]) -> None:
    with cluster(scheduler) as pool:
        assert archives(study, pool) == expected


def test_a_killed_worker_loses_nothing(
    study: Study, client: Client, scheduler: str, expected: list[bytes]
) -> None:
    pids = client.run(os.getpid)
    worker, pid = min(pids.items())

    def kill_with_work() -> None:
        while not client.processing([worker])[worker]:
            pass
        os.kill(pid, signal.SIGKILL)

    os.kill(pid, signal.SIGSTOP)  # what it is given it will not finish
    killer = threading.Thread(target=kill_with_work)
    killer.start()
    with cluster(scheduler) as pool:
        assert archives(study, pool) == expected
    killer.join()
    client.wait_for_workers(2)
    assert pid not in client.run(os.getpid).values()


@pytest.mark.parametrize(
    ("harm", "mend", "says"),
    [
        (
            "import tokenkit.fleet.fingerprint as f; f.kept, f.fingerprint ="
            " f.fingerprint, lambda: 'tokenkit 0.0.9, source 0123'",
            "import tokenkit.fleet.fingerprint as f; f.fingerprint = f.kept",
            "has tokenkit 0.0.9, source 0123, here is tokenkit 0.1",
        ),
        (
            "import sys; sys.modules['tokenkit.fleet.fingerprint'] = None",
            "import sys; del sys.modules['tokenkit.fleet.fingerprint']",
            "cannot count",
        ),
        (
            "import sys; sys.modules['numba.kept'] = sys.modules.pop('tokenkit.fleet.work', None);"
            "sys.modules['tokenkit.fleet.work'] = None",
            "import sys; del sys.modules['tokenkit.fleet.work'];"
            "kept = sys.modules.pop('numba.kept');"
            "sys.modules.update({'tokenkit.fleet.work': kept} if kept else {})",
            "cannot count .*tokenkit.fleet.work",
        ),
    ],
    ids=["another version", "no tokenkit", "packages missing"],
)
def test_a_worker_that_counts_otherwise_is_refused(
    study: Study, client: Client, scheduler: str, harm: str, mend: str, says: str
) -> None:
    [worker, _] = client.run(exec, harm)
    client.run(exec, mend, workers=[worker])  # one of two is enough to refuse
    try:
        with cluster(scheduler) as pool, pytest.raises(ClusterError, match=says) as caught:
            archives(study, pool)
    finally:
        client.run(exec, mend, workers=[each for each in client.nthreads() if each != worker])
    assert "tcp://" in str(caught.value)
    assert "install the same" in str(caught.value)


@pytest.mark.parametrize("address", ["gopher://here", "127.0.0.1:1", "tcp://127.0.0.1:x"])
def test_nobody_answers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_S", 0.1)
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
        cluster(address).__enter__()


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_JOIN_S", 0.1)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", processes=False) as made,
        pytest.raises(ClusterError, match=f"no workers: .*dask worker {made.scheduler_address}"),
    ):
        cluster(made.scheduler_address).__enter__()


def test_a_scheduler_that_goes_away(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_S", 1.0)  # for so long it is hoped for
    made = LocalCluster(
        n_workers=1, dashboard_address="127.0.0.1:0", processes=False, silence_logs=50
    )
    with made, cluster(made.scheduler_address) as pool:
        found = run(study, pool)
        next(found)
        made.close()
        with pytest.raises(ClusterError, match="has gone: start it again"):
            list(found)


def test_workers_of_a_local_cluster_log_no_errors(capfd: pytest.CaptureFixture[str]) -> None:
    """As the error, with its traceback, of a heartbeat that the cluster's end cuts short."""
    with cluster("local", 1) as pool:
        count: Any = logging.getLogger("distributed.worker").error  # and not a partition's result
        with pytest.raises(AttributeError):
            pool.archive(pool.submit(count, Partition(0, 1, 1)))
    assert capfd.readouterr().err == ""


def test_a_partition_that_kills_whoever_counts_it(scheduler: str) -> None:
    done: Future[bytes | str] = Future()
    done.set_exception(KilledWorker("errand", SimpleNamespace(address="tcp://there:1"), 3))
    with cluster(scheduler) as pool, pytest.raises(ClusterError, match=r"4 workers died .*there:1"):
        pool.archive(done)


class Counter:
    """Counts at once, and how many partitions were begun."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self, study: Study, part: Partition) -> Counted:
        self.begun += 1
        return running.work(study, part)


def test_no_more_is_begun_than_is_wanted(study: Study) -> None:
    """Whoever takes results slowly, or not at all, is waited for."""
    counter = Counter()
    with threads(1) as pool, closing(run(study, pool, count=counter)) as made:
        for taken in range(1, 6):
            next(made)
            assert counter.begun <= taken + pool.ahead()
    assert counter.begun <= 5 + pool.ahead()


def test_what_counting_raises_comes_out(study: Study) -> None:
    def fails(study: Study, part: Partition) -> Any:
        raise ZeroDivisionError(part.first)

    with threads(1) as pool, pytest.raises(ZeroDivisionError):
        next(run(study, pool, count=fails))
