"""The log as a whole: exported and verified, in constant memory however long it is."""

from collections.abc import Iterator

from tokenkit.verifier import records
from tokenkit.verifier.chain import Chain, LogLine, verify_chain
from tokenkit.verifier.desk import Desk
from tokenkit.verifier.errors import BrokenChain
from tokenkit.verifier.store import Store

_AT_ONCE = 1000  # lines


class AuditLog(Desk):
    """The part of a verifier that hands out its log, and checks it."""

    def export_audit(self) -> Iterator[str]:
        """The log as JSON Lines with their ends, oldest first; see :mod:`tokenkit.verifier.chain`.

        It ends with the line that was the last when the first was read. No transaction is open
        between two lines.
        """
        return (line.to_json() + "\n" for line in read_log(self._store))

    def note_clock(self, by_s: float) -> None:
        """Write that the clock was moved by ``by_s``: a service goes on where its log ends."""
        with self._request("clock") as request:
            request.detail["by_s"] = round(by_s, 3)

    def latest_s(self) -> float | None:
        """The latest time in the log, before which time must not go on; None if it is empty."""
        with self._store.reading() as connection:
            return records.latest_audit_s(connection)

    def verify_audit(self, noted: bytes | None = None) -> Chain:
        """Check every line; ``noted`` is the hash that was the last once. BrokenChain."""
        return verify_log(self._store, noted)


def read_log(store: Store) -> Iterator[LogLine]:
    """The lines of a database's log, a part at a time."""
    with store.reading() as connection:
        until, _ = records.audit_end(connection)
    return _lines(store, until)


def verify_log(store: Store, noted: bytes | None = None) -> Chain:
    """Check every line of a database's log, and that it ends where its head says. BrokenChain."""
    with store.snapshot() as connection:
        until, head = records.audit_end(connection)
    found = verify_chain(_lines(store, until), noted)
    if head is None or (head.lines, head.hash) != (found.lines, found.head):
        said = "nothing" if head is None else f"{head.lines} lines"
        raise BrokenChain(found.lines + 1, f"it is the end, but the log's head tells of {said}")
    return found


def _lines(store: Store, until: int) -> Iterator[LogLine]:
    number = last = 0
    while last < until:
        with store.reading() as connection:
            rows = records.audit_part(connection, last, until, _AT_ONCE)
        if not rows:
            return
        for row in rows:
            number += 1
            last = row.id
            yield LogLine(
                number,
                row.at_s,
                row.event,
                row.user,
                row.serial_number,
                row.detail,
                row.hash.hex(),
            )
