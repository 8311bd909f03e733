"""Sessions of the console, kept by the verifier: a browser has but a random number."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from tokenkit.verifier import records
from tokenkit.verifier.desk import Desk
from tokenkit.verifier.store import console_sessions

IDLE_S = 30 * 60.0
ABSOLUTE_S = 12 * 3600.0  # as AWS's console has it
_TOKEN_BYTES = 32
_SEEN_STEP_S = 60.0  # a page more within this time writes nothing


@dataclass(frozen=True)
class ConsoleSession:
    """Who is at the console; ``token`` is in the cookie, ``state`` the console's own (JSON)."""

    token: str = field(repr=False)
    user: str
    state: Mapping[str, Any]


class ConsoleSessions(Desk):
    """The part of a verifier that knows who is at the console."""

    def begin_console_session(self, user: str, state: Mapping[str, Any]) -> ConsoleSession:
        """A new session under a new token: half an hour idle ends it, 12 hours in any case.

        NoSuchEntity.
        """
        token = base64.urlsafe_b64encode(self._random_bytes(_TOKEN_BYTES)).decode().rstrip("=")
        with self._request("begin-session", user) as request:
            request.demand_user(user)
            now_s = request.now_s
            records.delete_expired(request.connection, console_sessions, now_s)
            row = {
                "id_hash": _hash(token),
                "user": user,
                "state": {"begun_s": now_s, "seen_s": now_s, "console": dict(state)},
                "expires_s": now_s + IDLE_S,
            }
            request.connection.execute(insert(console_sessions), row)
        return ConsoleSession(token, user, dict(state))

    def console_session(self, token: str) -> ConsoleSession | None:
        """The session of a token, which is thereby used; None if there is none, or it ended."""
        with self._store.reading() as connection:
            row = connection.execute(_row(token)).one_or_none()
        now_s = self._now()
        if row is None or not row.state["begun_s"] <= now_s < row.expires_s:
            return None
        if now_s - row.state["seen_s"] >= _SEEN_STEP_S:
            self._prolong(token, now_s)
        return ConsoleSession(token, row.user, row.state["console"])

    def _prolong(self, token: str, now_s: float) -> None:
        with self._store.transaction() as connection:
            row = _find(connection, token)
            if row is not None:
                expires_s = min(now_s + IDLE_S, row.state["begun_s"] + ABSOLUTE_S)
                state = {**row.state, "seen_s": now_s}
                _update(connection, token, state=state, expires_s=expires_s)

    def put_console_state(self, token: str, state: Mapping[str, Any]) -> None:
        """Keep another ``state``; nothing if the session ended meanwhile."""
        with self._store.transaction() as connection:
            row = _find(connection, token)
            if row is not None:
                _update(connection, token, state={**row.state, "console": dict(state)})

    def end_console_session(self, token: str) -> None:
        """The token is of no use from then on."""
        with self._store.transaction() as connection:
            _delete(connection, token)

    def end_console_sessions(self, user: str) -> None:
        """Sign ``user`` out everywhere. ValidationError."""
        with self._request("end-sessions", user) as request:
            records.lock_user(request.connection, user)  # before what the user has
            end_sessions_of(request.connection, user)


def end_sessions_of(connection: Connection, user: str) -> None:
    connection.execute(delete(console_sessions).where(console_sessions.c.user == user))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _row(token: str) -> Select[Any]:
    return select(console_sessions).where(console_sessions.c.id_hash == _hash(token))


def _find(connection: Connection, token: str) -> Row[Any] | None:
    return connection.execute(_row(token).with_for_update()).one_or_none()


def _update(connection: Connection, token: str, **values: object) -> None:
    table = console_sessions
    connection.execute(update(table).where(table.c.id_hash == _hash(token)).values(**values))


def _delete(connection: Connection, token: str) -> None:
    table = console_sessions
    connection.execute(delete(table).where(table.c.id_hash == _hash(token)))
