"""Who makes a request: by its signature, and by the session token of temporary credentials."""

from tokenkit.iam.errors import AwsError
from tokenkit.iam.principal import Principal, role_principal, user_principal
from tokenkit.iam.signature import HttpRequest, Signature, check_signature, check_time
from tokenkit.service import Service
from tokenkit.verifier import NoSuchEntity, Verifier
from tokenkit.verifier.sessions import TEMPORARY, Session

_NOTED_S = 900.0  # how exactly it is noted when an access key was used


def identify(service: Service, request: HttpRequest, signature: Signature) -> Principal:
    """The principal whose signature it is; AwsError if it is nobody's, wrong, or too late."""
    check_time(signature, service.computer_now())
    if signature.access_key_id.startswith(TEMPORARY):
        return _of_session(service, request, signature)
    found = service.verifier.find_signer(signature.access_key_id)
    if found is None or signature.session_token is not None:
        raise _invalid()
    key, user, policies = found
    check_signature(signature, request, key.secret)
    if not key.active:
        raise _invalid()
    if key.used_s is None or abs(service.clock.now() - key.used_s) > _NOTED_S:
        service.verifier.note_access_key_used(key.id, signature.service, signature.region)
    return user_principal(user, policies=policies.values())


def _of_session(service: Service, request: HttpRequest, signature: Signature) -> Principal:
    token, verifier = signature.session_token, service.verifier
    session = None if token is None else verifier.open_session(signature.access_key_id, token)
    if session is None:
        raise _invalid()
    check_signature(signature, request, session.secret)
    if session.expires_s <= service.clock.now():
        raise AwsError("ExpiredToken", "The security token included in the request is expired")
    try:
        principal = _principal(verifier, session)
    except NoSuchEntity:  # the user or role is gone
        raise _invalid() from None
    if signature.service == "iam" and principal.user is not None and session.mfa_s is None:
        # STS API reference, GetSessionToken: no IAM operations without MFA
        raise _invalid()
    return principal


def _principal(verifier: Verifier, session: Session) -> Principal:
    """NoSuchEntity if the user or role is gone, also where one of that name was made since."""
    if session.user is not None:
        user = verifier.user(session.user)
        if user.id == session.holder:
            return user_principal(user, session)
    elif session.role is not None:
        role = verifier.role(session.role)
        if role.id == session.holder:
            return role_principal(role, session)
    raise NoSuchEntity("It is not the one whose session it is.")


def _invalid() -> AwsError:
    return AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid."
    )
