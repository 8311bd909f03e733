"""The verifier: accounts in the shape of AWS IAM's MFA devices, and the rules applied to them."""

import os
import time
from collections.abc import Callable

from tokenkit.verifier.access_keys import AccessKeys
from tokenkit.verifier.accounts import Accounts
from tokenkit.verifier.audit_log import AuditLog
from tokenkit.verifier.audit_pages import AuditPages
from tokenkit.verifier.code_devices import CodeDevices
from tokenkit.verifier.console_sessions import ConsoleSessions
from tokenkit.verifier.errors import SealingKeyError, VerifierError
from tokenkit.verifier.findings import Finding, find
from tokenkit.verifier.names import ACCOUNT_ID, ROOT
from tokenkit.verifier.passwords import Passwords
from tokenkit.verifier.permissions import Permissions
from tokenkit.verifier.policy import AccountPolicy, TotpPolicy, WebAuthnPolicy
from tokenkit.verifier.seal import KEY_BYTES, Sealer
from tokenkit.verifier.security_keys import SecurityKeys
from tokenkit.verifier.sessions import Sessions
from tokenkit.verifier.store import Store, is_in_memory, parse_url
from tokenkit.verifier.tags import Tags
from tokenkit.verifier.webauthn import RelyingParty

_SEAL_CHECK = b"tokenkit"


class Verifier(
    Accounts,
    CodeDevices,
    SecurityKeys,
    Tags,
    AccessKeys,
    Passwords,
    Permissions,
    Sessions,
    AuditLog,
    AuditPages,
    ConsoleSessions,
):
    """Users, their MFA devices, and what they may sign in with.

    ``url`` is SQLAlchemy's: ``sqlite://`` in memory (the default), ``sqlite:///FILE``, or
    ``postgresql+psycopg://…``. ``now`` gives the verifier's time in seconds since the Unix epoch,
    ``random_bytes`` its secrets and challenges. Seeds are stored under ``sealing_key``, 32 bytes,
    without which a database that outlives the process is not opened. The user "root" always
    exists.

    Every request is one transaction and one line of the audit log. Refusals are
    :class:`~tokenkit.verifier.VerifierError`; they change nothing but the counter of wrong codes.
    Threads may share a verifier, processes a database. A context manager: closes the database.
    """

    def __init__(
        self,
        url: str = "sqlite://",
        *,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = os.urandom,
        sealing_key: bytes | None = None,
        totp: TotpPolicy | None = None,
        webauthn: WebAuthnPolicy | None = None,
        account: AccountPolicy | None = None,
    ) -> None:
        parsed = parse_url(url)
        if sealing_key is None:
            if not is_in_memory(parsed):
                raise SealingKeyError(
                    "a database that stays needs a sealing_key for its seeds: 32 random bytes,"
                    " kept elsewhere"
                )
            sealing_key = random_bytes(KEY_BYTES)
        sealer = Sealer(sealing_key, random_bytes)
        webauthn = webauthn or WebAuthnPolicy()
        self._relying_party = RelyingParty(webauthn, now)
        store = Store(parsed)
        totp, account = totp or TotpPolicy(), account or AccountPolicy()
        super().__init__(store, now, random_bytes, sealer, totp, webauthn, account)
        try:
            root = {
                "name": ROOT,
                "handle": random_bytes(32),
                "id": ACCOUNT_ID,
                "path": "/",
                "created_s": now(),
            }
            sealer.open(store.initialise(sealer.seal(_SEAL_CHECK, "seeds"), root), "seeds")
        except VerifierError:
            store.close()
            raise

    def __enter__(self) -> "Verifier":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def findings(self) -> list[Finding]:
        """What is amiss with users and their devices now, and how to mend it."""
        return find(self.users(), self.devices(), self.account, self.webauthn, self._now())

    def snapshot(self) -> bytes:
        """What a snapshot of the machine holds of a database in memory."""
        return self._store.image()

    def restore_snapshot(self, snapshot: bytes) -> None:
        """Forget all that came since, used codes, too: it is no restore of a backup."""
        self._store.put_back(snapshot)

    def close(self) -> None:
        """Close the database; one in memory is gone."""
        self._store.close()
