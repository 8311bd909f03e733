"""Who makes a request: by its signature, and by the session token of temporary credentials."""

from tokenkit.iam.errors import AwsError
from tokenkit.iam.principal import Principal, of_role_session, of_user
from tokenkit.iam.signature import HttpRequest, Signature, check_signature, check_time
from tokenkit.service import Service
from tokenkit.verifier import NoSuchEntity, Verifier
from tokenkit.verifier.sessions import Session

_TEMPORARY = "ASIA"  # how the ids of temporary credentials begin
_NOTED_S = 900.0  # how exactly it is noted when an access key was used
_INVALID = AwsError(
    "InvalidClientTokenId", "The security token included in the request is invalid."
)


def identify(
    service: Service, request: HttpRequest, signature: Signature, source_ip: str
) -> Principal:
    """The principal whose signature it is; AwsError if it is nobody's, wrong, or too late."""
    check_time(signature, service.computer_now())
    if signature.access_key_id.startswith(_TEMPORARY):
        return _of_session(service, request, signature, source_ip)
    found = service.verifier.find_signer(signature.access_key_id)
    if found is None or signature.session_token is not None:
        raise _INVALID
    key, user, policies = found
    check_signature(signature, request, key.secret)
    if not key.active:
        raise _INVALID
    if key.used_s is None or abs(service.clock.now() - key.used_s) > _NOTED_S:
        service.verifier.note_access_key_used(key.id, signature.service, signature.region)
    return of_user(user, policies.values(), source_ip=source_ip)


def _of_session(
    service: Service, request: HttpRequest, signature: Signature, source_ip: str
) -> Principal:
    token = signature.session_token
    verifier = service.verifier
    session = None if token is None else verifier.open_session(signature.access_key_id, token)
    if session is None:
        raise _INVALID
    check_signature(signature, request, session.secret)
    if session.expires_s <= service.clock.now():
        raise AwsError("ExpiredToken", "The security token included in the request is expired")
    try:
        principal = _principal(verifier, session, source_ip)
    except NoSuchEntity:  # the user or role is gone
        raise _INVALID from None
    if signature.service == "iam" and principal.user is not None and session.mfa_s is None:
        # AWS's documentation of GetSessionToken: no IAM operations without MFA
        raise _INVALID
    return principal


def _principal(verifier: Verifier, session: Session, source_ip: str) -> Principal:
    if session.user is not None:
        user = verifier.user(session.user)
        policies = verifier.user_policies(session.user)
        return of_user(user, policies.values(), session=session, source_ip=source_ip)
    role = verifier.role(session.role or "")
    policies = verifier.role_policies(role.name)
    return of_role_session(role, policies.values(), session, source_ip=source_ip)
