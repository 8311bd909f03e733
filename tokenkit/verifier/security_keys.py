"""Security keys: WebAuthn ceremonies, each of which can be completed once."""

from collections.abc import Mapping
from typing import Any

from fido2.webauthn import AttestedCredentialData, AuthenticationResponse, RegistrationResponse
from sqlalchemy import Row

from tokenkit.verifier import records
from tokenkit.verifier.console_sessions import demand_session, end_sessions_of
from tokenkit.verifier.desk import Desk, Request, no_such_device, no_such_user
from tokenkit.verifier.errors import Cloned, EntityAlreadyExists, NoSuchEntity, UnknownCeremony
from tokenkit.verifier.model import Ceremony, Device, DeviceKind, SignIn
from tokenkit.verifier.names import (
    check_device_name,
    check_serial_number,
    check_user_name,
    key_serial_number,
)
from tokenkit.verifier.policy import UserVerification
from tokenkit.verifier.store import ceremonies
from tokenkit.verifier.webauthn import CEREMONY_S, Known, RelyingParty, went_back


class SecurityKeys(Desk):
    """The part of a verifier that knows security keys."""

    _relying_party: RelyingParty

    def begin_registration(
        self, user: str, *, user_verification: UserVerification | None = None
    ) -> Ceremony:
        """Options for a key to make a credential: ``navigator.credentials.create()``.

        NoSuchEntity, LimitExceeded.
        """
        with self._request("begin-registration", user) as request:
            handle = request.demand_user(user).handle
            request.demand_room(user)
            held = [known for _, known in _keys(request, user)]
            options, state = self._relying_party.begin_registration(
                user, handle, held, user_verification, self._random_bytes(32)
            )
            return self._begin(request, "registration", user, options, state)

    def complete_registration(
        self,
        ceremony_id: str,
        response: RegistrationResponse | Mapping[str, Any],
        *,
        name: str = "",
        user: str | None = None,
        session: str | None = None,
    ) -> Device:
        """Check the answer to :meth:`begin_registration`; the key is the user's from then on.

        Who must be ``user`` where that is given. ``session`` is what
        :meth:`~tokenkit.verifier.Verifier.enable` has. UnknownCeremony, LimitExceeded,
        AccessDenied, InvalidResponse, UntrustedAttestation, EntityAlreadyExists.
        """
        if name != "":
            check_device_name(name)
        with self._request("register") as request:
            holder, state = _take(request, "registration", ceremony_id)
            user = _demand_holder(holder, user)
            held = request.demand_room(user)
            if session is not None:
                demand_session(request.connection, user, session)
            made = self._relying_party.complete_registration(state, response)
            credential = made.credential
            if records.find_credential(request.connection, credential.credential_id) is not None:
                raise EntityAlreadyExists("The security key is registered already.")
            serial_number = key_serial_number(user, self._random_bytes(16))
            request.serial_number = serial_number
            row = {
                "serial_number": serial_number,
                "kind": DeviceKind.SECURITY_KEY,
                "name": name,
                "user": user,
                "created_s": request.now_s,
                "enabled_s": request.now_s,
                "credential_id": credential.credential_id,
                "credential": bytes(credential),
                "sign_count": made.sign_count,
                "attestation_format": made.attested.format,
                "attested_model": made.attested.model,
                "transports": made.transports,
            }
            records.insert_devices(request.connection, [row])
            if not held:
                end_sessions_of(request.connection, user, but=session)
            return self._device_now(request, serial_number)

    def begin_assertion(
        self, user: str, *, user_verification: UserVerification | None = None
    ) -> Ceremony:
        """Options for any of a user's keys to sign: ``navigator.credentials.get()``.

        NoSuchEntity if the user has no key that may sign in.
        """
        with self._request("begin-assertion", user) as request:
            request.demand_user(user)
            allowed = [known for _, known in self._trusted_keys(request, user)]
            if not allowed:
                raise NoSuchEntity(f"{user} has no security key to sign in with.")
            options, state = self._relying_party.begin_assertion(
                allowed, user_verification, self._random_bytes(32)
            )
            return self._begin(request, "assertion", user, options, state)

    def complete_assertion(
        self,
        ceremony_id: str,
        response: AuthenticationResponse | Mapping[str, Any],
        *,
        user: str | None = None,
    ) -> SignIn:
        """Check the answer to :meth:`begin_assertion`, by ``user`` where that is given.

        UnknownCeremony, InvalidResponse; Cloned if the signature counter went back, and under the
        policy "refuse" the key is of no use from then on.
        """
        with self._request("assert") as request:
            holder, state = _take(request, "assertion", ceremony_id)
            user = _demand_holder(holder, user)
            keys = self._trusted_keys(request, user)
            credential_id, auth_data = self._relying_party.complete_assertion(
                state, holder.handle, [known.credential for _, known in keys], response
            )
            [row] = [row for row, _ in keys if row.credential_id == credential_id]
            request.serial_number = row.serial_number
            cloned = went_back(row.sign_count, auth_data.counter)
            if cloned:
                request.detail["clone_suspected"] = True
                records.update_device(request.connection, row.serial_number, clone_suspected=True)
            if cloned and self.webauthn.clones == "refuse":
                raise Cloned(
                    "The signature counter of the security key went back.",
                    "There may be a copy of it: remove it and register a genuine one.",
                )
            records.update_device(
                request.connection,
                row.serial_number,
                sign_count=max(row.sign_count, auth_data.counter),
                last_used_s=request.now_s,
            )
            device = self._device_now(request, row.serial_number)
            return SignIn(user, device, request.now_s, auth_data.is_user_verified())

    def certifications(self, user: str, serial_number: str) -> dict[str, str]:
        """The certifications of a security key's model by FIDO metadata, such as {"FIDO": "L1"}.

        As they are today; empty where no attestation proved the model, and of other devices.
        Keys are IAM's: "FIDO", "FIPS-140-2", "FIPS-140-3". NoSuchEntity, ValidationError.
        """
        check_user_name(user)
        check_serial_number(serial_number)
        with self._store.reading() as connection:
            if records.find_user(connection, user) is None:
                raise no_such_user(user)
            row = records.find_device(connection, serial_number)
            if row is None or row.user != user:
                raise no_such_device(serial_number)
        return self._relying_party.certifications(row.attested_model)

    def _trusted_keys(self, request: Request, user: str) -> list[tuple[Row[Any], Known]]:
        flagged_pass = self.webauthn.clones == "flag"
        return [key for key in _keys(request, user) if flagged_pass or not key[0].clone_suspected]

    def _begin(
        self, request: Request, kind: str, user: str, options: Any, state: dict[str, Any]
    ) -> Ceremony:
        ceremony_id = self._random_bytes(16).hex()
        records.delete_expired(request.connection, ceremonies, request.now_s)
        records.insert_ceremony(
            request.connection, ceremony_id, kind, user, state, request.now_s + CEREMONY_S
        )
        return Ceremony(ceremony_id, options)


