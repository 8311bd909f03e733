"""Who waits for whom in the database: readers for nobody, and nobody in a circle."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tokenkit.verifier import (
    UnknownCeremony,
    VerifierError,
    identity_records,
    records,
    store,
)

KEY = bytes(range(32))
LONG_S = 20.0  # nothing takes as long that waits for nobody


@pytest.fixture
def bench(make_bench: Any, database_url: str) -> Iterator[Any]:
    bench = make_bench(url=database_url, sealing_key=KEY)
    with bench.verifier:
        bench.verifier.create_user("ann")
        yield bench


class InThread(threading.Thread):
    """A request on its way; ``outcome`` is what it gave, or its refusal."""

    def __init__(self, request: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._request = request
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._request()
        except VerifierError as refusal:
            self.outcome = refusal

    def ended(self) -> bool:
        self.join(LONG_S)
        return not self.is_alive()


@contextmanager
def writing(bench: Any) -> Iterator[sa.Connection]:
    """A request of another process's, which goes on until the end of the block."""
    with bench.verifier._store.transaction() as connection:
        yield connection


def test_readers_wait_for_nobody_who_writes(bench: Any) -> None:
    phone = bench.phone("phone", "ann")
    verifier, serial_number = bench.verifier, phone.serial_number
    verifier.create_role("reader", trust_policy="{}")
    session = verifier.begin_console_session("ann", {})
    reads: list[Callable[[], Any]] = [
        verifier.users,
        verifier.devices,
        verifier.virtual_devices,
        verifier.roles,
        verifier.audit_page,
        verifier.findings,
        lambda: verifier.user("ann"),
        lambda: verifier.devices("ann"),
        lambda: verifier.role("reader"),
        lambda: verifier.user_policies("ann"),
        lambda: verifier.access_keys("ann"),
        lambda: verifier.known_serial_numbers([serial_number]),
        lambda: verifier.windows(serial_number, [bench.now_s]),
        lambda: verifier.certifications("ann", serial_number),
        lambda: verifier.device_tags(serial_number),
        lambda: verifier.console_session(session.token),
    ]
    with writing(bench) as connection:
        assert records.lock_user(connection, "ann") is not None
        assert records.lock_device(connection, serial_number) is not None
        assert records.lock_enabled_devices(connection, "ann")
        assert identity_records.lock_role(connection, "reader") is not None
        records.lock_names(connection)
        waiting = [InThread(read) for read in reads]
        assert [number for number, read in enumerate(waiting) if not read.ended()] == []
    assert [read.outcome for read in waiting if isinstance(read.outcome, VerifierError)] == []


def is_waited_for(connection: sa.Connection) -> bool:
    """Whether another transaction stands still for what this one has."""
    waits = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return bool(connection.exec_driver_sql(waits).scalar())


def wait_for_waiting(connection: sa.Connection, request: InThread) -> None:
    """Until a request stands still for this transaction, as one of SQLite's does at once."""
    if connection.dialect.name == "postgresql":
        while request.is_alive() and not is_waited_for(connection):
            pass


@pytest.mark.parametrize("complete", ["complete_registration", "complete_assertion"])
def test_a_user_is_deleted_while_a_ceremony_of_the_user_is_completed(
    bench: Any, complete: str
) -> None:
    ceremony = bench.verifier.begin_registration("ann")
    with writing(bench) as connection:
        assert records.lock_user(connection, "ann") is not None
        request = InThread(lambda: getattr(bench.verifier, complete)(ceremony.id, {}))
        wait_for_waiting(connection, request)
        records.delete_user(connection, "ann")
    assert request.ended()
    assert isinstance(request.outcome, UnknownCeremony)


def test_sessions_end_while_their_user_is_deleted(bench: Any) -> None:
    verifier = bench.verifier
    session = verifier.begin_console_session("ann", {})
    with writing(bench) as connection:
        assert records.lock_user(connection, "ann") is not None
        request = InThread(lambda: verifier.end_console_sessions("ann"))
        wait_for_waiting(connection, request)
        records.delete_user(connection, "ann")
    assert request.ended()
    assert request.outcome is None
    assert verifier.console_session(session.token) is None


def test_what_ended_is_deleted_by_whoever_comes_first(make_bench: Any, postgresql: Any) -> None:
    """Of PostgreSQL, where two can be at it: nobody waits for what another one deletes."""
    with postgresql.database() as url:
        bench = make_bench(url=url, sealing_key=KEY)
        with bench.verifier as verifier:
            for user in ("ann", "ben"):
                verifier.create_user(user)
            for begin in (
                verifier.begin_registration,
                lambda u: verifier.begin_console_session(u, {}),
            ):
                begin("ann")
                bench.wait(86_400)
                with writing(bench) as connection:
                    for table in (store.ceremonies, store.console_sessions):
                        connection.execute(sa.select(table).with_for_update())
                    request = InThread(lambda begin=begin: begin("ben"))
                    assert request.ended()
                    assert not isinstance(request.outcome, VerifierError)
            bench.wait(86_400)
            verifier.begin_registration("ben")
            verifier.begin_console_session("ben", {})
            with writing(bench) as connection:
                for table in (store.ceremonies, store.console_sessions):
                    assert len(connection.execute(sa.select(table)).all()) == 1
