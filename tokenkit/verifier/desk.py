"""What all requests have in common: the transaction, the log, who and what there is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from tokenkit.verifier import records
from tokenkit.verifier.drift import LearnedClock, likely, limits_of, predict
from tokenkit.verifier.errors import LimitExceeded, NoSuchEntity, VerifierError
from tokenkit.verifier.model import Device, DeviceKind
from tokenkit.verifier.names import check_serial_number, check_user_name
from tokenkit.verifier.policy import MAX_DEVICES, AccountPolicy, TotpPolicy, WebAuthnPolicy
from tokenkit.verifier.seal import Sealer
from tokenkit.verifier.store import Store
from tokenkit.verifier.throttle import is_locked


@dataclass
class Request:
    """A request under way: its transaction, and what its line in the log will say."""

    connection: Connection
    now_s: float
    event: str
    user: str | None
    serial_number: str | None
    detail: dict[str, Any] = field(default_factory=dict)

    def demand_user(self, user: str) -> Row[Any]:
        """The user's row, locked; NoSuchEntity."""
        row = records.lock_user(self.connection, user)
        if row is None:
            raise no_such_user(user)
        return row

    def demand_device(self, user: str, serial_number: str) -> Row[Any]:
        """A device of ``user``, locked; NoSuchEntity if it is not this user's."""
        self.demand_user(user)
        row = records.lock_device(self.connection, serial_number)
        if row is None or row.user != user:
            raise no_such_device(serial_number)
        return row

    def demand_room(self, user: str) -> int:
        """How many devices ``user``, who exists, holds; LimitExceeded if there may be no more."""
        held = len(records.enabled_devices(self.connection, user))
        if held >= MAX_DEVICES:
            raise LimitExceeded(
                f"Cannot exceed quota for MFADevicesPerUser: {MAX_DEVICES}.",
                f"Deactivate a device of {user} first.",
            )
        return held


class Desk:
    """Where requests come in. The parts of :class:`~tokenkit.verifier.Verifier` stand on it."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        sealer: Sealer,
        totp: TotpPolicy,
        webauthn: WebAuthnPolicy,
        account: AccountPolicy,
    ) -> None:
        self.totp = totp
        self.webauthn = webauthn
        self.account = account
        self._store = store
        self._now = now
        self._random_bytes = random_bytes
        self._sealer = sealer

    @property
    def concurrency(self) -> int:
        """How many requests at once are worth a thread each."""
        return self._store.concurrency

    @contextmanager
    def _request(
        self, event: str, user: str | None = None, serial_number: str | None = None
    ) -> Iterator[Request]:
        """One transaction and its line in the log.

        A refusal commits, too, for the sake of the line and the counter of wrong codes: requests
        therefore change anything else only after the last check. ValidationError, and no line,
        for a user name or serial number that nobody can have.
        """
        if user is not None:
            check_user_name(user)
        if serial_number is not None:
            check_serial_number(serial_number)
        refusal = None
        with self._store.transaction() as connection:
            request = Request(connection, self._now(), event, user, serial_number)
            try:
                yield request
            except VerifierError as error:
                refusal = error
                request.event += "-refused"
                request.detail = {"error": type(error).__name__}
            records.insert_audit(
                connection,
                request.now_s,
                request.event,
                request.user,
                request.serial_number,
                request.detail,
            )
        if refusal is not None:
            raise refusal

    def _device(self, row: Row[Any]) -> Device:
        return Device(
            serial_number=row.serial_number,
            kind=DeviceKind(row.kind),
            name=row.name,
            user=row.user,
            enabled_s=row.enabled_s,
            last_used_s=row.last_used_s,
            algorithm=row.algorithm,
            digits=row.digits,
            period_s=row.period_s,
            offset_steps=row.offset_steps,
            failures=row.failures,
            locked=is_locked(self.totp, row.failures),
            sign_count=row.sign_count,
            clone_suspected=row.clone_suspected,
            # credential data begins with it: WebAuthn section 6.5.2
            aaguid=str(UUID(bytes=row.credential[:16])) if row.credential else "",
            attestation_format=row.attestation_format or "",
            **self._clock(row),
        )

    def _clock(self, row: Row[Any]) -> dict[str, Any]:
        """What a device's members of these names say of its clock."""
        learned = records.learned_clock(row)
        if learned is None:
            return {}
        now_s = self._now()
        now = predict(learned, now_s)
        return {
            "predicted_offset_s": now.offset_s,
            "uncertainty_s": now.uncertainty_s,
            "rate_ppm": now.rate_ppm,
            "window_s": self._window_s(row, learned, now_s),
        }

    def _window_s(self, row: Row[Any], learned: LearnedClock, at_s: float) -> tuple[float, float]:
        """Within which offsets a device's code is accepted at ``at_s``."""
        if self.totp.drift == "rate":
            return likely(learned, limits_of(self.totp, row.period_s), at_s)
        first, last = (row.offset_steps + n * self.totp.window_steps for n in (-1, 1))
        return float(first * row.period_s), float(last * row.period_s)

    def _device_now(self, request: Request, serial_number: str) -> Device:
        """A device as it is after the request's changes."""
        row = records.find_device(request.connection, serial_number)
        assert row is not None
        return self._device(row)


def no_such_user(user: str) -> NoSuchEntity:
    return NoSuchEntity(f"The user with name {user} cannot be found.")


def no_such_device(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"MFA Device with serial number {serial_number} does not exist.")
