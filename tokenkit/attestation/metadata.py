"""What FIDO's Metadata Service says of models of authenticators: roots, status, certification.

FIDO Metadata Service 3.0: sections 3.1.3 and 3.1.4 on status reports, 3.2 on whom to believe.
"""

import json
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from fido2.attestation.base import (
    AttestationResult,
    InvalidAttestation,
    InvalidSignature,
    UntrustedAttestation,
)
from fido2.mds3 import (
    AuthenticatorStatus,
    MdsAttestationVerifier,
    MetadataBlobPayload,
    MetadataBlobPayloadEntry,
    StatusReport,
    parse_blob,
)
from fido2.utils import websafe_decode
from fido2.webauthn import AttestationObject, AuthenticatorData

from tokenkit.attestation.formats import verify_statement
from tokenkit.attestation.malformed import MALFORMED
from tokenkit.attestation.path import check_path

LEVELS = ("L1", "L1plus", "L2", "L2plus", "L3", "L3plus")  # FIDO's, in ascending order
_UNDESIRED = (
    AuthenticatorStatus.USER_VERIFICATION_BYPASS,
    AuthenticatorStatus.ATTESTATION_KEY_COMPROMISE,
    AuthenticatorStatus.USER_KEY_REMOTE_COMPROMISE,
    AuthenticatorStatus.USER_KEY_PHYSICAL_COMPROMISE,
    AuthenticatorStatus.REVOKED,
)
_NO_LONGER = (AuthenticatorStatus.NOT_FIDO_CERTIFIED, AuthenticatorStatus.REVOKED)
_FIDO, _FIPS = "FIDO_CERTIFIED_", "FIPS140_CERTIFIED_"


class Metadata(MdsAttestationVerifier):
    """Believes models that a BLOB knows, under the roots that it lists for each.

    A model of which it says that it is revoked or compromised is not believed. Beside
    python-fido2's this one heeds every such status, and tries all roots of the issuer's name.
    ``now`` gives the time, in seconds since the Unix epoch, by which reports are in effect.
    """

    def __init__(self, blob: MetadataBlobPayload, now: Callable[[], float] = time.time) -> None:
        super().__init__(blob, entry_filter=None, attestation_filter=None)
        self._entries = {identify(entry): entry for entry in blob.entries if identify(entry)}
        self._now = now

    @classmethod
    def parse(cls, data: bytes, root: bytes, now: Callable[[], float] = time.time) -> "Metadata":
        """The BLOB ``data`` (a JWT), which is signed under ``root`` (X.509, DER).

        ValueError, which goes on after "the BLOB", for another signer's and for what is none.
        Its certificates may have expired: a BLOB is no worse for being kept.
        """
        try:
            data = data.strip()
            blob = parse_blob(data, root)
            # python-fido2 does not look whether an issuer may issue
            chain = [
                b64decode(each)
                for each in json.loads(websafe_decode(data.split(b".")[0])).get("x5c", ())
            ]
            anchor = x509.load_der_x509_certificate(root)
            check_path(chain or [root], [anchor], None)
            return cls(blob, now)
        except (WrongSignature, InvalidSignature, UntrustedAttestation):
            raise ValueError("was not signed under the MDS root given") from None
        except (InvalidAttestation, *MALFORMED) as error:
            raise ValueError(f"is no FIDO MDS3 BLOB: {error}") from None

    def verify_attestation(
        self, attestation_object: AttestationObject, client_data_hash: bytes
    ) -> None:
        """InvalidAttestation of python-fido2: UntrustedAttestation for status and chain."""
        result = verify_statement(attestation_object, client_data_hash)
        self.check(result, attestation_object.auth_data)

    def check(self, result: AttestationResult, auth_data: AuthenticatorData) -> None:
        """UntrustedAttestation unless metadata vouches for what a statement proved."""
        entry = self.entry(result, auth_data)
        if entry is None:
            raise UntrustedAttestation("the metadata does not know this model")
        self.check_status(entry, result.trust_path)
        statement = entry.metadata_statement
        roots = statement.attestation_root_certificates if statement else ()
        anchors = [x509.load_der_x509_certificate(root) for root in roots]
        check_path(result.trust_path, anchors, self._now())

    def check_status(self, entry: MetadataBlobPayloadEntry, path: Sequence[bytes]) -> None:
        """UntrustedAttestation for a model that is revoked or compromised.

        Whether an update mends it is not heeded: no attestation says which version it comes from.
        A compromise of attestation keys that names certificates is of chains with these only.
        """
        for report in _in_effect(entry.status_reports, self.today()):
            named = [each for each in (report.certificate, report.batch_certificate) if each]
            of_others = (
                report.status == AuthenticatorStatus.ATTESTATION_KEY_COMPROMISE
                and bool(named)
                and not any(each in path for each in named)
            )
            if report.status in _UNDESIRED and not of_others:
                raise UntrustedAttestation(f"the metadata says of this model: {report.status}")

    def entry(
        self, result: AttestationResult, auth_data: AuthenticatorData
    ) -> MetadataBlobPayloadEntry | None:
        """A FIDO2 model's by AAGUID, a U2F model's by its certificates; None if there is none."""
        credential = auth_data.credential_data
        if credential is not None and credential.aaguid:
            return self.find_entry_by_aaguid(credential.aaguid)
        return self.find_entry_by_chain(result.trust_path)

    def find(self, identifier: str) -> MetadataBlobPayloadEntry | None:
        """An entry by what :func:`identify` gave."""
        return self._entries.get(identifier)

    def today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def identify(entry: MetadataBlobPayloadEntry) -> str:
    """What an entry is found by: its AAGUID as a UUID, or an identifier of a key as hexadecimal.

    Empty for a UAF authenticator's, which has neither.
    """
    if entry.aaguid:
        return str(entry.aaguid)
    return (entry.attestation_certificate_key_identifiers or [b""])[0].hex()


def certifications(entry: MetadataBlobPayloadEntry, today: date) -> dict[str, str]:
    """The certifications in effect, as IAM names them: "FIDO", "FIPS-140-2" and "FIPS-140-3".

    Values are levels as metadata writes them, such as "L1" or "L1plus", the highest of each. A
    FIPS report that gives no revision is of FIPS 140-2, before which there were no such reports.
    """
    found: dict[str, str] = {}
    for report in _in_effect(entry.status_reports, today):
        if report.status in _NO_LONGER:
            found.pop("FIDO", None)
        if report.sunset_date is not None and report.sunset_date <= today:
            continue
        status = str(report.status)
        if status.startswith(_FIDO):
            _raise_to(found, "FIDO", status.removeprefix(_FIDO))
        elif status.startswith(_FIPS):
            _raise_to(found, f"FIPS-140-{report.fips_revision or 2}", status.removeprefix(_FIPS))
    return found


def _raise_to(found: dict[str, str], name: str, level: str) -> None:
    found[name] = max(found.get(name, level), level)  # "L1" < "L1plus" < "L2" as text, too


def _in_effect(reports: Iterable[StatusReport], today: date) -> list[StatusReport]:
    """The reports whose date has come, in the order of their dates.

    One without a date is in effect while it is there, and therefore the latest.
    """
    begun = [each for each in reports if (each.effective_date or today) <= today]
    return sorted(begun, key=lambda each: each.effective_date or today)
