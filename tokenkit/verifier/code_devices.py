"""Devices that show codes: hardware tokens and authenticator apps."""

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.app import (
    ALGORITHM,
    DIGITS,
    PERIOD_S,
    SEED_BYTES,
    AuthenticatorApp,
    authenticator_app,
)
from tokenkit.verifier.console_sessions import (
    demand_session,
    end_sessions_of,
    lock_sessions_of,
)
from tokenkit.verifier.desk import Desk, Request, no_such_device
from tokenkit.verifier.drift import LearnedClock, Limits, expected, learn, limits_of, prove, window
from tokenkit.verifier.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    Locked,
    MalformedCode,
    NoSuchEntity,
    Replayed,
    Throttled,
    VerifierError,
)
from tokenkit.verifier.model import Device, DeviceKind, SignIn
from tokenkit.verifier.names import (
    app_serial_number,
    check_app_name,
    check_device_name,
    check_path,
    check_serial_number,
)
from tokenkit.verifier.resync import resynchronise
from tokenkit.verifier.seed_file import Seed, read_seed_file
from tokenkit.verifier.tags import check_tags
from tokenkit.verifier.throttle import is_locked, wait_s
from tokenkit.verifier.totp import CodeGenerator, TotpState, step, verify, verify_in

# a rule: the new state, or InvalidAuthenticationCode
_Rule = Callable[[CodeGenerator, TotpState], TotpState]
# learn or prove: what is known of a clock after a code for a counter came at a time
_Learn = Callable[[Any, Limits, int, float], LearnedClock]


