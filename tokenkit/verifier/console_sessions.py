"""Sessions of the console, kept by the verifier: a browser has but a random number."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from tokenkit.verifier import records
from tokenkit.verifier.desk import Desk, Request
from tokenkit.verifier.errors import AccessDenied
from tokenkit.verifier.store import console_sessions

IDLE_S = 30 * 60.0
ABSOLUTE_S = 12 * 3600.0  # as AWS's console has it
# how far a session goes: the password was right, and a device must be shown; nothing but to assign
# an MFA device, which is demanded; all that the user may
PASSWORD, ENROL, SIGNED_IN = "password", "enrol", "signed-in"
_TOKEN_BYTES = 32
_SEEN_STEP_S = 60.0  # a page more within this time writes nothing


@dataclass(frozen=True)
class ConsoleSession:
    """Who is at the console; ``token`` is in the cookie, ``state`` the console's own (JSON).

    ``stage`` is PASSWORD, ENROL or SIGNED_IN.
    """

    token: str = field(repr=False)
    user: str
    stage: str
    state: Mapping[str, Any]


class ConsoleSessions(Desk):
    """The part of a verifier that knows who is at the console."""

    def begin_console_session(
        self,
        user: str,
        state: Mapping[str, Any],
        *,
        mfa: bool = False,
        after: str | None = None,
    ) -> ConsoleSession:
        """A new session under a new token: half an hour idle ends it, 12 hours in any case.

        Without ``mfa`` it goes as far as a password alone does with the devices that there are.
        ``after`` is the token of the session in whose place it comes. NoSuchEntity; AccessDenied
        if that one has been ended.
        """
        token = base64.urlsafe_b64encode(self._random_bytes(_TOKEN_BYTES)).decode().rstrip("=")
        with self._request("begin-session", user) as request:
            request.demand_user(user)  # and nobody gives the user a device meanwhile
            now_s = request.now_s
            if after is not None:
                demand_session(request.connection, user, after)
                _delete(request.connection, after)
            stage = SIGNED_IN if mfa else self._stage_of(request, user)
            records.delete_expired(request.connection, console_sessions, now_s)
            kept = {"begun_s": now_s, "seen_s": now_s, "stage": stage, "console": dict(state)}
            row = {
                "id_hash": _hash(token),
                "user": user,
                "state": kept,
                "expires_s": now_s + IDLE_S,
            }
            request.connection.execute(insert(console_sessions), row)
        return ConsoleSession(token, user, stage, dict(state))

    def _stage_of(self, request: Request, user: str) -> str:
        """How far a password alone leads."""
        if records.enabled_devices(request.connection, user):
            return PASSWORD
        return ENROL if self.account.requires_mfa(user) else SIGNED_IN

    def console_session(self, token: str, *, prolong: bool = True) -> ConsoleSession | None:
        """The session of a token; None if there is none, or it ended. It is used by that, unless
        ``prolong`` is False.
        """
        with self._store.reading() as connection:
            row = connection.execute(_row(token)).one_or_none()
        now_s = self._now()
        if row is None or not row.state["begun_s"] <= now_s < row.expires_s:
            return None
        if prolong and now_s - row.state["seen_s"] >= _SEEN_STEP_S:
            self._prolong(token, now_s)
        return ConsoleSession(token, row.user, row.state["stage"], row.state["console"])

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


def end_sessions_of(connection: Connection, user: str, *, but: str | None = None) -> None:
    """All sessions of ``user``, but for that of the token ``but``."""
    table = console_sessions
    query = delete(table).where(table.c.user == user)
    if but is not None:
        query = query.where(table.c.id_hash != _hash(but))
    connection.execute(query)


def lock_sessions_of(connection: Connection, user: str) -> None:
    """Wait for whoever deletes those that expired. The user's row is locked."""
    query = select(console_sessions.c.id_hash).where(console_sessions.c.user == user)
    connection.execute(query.with_for_update()).all()


def demand_session(connection: Connection, user: str, token: str) -> None:
    """AccessDenied if a session of ``user``'s was ended since its request came.

    The user's row is locked, so that it is not ended any more before the request is done.
    """
    row = _find(connection, token)
    if row is None or row.user != user:
        raise AccessDenied("You are not signed in any more.", "Sign in anew.")


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
