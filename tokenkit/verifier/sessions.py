"""Temporary credentials, as STS gives them: all that is known of one is sealed in its token."""

import base64
import binascii
from dataclasses import dataclass, field

import msgspec

from tokenkit.verifier.desk import Desk
from tokenkit.verifier.errors import SealingKeyError
from tokenkit.verifier.model import Role, User

TEMPORARY = "ASIA"  # how the ids of temporary credentials begin
_SECRET_BYTES = 30
_MOST_TOKEN = 16_384  # several times what the longest session policy makes of it


class Session(msgspec.Struct, frozen=True):
    """Who holds temporary credentials: a user, or whoever assumed a role as ``name``.

    ``holder`` is the unique id of the user or role: one of the same name that is made later is
    another. Times in seconds by the verifier; ``mfa_s`` is that of the code that was given, None
    without. ``policy`` is a session policy, which only takes away.
    """

    secret: str
    holder: str
    issued_s: float
    expires_s: float
    mfa_s: float | None
    user: str | None = None
    role: str | None = None
    name: str = ""
    policy: str | None = None


@dataclass(frozen=True)
class TemporaryCredentials:
    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires_s: float


class Sessions(Desk):
    """The part of a verifier that knows temporary credentials. Nothing of them is stored."""

    def issue_session(
        self,
        holder: User | Role,
        duration_s: float,
        mfa_s: float | None,
        *,
        name: str = "",
        policy: str | None = None,
    ) -> TemporaryCredentials:
        """For a user, or a role assumed under ``name``; nobody is asked for anything.

        The log has a line of it, but where a code was given for a user: that is a sign-in's.
        """
        now_s = self._now()
        user, role = (holder.name, None) if isinstance(holder, User) else (None, holder.name)
        key_id = TEMPORARY + base64.b32encode(self._random_bytes(10)).decode()
        secret = base64.b64encode(self._random_bytes(_SECRET_BYTES)).decode()
        expires_s = now_s + duration_s
        session = Session(secret, holder.id, now_s, expires_s, mfa_s, user, role, name, policy)
        sealed = self._sealer.seal(msgspec.msgpack.encode(session), f"session {key_id}")
        if user is None or mfa_s is None:
            with self._request("issue-session", user) as request:
                request.detail |= {"access_key": key_id, "mfa": mfa_s is not None}
                if role is not None:
                    request.detail |= {"role": role, "session": name}
        return TemporaryCredentials(key_id, secret, base64.b64encode(sealed).decode(), expires_s)

    def open_session(self, key_id: str, token: str) -> Session | None:
        """What was sealed in ``token``, also if it expired; None if it is none of this verifier."""
        try:
            if len(token) > _MOST_TOKEN:
                return None
            sealed = base64.b64decode(token, validate=True)
            return msgspec.msgpack.decode(
                self._sealer.open(sealed, f"session {key_id}"), type=Session
            )
        except (binascii.Error, ValueError, SealingKeyError, msgspec.MsgspecError):
            return None