class CodeDevices(Desk):
    """The part of a verifier that knows codes."""

    def import_seeds(
        self,
        path: str | Path,
        *,
        pre_shared_key: bytes | None = None,
        password: str | None = None,
        skip_faulty: bool = False,
    ) -> list[str]:
        """Make the hardware tokens of a seed file known, all or none; their serial numbers.

        PSKC (RFC 6030; encrypted with ``pre_shared_key`` or ``password``, or clear) or CSV: see
        :func:`tokenkit.verifier.seed_file.read_seed_file`. With ``skip_faulty``, all that are
        usable. SeedFileError, EntityAlreadyExists.
        """
        return self.add_tokens(
            read_seed_file(path, pre_shared_key, password, skip_faulty=skip_faulty)
        )

    def add_tokens(self, seeds: list[Seed]) -> list[str]:
        """The same for seeds that were read already. EntityAlreadyExists."""
        serial_numbers = [seed.serial_number for seed in seeds]
        with self._request("import-seeds") as request:
            request.detail["count"] = len(seeds)
            records.lock_names(request.connection)
            known = records.known_serial_numbers(request.connection, serial_numbers)
            if known:
                more = f" and {len(known) - 1} more" if known[1:] else ""
                raise EntityAlreadyExists(
                    "MFA device already exists.",
                    f"Nothing was imported: {known[0]}{more} known already.",
                )
            self._insert(request, DeviceKind.HARDWARE_TOKEN, seeds)
        return serial_numbers

    def known_serial_numbers(self, serial_numbers: Iterable[str]) -> list[str]:
        """Those of ``serial_numbers`` that a device has already, in alphabetical order."""
        with self._store.reading() as connection:
            return records.known_serial_numbers(connection, serial_numbers)

    def create_authenticator_app(
        self, name: str, *, path: str = "/", tags: Mapping[str, str] | None = None
    ) -> AuthenticatorApp:
        """Make a seed and the QR code that brings it to a phone: IAM's CreateVirtualMFADevice.

        EntityAlreadyExists, LimitExceeded, InvalidInput, ValidationError.
        """
        check_app_name(name)
        check_path(path)
        serial_number = app_serial_number(name, path)
        secret = self._random_bytes(SEED_BYTES)
        with self._request("create-authenticator-app", None, serial_number) as request:
            records.lock_names(request.connection)
            if records.known_serial_numbers(request.connection, [serial_number]):
                raise EntityAlreadyExists("MFA device already exists.")
            seed = Seed(serial_number, secret, ALGORITHM, DIGITS, PERIOD_S)
            check_tags(tags or {}, {})
            self._insert(request, DeviceKind.AUTHENTICATOR_APP, [seed])
            identity_records.put_tags(request.connection, serial_number, tags or {})
        return authenticator_app(name, secret, path)

    def offer_authenticator_app(self, name: str) -> AuthenticatorApp:
        """The same, but nothing is stored before :meth:`enable_app`, and no name is taken.

        EntityAlreadyExists, ValidationError.
        """
        check_app_name(name)
        serial_number = app_serial_number(name)
        with self._store.reading() as connection:
            if records.known_serial_numbers(connection, [serial_number]):
                raise EntityAlreadyExists("MFA device already exists.")
        return authenticator_app(name, self._random_bytes(SEED_BYTES))

    def enable_app(
        self,
        user: str,
        app: AuthenticatorApp,
        code1: str,
        code2: str,
        *,
        name: str,
        session: str | None = None,
    ) -> Device:
        """Store an app that was offered, and enable it: both, or neither.

        What :meth:`enable` refuses; EntityAlreadyExists if its name was taken meanwhile. Wrong
        codes are not counted: who gives them has been shown the seed.
        """
        check_device_name(name)
        seed = Seed(app.serial_number, base64.b32decode(app.secret), ALGORITHM, DIGITS, PERIOD_S)
        with self._request("enable", user, app.serial_number) as request:
            request.demand_user(user)
            lock_sessions_of(request.connection, user)
            records.lock_names(request.connection)  # and wait for no row after that
            if records.known_serial_numbers(request.connection, [app.serial_number]):
                raise EntityAlreadyExists("MFA device already exists.")
            with request.connection.begin_nested():  # a refusal leaves nothing of it
                self._insert(request, DeviceKind.AUTHENTICATOR_APP, [seed])
                row = records.find_device(request.connection, app.serial_number)
                assert row is not None
                return self._enable(request, row, user, code1, code2, name, session)

    def delete_authenticator_app(self, serial_number: str) -> None:
        """Forget an app that nobody holds: IAM's DeleteVirtualMFADevice.

        NoSuchEntity; DeleteConflict while it is enabled.
        """
        with self._request("delete-authenticator-app", None, serial_number) as request:
            row = records.lock_device(request.connection, serial_number)
            if row is None or row.kind != DeviceKind.AUTHENTICATOR_APP:
                raise no_such_device(serial_number)
            if row.user is not None:
                raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
            records.delete_device(request.connection, serial_number)
            identity_records.delete_tags(request.connection, serial_number)

    def enable(
        self,
        user: str,
        serial_number: str,
        code1: str,
        code2: str,
        *,
        name: str = "",
        session: str | None = None,
    ) -> Device:
        """Give a token or app to a user, proved by two consecutive codes.

        The device's clock may be off by ``TotpPolicy.enrol_range_s``; its offset is learned from
        the codes. A first device ends the user's sessions at the console, which a password began,
        but for the one that asks: ``session`` is its token. Refused in this order: NoSuchEntity,
        EntityAlreadyExists (it is somebody's), LimitExceeded, AccessDenied (that session was
        ended), Locked or Throttled, InvalidAuthenticationCode.
        """
        if name != "":
            check_device_name(name)
        with self._request("enable", user, serial_number) as request:
            request.demand_user(user)
            row = records.lock_device(request.connection, serial_number)
            if row is None:
                request.serial_number = None  # people type other things there, too
                raise no_such_device(serial_number)
            if row.user is not None:
                raise EntityAlreadyExists("MFA Device is already in use.")
            return self._enable(request, row, user, code1, code2, name, session)

    def _enable(
        self,
        request: Request,
        row: Row[Any],
        user: str,
        code1: str,
        code2: str,
        name: str,
        session: str | None,
    ) -> Device:
        connection = request.connection
        held = request.demand_room(user)
        if session is not None:
            demand_session(connection, user, session)
        self._prove(request, row, code1, code2, self.totp.enrol_range_s)
        records.update_device(
            connection, row.serial_number, user=user, name=name, enabled_s=request.now_s
        )
        if not held:
            end_sessions_of(connection, user, but=session)
        return self._device_now(request, row.serial_number)

    def resync(self, user: str, serial_number: str, code1: str, code2: str) -> Device:
        """Learn a device's offset anew from two consecutive codes: RFC 4226 section 7.4.

        NoSuchEntity, Locked, Throttled, InvalidAuthenticationCode.
        """
        with self._request("resync", user, serial_number) as request:
            row = _demand_code_device(request, user, serial_number)
            self._prove(request, row, code1, code2, self.totp.resync_range_s)
            return self._device_now(request, serial_number)

    def sign_in(self, user: str, code: str, *, serial_number: str | None = None) -> SignIn:
        """Check one code of a user's token or app, and learn its offset: RFC 6238 section 6.

        Without a ``serial_number`` the code may be any device's of the user's: a wrong one counts
        against all of them, and a right one is used up at all that show it and clears the wrong
        ones of all that are not locked. NoSuchEntity, Locked, Throttled,
        InvalidAuthenticationCode.
        """
        with self._request("sign-in", user, serial_number) as request:
            if serial_number is not None:
                rows = [_demand_code_device(request, user, serial_number)]
            else:
                request.demand_user(user)
                held = records.lock_enabled_devices(request.connection, user)
                rows = [row for row in held if row.seed is not None]
                if not rows:
                    raise NoSuchEntity(f"{user} has no token or app.", "Enable one first.")
            serial_number, clock = self._check_any(request, rows, code)
            device = self._device_now(request, serial_number)
            request.serial_number = serial_number
            request.detail["offset_steps"] = device.offset_steps
            request.detail["offset_s"] = round(clock.offset_s, 3)
            request.detail["rate_ppm"] = round(clock.rate_ppm, 3)
            return SignIn(user, device, request.now_s)

    def windows(self, serial_number: str, times_s: Iterable[float]) -> list[tuple[float, float]]:
        """``Device.window_s`` at other times, after the last code and with none since.

        Empty if no code told anything yet. NoSuchEntity, ValidationError.
        """
        check_serial_number(serial_number)
        with self._store.reading() as connection:
            row = records.find_device(connection, serial_number)
            if row is None or row.seed is None:
                raise no_such_device(serial_number)
            learned = records.learned_clock(row)
            if learned is None:
                return []
            return [self._window_s(row, learned, at_s) for at_s in times_s]

    def unlock(self, serial_number: str) -> int:
        """Forget a device's wrong codes, after somebody has asked whose they were; how many.

        NoSuchEntity.
        """
        with self._request("unlock", None, serial_number) as request:
            row = records.lock_device(request.connection, serial_number)
            if row is None or row.seed is None:
                raise no_such_device(serial_number)
            records.update_device(request.connection, serial_number, failures=0)
            failures: int = row.failures
        return failures

    def _insert(self, request: Request, kind: DeviceKind, seeds: list[Seed]) -> None:
        rows = [
            {
                "serial_number": seed.serial_number,
                "kind": kind,
                "created_s": request.now_s,
                "seed": self._sealer.seal(seed.secret, seed.serial_number),
                "algorithm": seed.algorithm,
                "digits": seed.digits,
                "period_s": seed.period_s,
            }
            for seed in seeds
        ]
        records.insert_devices(request.connection, rows)

    def _check_any(
        self, request: Request, rows: list[Row[Any]], code: str
    ) -> tuple[str, LearnedClock]:
        """The serial number of the first device of which ``code`` is accepted, and its clock."""
        refusals: list[VerifierError] = []
        for row in rows:
            try:
                state = self._judge(request, row, self._one_code(code, row, request))
            except (InvalidAuthenticationCode, Throttled, Locked) as refusal:
                refusals.append(refusal)
                continue
            clock = self._accept(request, row, state, learn)
            for other in rows:
                if other is not row:
                    self._use_up(request, other, code)
            return row.serial_number, clock
        for row, why in zip(rows, refusals, strict=True):
            _count(request, row, why)
        raise min(refusals, key=_how_dull)

    def _prove(
        self, request: Request, row: Row[Any], code1: str, code2: str, range_s: float
    ) -> None:
        """Accept two codes of a device and keep the state after it, or count a wrong code."""
        try:
            state = self._judge(request, row, _two_codes(code1, code2, row, request, range_s))
        except InvalidAuthenticationCode as refusal:
            _count(request, row, refusal)
            raise
        clock = self._accept(request, row, state, prove)
        request.detail["offset_s"] = round(clock.offset_s, 3)

    def _judge(self, request: Request, row: Row[Any], rule: _Rule) -> TotpState:
        """The state after a rule is applied to a device, which is not looked at if throttled."""
        left_s = wait_s(self.totp, row.failures, row.failed_s, request.now_s)
        if left_s == math.inf:
            raise Locked(row.serial_number)
        if left_s > 0:
            raise Throttled(left_s)
        return self._apply(request, row, rule)

    def _apply(self, request: Request, row: Row[Any], rule: _Rule) -> TotpState:
        seed = self._sealer.open(row.seed, row.serial_number)
        generator = CodeGenerator(seed, row.algorithm, row.digits)
        offset_steps, clock = row.offset_steps, self._followed(row)
        if clock is not None:
            counter = expected(clock, limits_of(self.totp, row.period_s), request.now_s)
            offset_steps = counter - step(request.now_s, row.period_s)
        return rule(generator, TotpState(offset_steps, row.last_counter))

    def _followed(self, row: Row[Any]) -> LearnedClock | None:
        """What is learned of a device's clock, if that is what its codes are looked for by."""
        return records.learned_clock(row) if self.totp.drift == "rate" else None

    def _one_code(self, code: str, row: Row[Any], request: Request) -> _Rule:
        now_step, clock = step(request.now_s, row.period_s), self._followed(row)
        if clock is None:
            return lambda generator, state: verify(
                generator, state, generator.parse(code), now_step, self.totp.window_steps
            )
        limits = limits_of(self.totp, row.period_s)
        counters = window(clock, limits, request.now_s, row.failures)
        return lambda generator, state: verify_in(
            counters, generator, state, generator.parse(code), now_step
        )

    def _accept(
        self, request: Request, row: Row[Any], state: TotpState, rule: _Learn
    ) -> LearnedClock:
        """Keep the state after a code, and what it tells of the clock."""
        assert state.last_counter is not None
        before, limits = records.learned_clock(row), limits_of(self.totp, row.period_s)
        shown = state.offset_steps + step(request.now_s, row.period_s)
        # the first code of a device whose clock was never looked at says where it is
        clock = (prove if before is None else rule)(before, limits, shown, request.now_s)
        if not records.accept_code(
            request.connection,
            row.serial_number,
            state.offset_steps,
            state.last_counter,
            request.now_s,
            clock,
        ):
            raise Replayed("It was used by another request just now: wait for the next code.")
        return clock

    def _use_up(self, request: Request, row: Row[Any], code: str) -> None:
        """``code`` was another device's: no guess at this one, nor to be shown to it again."""
        after: dict[str, int | None] = {"failures": row.failures, "last_counter": row.last_counter}
        before = after.copy()
        if not is_locked(self.totp, row.failures):
            after["failures"] = 0
        with suppress(InvalidAuthenticationCode):
            rule = self._one_code(code, row, request)
            after["last_counter"] = self._apply(request, row, rule).last_counter
        if after != before:
            records.update_device(request.connection, row.serial_number, **after)


