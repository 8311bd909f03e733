"""The audit log, a page at a time."""

from dataclasses import dataclass

from tokenkit.verifier import records
from tokenkit.verifier.desk import Desk
from tokenkit.verifier.errors import ValidationError
from tokenkit.verifier.model import AuditEvent
from tokenkit.verifier.names import check_event, check_serial_number, check_user_name

MOST_LINES = 1000
_LAST_ID = 2**63 - 1  # that a database can tell


@dataclass(frozen=True)
class AuditPage:
    """Lines of the log, newest first; ``older`` is where the next page begins, if there is one."""

    lines: tuple[AuditEvent, ...]
    older: int | None = None


class AuditPages(Desk):
    """The part of a verifier that shows its log."""

    def audit_page(
        self,
        *,
        user: str | None = None,
        serial_number: str | None = None,
        event: str | None = None,
        refused: bool | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """The newest ``limit`` lines, or those before where another page ended.

        ``event`` is an event without ``-refused``; with ``refused`` only refusals are told, or
        none. Nobody is looked up: of an unknown name there are no lines. ValidationError.
        """
        if user is not None:
            check_user_name(user)
        if serial_number is not None:
            check_serial_number(serial_number)
        if event is not None:
            check_event(event)
        if before is not None and not (isinstance(before, int) and 1 <= before <= _LAST_ID):
            raise ValidationError(f"before is where another page ended, not {before!r}")
        if not 1 <= limit <= MOST_LINES:
            raise ValidationError(f"limit is from 1 to {MOST_LINES}, not {limit}")
        with self._store.reading() as connection:
            rows = records.audit_page(
                connection, user, serial_number, event, refused, before, limit + 1
            )
        lines = tuple(
            AuditEvent(row.at_s, row.event, row.user, row.serial_number, row.detail)
            for row in rows[:limit]
        )
        return AuditPage(lines, rows[limit - 1].id if len(rows) > limit else None)
