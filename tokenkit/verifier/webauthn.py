"""The relying party: registration and assertion by python-fido2's Fido2Server. No storage in here.

WebAuthn level 2 sections 7.1 and 7.2; the signature counter's rule is section 6.1.1.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fido2.attestation.base import InvalidAttestation
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    CredentialCreationOptions,
    CredentialRequestOptions,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tokenkit.trusted_roots import TrustedRoots
from tokenkit.verifier.errors import InvalidResponse, UntrustedAttestation, ValidationError
from tokenkit.verifier.policy import UserVerification, WebAuthnPolicy, check_word

_ID_BYTES = 1023  # the most of a credential's id: WebAuthn level 3 section 7.1
CEREMONY_S = 300.0  # WebAuthn level 2 section 7.1: the upper end of what it recommends
State = dict[str, Any]


class RelyingParty:
    """Makes options for clients, and checks what they answer, under a policy.

    Answers are python-fido2's RegistrationResponse and AuthenticationResponse, or the mappings
    that browsers send (WebAuthn's JSON); anything else is InvalidResponse.
    """

    def __init__(self, policy: WebAuthnPolicy) -> None:
        self._policy = policy
        try:
            trusted = TrustedRoots(policy.trusted_roots)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=policy.rp_id, name=policy.rp_name),
            attestation=AttestationConveyancePreference(policy.attestation),
            verify_origin=lambda origin: origin == policy.origin,
            verify_attestation=trusted,
        )
        # python-fido2 declares the attribute without a type
        self._server.timeout = int(CEREMONY_S * 1000)  # type: ignore[assignment]

    def begin_registration(
        self,
        user: str,
        handle: bytes,
        exclude: Sequence[AttestedCredentialData],
        user_verification: UserVerification | None,
        challenge: bytes,
    ) -> tuple[CredentialCreationOptions, State]:
        """Options to make a credential on a key that holds none of ``exclude``."""
        return self._server.register_begin(
            PublicKeyCredentialUserEntity(id=handle, name=user, display_name=user),
            exclude,
            resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,  # a second factor
            user_verification=self._verification(user_verification),
            challenge=challenge,
        )

    def complete_registration(
        self, state: State, response: RegistrationResponse | Mapping[str, Any]
    ) -> AuthenticatorData:
        """The authenticator data, with credential data; InvalidResponse, UntrustedAttestation."""
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
            return self._server.register_complete(state, answer)
        except InvalidAttestation as error:
            raise UntrustedAttestation(
                "The attestation is not accepted.", str(error) or type(error).__name__
            ) from error
        except _MALFORMED as error:
            raise _invalid("registration", error) from error

    def begin_assertion(
        self,
        allow: Sequence[AttestedCredentialData],
        user_verification: UserVerification | None,
        challenge: bytes,
    ) -> tuple[CredentialRequestOptions, State]:
        """Options to sign with one of ``allow``."""
        return self._server.authenticate_begin(
            allow, user_verification=self._verification(user_verification), challenge=challenge
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
        except _MALFORMED as error:
            raise _invalid("assertion", error) from error

    def _verification(self, asked: UserVerification | None) -> UserVerificationRequirement:
        word = asked or self._policy.user_verification
        check_word("user_verification", word, UserVerification)
        return UserVerificationRequirement(word)


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


# On bytes from outside python-fido2 lets errors of struct, of assertions, of recursion and of
# cryptography pass, too.
_MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    InvalidSignature,
    UnsupportedAlgorithm,
    struct.error,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def _invalid(what: str, error: Exception) -> InvalidResponse:
    return InvalidResponse(f"The {what} is not valid.", str(error))


def went_back(stored: int, received: int) -> bool:
    """Whether a signature counter tells of a clone; a key without one always says 0."""
    return received <= stored and (received, stored) != (0, 0)
