"""CTAP status codes (CTAP 2.1 §8.2) as sentences that say what to do."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fido2.ctap import STATUS, CtapError

from tokenkit.keys.errors import DeniedError, talking_to
from tokenkit.keys.opened import OpenKey

Tell = Callable[[str], None]

_UNKNOWN = "does not know this command"
# {key} is the selector, ready for a shell
_MENDS = {
    "ACTION_TIMEOUT": "nobody touched it in time: try again, and touch it when it blinks",
    "FP_DATABASE_FULL": "has no room for another fingerprint; see: tokenkit keys bio list {key}",
    "INTEGRITY_FAILURE": "received something else than was sent: try again",
    "INVALID_COMMAND": _UNKNOWN,
    "INVALID_SUBCOMMAND": _UNKNOWN,
    "KEEPALIVE_CANCEL": "was told to stop",
    "KEY_STORE_FULL": "is full; see: tokenkit keys creds list {key}",
    "LARGE_BLOB_STORAGE_FULL": "has no room for that; see: tokenkit keys blobs list {key}",
    "NOT_ALLOWED": "does not allow this now",
    "NO_CREDENTIALS": "holds no such credential any more",
    "OPERATION_DENIED": "said no: its user refused, or it does not allow this",
    "PIN_AUTH_BLOCKED": "takes no PIN until it has been unplugged and plugged in again",
    "PIN_AUTH_INVALID": "does not accept the authorisation by its PIN (any more): try again",
    "PIN_BLOCKED": (
        "takes no PIN any more; a reset mends that, and erases everything:"
        " tokenkit keys reset {key}"
    ),
    "PIN_NOT_SET": "has no PIN; give it one: tokenkit keys pin set {key}",
    "PIN_POLICY_VIOLATION": "does not take this PIN: it wants a longer or a less simple one",
    "PUAT_REQUIRED": "demands its PIN; if it has none: tokenkit keys pin set {key}",
    "UNAUTHORIZED_PERMISSION": "grants no such permission to its PIN",
    "UNSUPPORTED_OPTION": _UNKNOWN,
    "UV_BLOCKED": "reads no finger until its PIN was entered: tokenkit keys pin verify {key}",
}
_MENDS["USER_ACTION_TIMEOUT"] = _MENDS["ACTION_TIMEOUT"]
_MENDS["PIN_TOKEN_EXPIRED"] = _MENDS["PIN_AUTH_INVALID"]


@contextmanager
def asking(key: OpenKey, **mends: str) -> Iterator[None]:
    """Turn a status that says no into a :class:`DeniedError`; else as :func:`talking_to`.

    ``mends`` are sentences, by the name of a status, that fit better than the usual ones; they
    go on after the key's name.
    """
    with talking_to(key.selector):
        try:
            yield
        except CtapError as error:
            raise denied(key, error.code.name, **mends) from error


def denied(key: OpenKey, status: str, **mends: str) -> DeniedError:
    """What ``key`` means by ``status``, a name such as PIN_NOT_SET."""
    mend = {**_MENDS, **mends}.get(status, f"answered {status}")
    return DeniedError(f"{key}: {mend.replace('{key}', shlex.quote(key.selector))}", status)


def command(key: OpenKey, words: str) -> str:
    """The command line ``tokenkit keys words`` for this key."""
    return f"tokenkit keys {words} {shlex.quote(key.selector)}"


def on_touch(tell: Tell, text: str = "touch the key now") -> Callable[[int], None]:
    """For python-fido2's ``on_keepalive``: ``tell`` is told ``text`` once the key blinks."""
    told = False

    def on_keepalive(status: int) -> None:
        nonlocal told
        if status == STATUS.UPNEEDED and not told:
            told = True
            tell(text)

    return on_keepalive


def silent(text: str) -> None:
    """A :data:`Tell` for those who need not be told."""