def _take(request: Request, kind: str, ceremony_id: str) -> tuple[Row[Any], dict[str, Any]]:
    """The user's row and the state of a ceremony, which is thereby used up."""
    is_id = isinstance(ceremony_id, str) and ceremony_id.isascii() and ceremony_id.isalnum()
    row = records.find_ceremony(request.connection, ceremony_id) if is_id else None
    # the user first, as in all requests: two that lock in turn would wait for each other
    holder = None if row is None else records.lock_user(request.connection, row.user)
    taken = row is not None and records.take_ceremony(request.connection, ceremony_id)
    if not (row and holder and taken and row.kind == kind and row.expires_s >= request.now_s):
        raise UnknownCeremony(
            f"There is no such {kind} under way.", "It was used, or it expired: begin anew."
        )
    request.user = row.user
    return holder, row.state


def _demand_holder(holder: Row[Any], user: str | None) -> str:
    """Whose ceremony it is."""
    if user is not None and holder.name != user:
        raise UnknownCeremony("Somebody else began that.", "Begin anew.")
    name: str = holder.name
    return name


def _keys(request: Request, user: str) -> list[tuple[Row[Any], Known]]:
    return [
        (row, Known(AttestedCredentialData(row.credential), row.transports))
        for row in records.lock_enabled_devices(request.connection, user)
        if row.credential is not None
    ]