def _count(request: Request, row: Row[Any], refusal: VerifierError) -> None:
    """One more wrong code in a row, if that is why it was refused."""
    if isinstance(refusal, InvalidAuthenticationCode) and not isinstance(refusal, MalformedCode):
        records.reject_code(request.connection, row.serial_number, request.now_s)


def _two_codes(code1: str, code2: str, row: Row[Any], request: Request, range_s: float) -> _Rule:
    now_step, range_steps = step(request.now_s, row.period_s), int(range_s // row.period_s)
    return lambda generator, state: resynchronise(
        generator, state, generator.parse(code1), generator.parse(code2), now_step, range_steps
    )


def _demand_code_device(request: Request, user: str, serial_number: str) -> Row[Any]:
    row = request.demand_device(user, serial_number)
    if row.seed is None:
        raise NoSuchEntity(
            f"MFA Device with serial number {serial_number} shows no codes.",
            "It is a security key: begin an assertion.",
        )
    return row


_DULL = (Replayed, InvalidAuthenticationCode, Throttled, Locked)


def _how_dull(refusal: VerifierError) -> int:
    """Of several devices' refusals the one first in ``_DULL`` says most."""
    if isinstance(refusal, MalformedCode):
        return len(_DULL)
    return next(number for number, kind in enumerate(_DULL) if isinstance(refusal, kind))
