"""Signature Version 4: who signed a request, and whether it is what was signed.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, in the
Authorization header or in the query string.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from tokenkit.iam.errors import AwsError

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_S = 300.0  # to either side: what STS and IAM allow
_MAX_PRESIGNED_S = 604_800
_SCOPE = re.compile(r"([\w]{16,128})/([0-9]{8})/([\w-]{1,64})/([\w-]{1,64})/aws4_request", re.ASCII)
_PARTS = {"Credential", "SignedHeaders", "Signature"}
_MOMENT = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came; names of headers are in lower case, each once."""

    method: str
    path: str  # raw, as in the request line
    query: str  # raw
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """What a request says of its signature. Not checked yet."""

    access_key_id: str
    date: str
    region: str
    service: str
    moment: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    presigned_for_s: int | None = None

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(request: HttpRequest) -> Signature:
    """AwsError MissingAuthenticationToken or IncompleteSignature."""
    header = request.headers.get("authorization")
    if header is not None:
        return _from_header(header, request)
    parameters = dict(_query_pairs(request.query))
    if "X-Amz-Signature" in parameters:
        return _from_query(parameters)
    raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")


def _from_header(header: str, request: HttpRequest) -> Signature:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise AwsError(
            "IncompleteSignature",
            f"Unsupported AWS 'algorithm': sign requests by {ALGORITHM}.",
        )
    parts = dict(each.strip().partition("=")[::2] for each in rest.split(","))
    for name in sorted(_PARTS):
        if not parts.get(name):
            raise AwsError(
                "IncompleteSignature", f"Authorization header requires '{name}' parameter."
            )
    if parts.keys() != _PARTS:
        raise AwsError("IncompleteSignature", "Authorization header has another parameter.")
    moment = request.headers.get("x-amz-date", "")
    return _signature(
        parts["Credential"],
        moment,
        parts["SignedHeaders"],
        parts["Signature"],
        request.headers.get("x-amz-security-token"),
        None,
    )


def _from_query(parameters: Mapping[str, str]) -> Signature:
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders"):
        if name not in parameters:
            raise AwsError(
                "IncompleteSignature", f"AWS query-string parameters must include {name}"
            )
    if parameters["X-Amz-Algorithm"] != ALGORITHM:
        raise AwsError("IncompleteSignature", f"Sign requests by {ALGORITHM}.")
    expires = parameters.get("X-Amz-Expires", str(int(SKEW_S)))
    if not re.fullmatch("[0-9]{1,6}", expires) or int(expires) > _MAX_PRESIGNED_S:
        raise AwsError("IncompleteSignature", "X-Amz-Expires is from 0 to 604800 seconds.")
    return _signature(
        parameters["X-Amz-Credential"],
        parameters["X-Amz-Date"],
        parameters["X-Amz-SignedHeaders"],
        parameters["X-Amz-Signature"],
        parameters.get("X-Amz-Security-Token"),
        int(expires),
    )


def _signature(
    credential: str,
    moment: str,
    signed_headers: str,
    signature: str,
    session_token: str | None,
    presigned_for_s: int | None,
) -> Signature:
    scope = _SCOPE.fullmatch(credential)
    if scope is None:
        raise AwsError(
            "IncompleteSignature",
            "Credential must have exactly 5 slash-delimited elements, e.g."
            " keyid/date/region/service/term.",
        )
    if not _MOMENT.fullmatch(moment):
        raise AwsError(
            "IncompleteSignature", "Date must be in ISO-8601 'basic format', as X-Amz-Date."
        )
    names = tuple(signed_headers.split(";"))
    if "host" not in names or list(names) != sorted({name.lower() for name in names}):
        raise AwsError(
            "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader', and they are in order."
        )
    key_id, date, region, service = scope.groups()
    return Signature(
        key_id, date, region, service, moment, names, signature, session_token, presigned_for_s
    )


def check_time(signature: Signature, now_s: float) -> None:
    """AwsError SignatureDoesNotMatch if it was signed too long before or after ``now_s``."""
    try:
        moment = datetime.strptime(signature.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AwsError("IncompleteSignature", f"{signature.moment} is no date.") from None
    if not signature.moment.startswith(signature.date):
        raise AwsError(
            "SignatureDoesNotMatch",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from"
            f" HTTP: '{signature.date}' != '{signature.moment[:8]}'.",
        )
    signed_s = moment.timestamp()
    lasts_s = SKEW_S if signature.presigned_for_s is None else float(signature.presigned_for_s)
    if now_s > signed_s + lasts_s:
        raise AwsError(
            "SignatureDoesNotMatch",
            f"Signature expired: {signature.moment} is now earlier than"
            f" {_basic(now_s - lasts_s)} ({_basic(now_s)} - {lasts_s / 60:g} min.)",
        )
    if now_s < signed_s - SKEW_S:
        raise AwsError(
            "SignatureDoesNotMatch",
            f"Signature not yet current: {signature.moment} is still later than"
            f" {_basic(now_s + SKEW_S)} ({_basic(now_s)} + {SKEW_S / 60:g} min.)",
        )


def check_signature(signature: Signature, request: HttpRequest, secret: str) -> None:
    """AwsError SignatureDoesNotMatch unless ``request`` was signed with ``secret``."""
    canonical = _canonical_request(request, signature)
    to_sign = "\n".join(
        (
            ALGORITHM,
            signature.moment,
            signature.scope,
            hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest(),
        )
    )
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    expected = hmac.digest(key, to_sign.encode(), "sha256").hex()
    given = signature.signature.encode("utf-8", "replace")
    if not hmac.compare_digest(expected.encode(), given):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check"
            " your AWS Secret Access Key and signing method. Consult the service documentation"
            " for details.",
        )


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_request(request: HttpRequest, signature: Signature) -> str:
    lines = []
    for name in signature.signed_headers:
        if name not in request.headers:
            raise AwsError(
                "SignatureDoesNotMatch", f"The signed header '{name}' is not in the request."
            )
        lines.append(f"{name}:{' '.join(request.headers[name].split())}\n")
    pairs = sorted(
        (_encoded(name), _encoded(value))
        for name, value in _query_pairs(request.query)
        if name != "X-Amz-Signature" or signature.presigned_for_s is None
    )
    return "\n".join(
        (
            request.method,
            # each part encoded once more, as all services but S3 do
            _encoded(request.path, "/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(lines),
            ";".join(signature.signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values, decoded; unlike in a form a + is a +."""
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _encoded(text: str, safe: str = "-_.~") -> str:
    return quote(text, safe=safe, errors="surrogateescape")


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _basic(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y%m%dT%H%M%SZ")
