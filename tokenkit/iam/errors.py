"""Errors that go on the wire: AWS's codes with their HTTP status."""

from tokenkit.errors import TokenkitError
from tokenkit.iam.api import Api

# what no operation's model lists: IAM's and STS's common errors, and those of signing
_COMMON = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "IncompleteSignature": 400,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "MalformedInput": 400,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "RequestEntityTooLarge": 413,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "ValidationError": 400,
}


class AwsError(TokenkitError):
    """An answer that refuses: AWS's error ``code`` and ``message``.

    ``advice`` is for whoever runs the test: the wire has it as a header, since AWS's own texts
    seldom say what was wrong with a code.
    """

    def __init__(self, code: str, message: str, advice: str = "") -> None:
        super().__init__(f"{code}: {message} {advice}".rstrip())
        self.code = code
        self.message = message
        self.advice = advice


def status_of(code: str, api: Api) -> int:
    """The HTTP status of an error: the model's, else that of the common ones; 500 for no other."""
    return api.error_status.get(code) or _COMMON.get(code, 500)
