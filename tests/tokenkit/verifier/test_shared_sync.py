"""Commits that share an fsync: none returns before a sync that began after it."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tokenkit.verifier import StoreError, Verifier, shared_sync
from tokenkit.verifier.shared_sync import SharedSync


class Disk:
    """Syncs when it is told to, or fails."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.orders: list[Future[None]] = []

    def sync(self, file: int) -> None:
        os.fstat(file)  # it is open
        order: Future[None] = Future()
        self.orders.append(order)
        self.begun.release()
        order.result(30)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(shared_sync, "_sync", disk.sync)
    return disk


@pytest.fixture
def shared(tmp_path: Path) -> SharedSync:
    path = tmp_path / "log"
    path.touch()
    return SharedSync(str(path))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def wait_in(pool: ThreadPoolExecutor, shared: SharedSync, count: int) -> list[Future[None]]:
    """Threads that wait for a sync that is yet to begin."""
    waiting = [pool.submit(shared.wait) for _ in range(count)]
    while len(shared._turn._waiters) < count:  # type: ignore[attr-defined]
        time.sleep(0)
    return waiting


def test_who_comes_during_a_sync_shares_the_next(
    disk: Disk, shared: SharedSync, pool: ThreadPoolExecutor
) -> None:
    first = pool.submit(shared.wait)
    disk.begun.acquire()
    later = wait_in(pool, shared, 4)
    disk.orders[0].set_result(None)
    first.result(30)
    disk.begun.acquire()
    assert not any(each.done() for each in later)
    disk.orders[1].set_result(None)
    for each in later:
        each.result(30)
    assert len(disk.orders) == 2


def test_a_failure_is_told_and_the_others_try_again(
    disk: Disk, shared: SharedSync, pool: ThreadPoolExecutor
) -> None:
    first = pool.submit(shared.wait)
    disk.begun.acquire()
    later = wait_in(pool, shared, 2)
    disk.orders[0].set_exception(OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output"):
        first.result(30)
    disk.begun.acquire()
    disk.orders[1].set_exception(OSError(5, "Input/output error"))
    disk.begun.acquire()
    disk.orders[2].set_result(None)
    assert sorted(each.exception(30) is None for each in later) == [False, True]


def test_without_a_file_there_is_nothing_to_wait_for(disk: Disk, tmp_path: Path) -> None:
    SharedSync(str(tmp_path / "none")).wait()
    assert disk.orders == []


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were brought to the disk."""
    found: list[str] = []
    monkeypatch.setattr(
        shared_sync, "_sync", lambda file: found.append(os.readlink(f"/proc/self/fd/{file}"))
    )
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into Linux's /proc")
def test_each_change_of_a_file_is_on_the_disk_before_it_is_answered(
    synced: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a link, and by a path from a folder that was left since."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to("real/mfa.db")
    monkeypatch.chdir(tmp_path)
    with Verifier("sqlite:///link.db", sealing_key=bytes(32)) as verifier:
        monkeypatch.chdir("/")
        synced.clear()
        verifier.create_user("ann")
        assert synced == [str(tmp_path / "real/mfa.db-wal")]
        verifier.devices("ann")
        verifier.user("ann")
        assert len(synced) == 1


def test_in_memory_there_is_nothing_to_sync(disk: Disk) -> None:
    with Verifier() as verifier:
        verifier.create_user("ann")
    assert disk.orders == []


def test_a_disk_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(28, "No space left on device")

    with Verifier(f"sqlite:///{tmp_path}/mfa.db", sealing_key=bytes(32)) as verifier:
        monkeypatch.setattr(shared_sync, "_sync", fail)
        with pytest.raises(StoreError, match="No space left on device"):
            verifier.create_user("ann")
        monkeypatch.undo()
        verifier.create_user("bob")
        assert {user.name for user in verifier.users()} >= {"root", "bob"}
