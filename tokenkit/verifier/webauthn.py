"""The relying party: registration and assertion by python-fido2's Fido2Server. No storage in here.

WebAuthn level 2 sections 7.1 and 7.2; the signature counter's rule is section 6.1.1.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    AuthenticatorTransport,
    CredentialCreationOptions,
    CredentialRequestOptions,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tokenkit.attestation import MALFORMED
from tokenkit.verifier.attested import AttestationRules, Attested
from tokenkit.verifier.errors import InvalidResponse
from tokenkit.verifier.policy import UserVerification, WebAuthnPolicy, check_word

_ID_BYTES = 1023  # the most of a credential's id: WebAuthn level 3 section 7.1
CEREMONY_S = 300.0  # WebAuthn level 2 section 7.1: the upper end of what it recommends
_TRANSPORT = re.compile(r"[a-z-]{1,32}")
_TRANSPORTS = 8  # level 3 has six
State = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """A credential, and the transports by which its key said that it can be reached."""

    credential: AttestedCredentialData
    transports: Sequence[str] | None = None

    def descriptor(self) -> PublicKeyCredentialDescriptor:
        """Without words that python-fido2 does not know, which it would send as null."""
        known = [AuthenticatorTransport(each) for each in self.transports or ()]
        return PublicKeyCredentialDescriptor(
            type=PublicKeyCredentialType.PUBLIC_KEY,
            id=self.credential.credential_id,
            transports=[each for each in known if each] or None,
        )


@dataclass(frozen=True)
class Registered:
    """A credential as it was registered; ``transports`` is None where the client told none."""

    credential: AttestedCredentialData
    sign_count: int
    attested: Attested
    transports: list[str] | None


class RelyingParty:
    """Makes options for clients, and checks what they answer, under a policy.

    Answers are python-fido2's RegistrationResponse and AuthenticationResponse, or the mappings
    that browsers send (WebAuthn's JSON); anything else is InvalidResponse.
    """

    def __init__(self, policy: WebAuthnPolicy, now: Callable[[], float]) -> None:
        self._policy = policy
        self._rules = AttestationRules(policy, now)
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=policy.rp_id, name=policy.rp_name),
            attestation=AttestationConveyancePreference(policy.attestation),
            verify_origin=lambda origin: origin == policy.origin,
        )
        # python-fido2 declares the attribute without a type
        self._server.timeout = int(CEREMONY_S * 1000)  # type: ignore[assignment]

    def begin_registration(
        self,
        user: str,
        handle: bytes,
        exclude: Sequence[Known],
        user_verification: UserVerification | None,
        challenge: bytes,
    ) -> tuple[CredentialCreationOptions, State]:
        """Options to make a credential on a key that holds none of ``exclude``."""
        return self._server.register_begin(
            PublicKeyCredentialUserEntity(id=handle, name=user, display_name=user),
            [each.descriptor() for each in exclude],
            resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,  # a second factor
            user_verification=self._verification(user_verification),
            challenge=challenge,
        )

    def complete_registration(
        self, state: State, response: RegistrationResponse | Mapping[str, Any]
    ) -> "Registered":
        """What was registered; InvalidResponse, UntrustedAttestation."""
        try:
            answer = RegistrationResponse.from_dict(response)
            credential = answer.response.attestation_object.auth_data.credential_data
            if credential is None:
                raise ValueError("it holds no credential")
            _demand(answer.raw_id == credential.credential_id, "it is for two credentials")
            _demand(
                len(answer.raw_id) <= _ID_BYTES, f"a credential's id has over {_ID_BYTES} bytes"
            )
            offered = {parameters.alg for parameters in self._server.allowed_algorithms}
            _demand(credential.public_key.get(3) in offered, "its algorithm was not offered")
            auth_data = self._server.register_complete(state, answer)
            sent = answer.response
            attested = self._rules.judge(sent.attestation_object, sent.client_data.hash)
            return Registered(credential, auth_data.counter, attested, _transports(response))
        except MALFORMED as error:
            raise _invalid("registration", error) from error

    def begin_assertion(
        self,
        allow: Sequence[Known],
        user_verification: UserVerification | None,
        challenge: bytes,
    ) -> tuple[CredentialRequestOptions, State]:
        """Options to sign with one of ``allow``."""
        return self._server.authenticate_begin(
            [each.descriptor() for each in allow],
            user_verification=self._verification(user_verification),
            challenge=challenge,
        )

    def complete_assertion(
        self,
        state: State,
        handle: bytes,
        credentials: Iterable[AttestedCredentialData],
        response: AuthenticationResponse | Mapping[str, Any],
    ) -> tuple[bytes, AuthenticatorData]:
        """The credential's id and the authenticator data; InvalidResponse.

        ``handle`` is that of the user whose ``credentials`` these are; a key that names a user
        must name this one.
        """
        try:
            answer = AuthenticationResponse.from_dict(response)
            _demand(answer.response.user_handle in (None, b"", handle), "it is another user's")
            found = self._server.authenticate_complete(state, list(credentials), answer)
            return found.credential_id, answer.response.authenticator_data
        except MALFORMED as error:
            raise _invalid("assertion", error) from error

    def certifications(self, model: str | None) -> dict[str, str]:
        """The certifications in effect of a model that a registration proved."""
        return self._rules.certifications(model)

    def _verification(self, asked: UserVerification | None) -> UserVerificationRequirement:
        word = asked or self._policy.user_verification
        check_word("user_verification", word, UserVerification)
        if self._policy.user_verification == "required":
            word = "required"
        return UserVerificationRequirement(word)


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _transports(response: RegistrationResponse | Mapping[str, Any]) -> list[str] | None:
    """``response.transports`` of WebAuthn's JSON, which python-fido2 does not read.

    They are hints: what is no such list is no error. Unknown words are kept, as WebAuthn says.
    """
    sent = response.get("response") if isinstance(response, Mapping) else None
    told = sent.get("transports") if isinstance(sent, Mapping) else None
    if not isinstance(told, list):
        return None
    words = {each for each in told if isinstance(each, str) and _TRANSPORT.fullmatch(each)}
    return sorted(words)[:_TRANSPORTS]


def _invalid(what: str, error: Exception) -> InvalidResponse:
    return InvalidResponse(f"The {what} is not valid.", str(error))


def went_back(stored: int, received: int) -> bool:
    """Whether a signature counter tells of a clone; a key without one always says 0."""
    return received <= stored and (received, stored) != (0, 0)
