"""Counting by the workers of a Dask cluster: one that is there, or one made here for the study."""

import logging
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client, LocalCluster, Security, WorkerPlugin
from distributed.scheduler import KilledWorker

from tokenkit.errors import TokenkitError
from tokenkit.fleet.fingerprint import fingerprint
from tokenkit.fleet.partition import Partition
from tokenkit.fleet.pool import LOOK_S, Count, processors

LOCAL = "local"  # in the place of a scheduler's address
_CONNECT_S = 10  # to a scheduler
_JOIN_S = 60  # for its first worker


class ClusterError(TokenkitError):
    """A cluster that cannot do the work."""


class Cluster:
    """The workers of ``client``'s scheduler, whichever are there at the time.

    What a lost worker was to give is counted again by another one: Dask sees to that.
    """

    def __init__(self, client: Client, executor: Executor, address: str) -> None:
        self._client = client
        self._executor = executor
        self._address = address
        self._errand = _errand(fingerprint())
        self._ahead = 0
        self._looked_s = -LOOK_S

    def submit(self, count: Count, part: Partition) -> "Future[bytes | str]":
        return self._executor.submit(self._errand, pickle.dumps((count, part)))

    def archive(self, done: "Future[bytes | str]") -> bytes:
        try:
            archive = done.result()
        except CancelledError:
            raise self._gone() from None
        except KilledWorker as error:
            raise ClusterError(
                f"{error.allowed_failures + 1} workers died counting the same tokens, the last was"
                f" {error.last_worker.address}: its log may say why; each needs some 500 MB"
            ) from None
        if isinstance(archive, str):
            raise ClusterError(
                f"worker {archive}, here is {fingerprint()}: install the same tokenkit[fleet]"
                " there, or take that worker out"
            )
        return archive

    def ahead(self) -> int:
        """Twice the threads there are. It is also how a scheduler is missed that said good-bye."""
        now_s = time.perf_counter()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            try:
                threads = self._client.nthreads()  # type: ignore[no-untyped-call]
            except OSError:
                raise self._gone() from None
            self._ahead = 2 * max(1, sum(threads.values()))
        return self._ahead

    def silence(self) -> None:
        """Let workers log nothing that does not end them: what matters ClusterError says."""
        self._client.register_plugin(_Silence())

    def _gone(self) -> ClusterError:
        return ClusterError(
            f"the scheduler {self._address} has gone: start it again, and the study; with"
            " --checkpoint it goes on where it was"
        )


class _Silence(WorkerPlugin):
    """In a worker's process until it ends; Dask's ``silence_logs`` ends a moment before.

    A heartbeat that the cluster's end cuts short logs an error in that moment, with its traceback.
    """

    def setup(self, worker: Any) -> None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)


@contextmanager
def cluster(scheduler: str, workers: int | None = None) -> Iterator[Cluster]:
    """The cluster of the ``scheduler`` at that address; ``local``: a new one of ``workers``."""
    if scheduler != LOCAL:
        with _joined(scheduler) as pool:
            yield pool
        return
    made = _local(workers or processors())
    with made, _joined(made.scheduler_address, made.security) as pool:
        pool.silence()
        yield pool


@contextmanager
def _joined(scheduler: str, security: Security | None = None) -> Iterator[Cluster]:
    with _quiet(), _connect(scheduler, security) as client:
        try:
            client.wait_for_workers(1, timeout=_JOIN_S)
        except TimeoutError:
            raise ClusterError(
                f"the scheduler {scheduler} has no workers: start some by `dask worker {scheduler}`"
            ) from None
        yield Cluster(client, client.get_executor(pure=False), scheduler)


class _Client(Client):
    """A client that is closed if it cannot connect: else a garbage collection would do that, in
    whichever thread it happens, be it one of Dask's own, that then waits for itself."""

    def __init__(self, scheduler: str, security: Security | None) -> None:
        try:
            super().__init__(  # type: ignore[no-untyped-call]
                scheduler, security=security, timeout=_CONNECT_S, set_as_default=False
            )
        except BaseException:
            self.close()  # type: ignore[no-untyped-call]
            raise


def _connect(scheduler: str, security: Security | None) -> _Client:
    try:
        return _Client(scheduler, security)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {scheduler} ({error}): is it as in"
            " tcp://HOST:8786, and does `dask scheduler` run there?"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask's client would log of a lost scheduler, with its traceback, ClusterError says."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _local(workers: int) -> LocalCluster:
    """A new cluster, whose processes do not hear the Ctrl-C that is meant for this one.

    Threads and processes inherit which signals are blocked: its own, and those that they start
    in the place of killed ones.
    """
    resource_tracker.ensure_running()  # the thread that starts it unblocks the signal
    blocks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocks else set()
    try:
        return LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # else a warning if 8787 is taken
            silence_logs=logging.ERROR,
            security=True,  # who is on this computer, too, cannot have it run code
        )
    finally:
        if blocks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _errand(code: str) -> Callable[[bytes], bytes | str]:
    """What a worker is to do: open its work and return the archive, or say what it lacks.

    A local function, for Dask pickles it by value: so it reaches a worker without tokenkit. The
    work stays bytes until the worker has the client's ``code``, its fingerprint.
    """

    def errand(work: bytes) -> Any:
        from distributed import get_worker

        try:
            from tokenkit.errors import MissingExtraError
            from tokenkit.fleet.archive import pack
            from tokenkit.fleet.fingerprint import fingerprint

            if fingerprint() != code:
                return f"{get_worker().address} has {fingerprint()}"
            count, part = pickle.loads(work)
        except (ImportError, MissingExtraError) as error:
            return f"{get_worker().address} cannot count ({error})"
        return pack(count(part))

    return errand
