"""Who waits for whom in the database: readers for nobody, and nobody in a circle."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tokenkit.verifier import VerifierError, identity_records, records, store

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
