"""What numbers mean in CTAP 2.3 (§6, §12): commands, subcommands, members."""

from dataclasses import dataclass, field

from tokenkit.keys.info import MEMBERS

Names = dict[int, str]


def _numbered(text: str, **others: int) -> Names:
    """Names from 1 on, and ``others`` by their number."""
    return dict(enumerate(text.split(), 1)) | {number: name for name, number in others.items()}


@dataclass(frozen=True)
class CborCommand:
    """A CTAP2 command: members of its request and its answer, and its subcommands.

    ``inner`` are the members of subCommandParams, by subcommand; under 0 for all of them.
    """

    name: str
    request: Names = field(default_factory=dict)
    answer: Names = field(default_factory=dict)
    subcommand: int = 0  # the request's member that says which
    subcommands: Names = field(default_factory=dict)
    inner: dict[int, Names] = field(default_factory=dict)


_ASSERTION = _numbered(
    "credential authData signature user numberOfCredentials userSelected largeBlobKey"
    " unsignedExtensionOutputs epAtt attStmt"
)
_CREDENTIAL_MANAGEMENT = (
    _numbered("subCommand subCommandParams pinUvAuthProtocol pinUvAuthParam"),
    _numbered(
        "existingResidentCredentialsCount maxPossibleRemainingResidentCredentialsCount rp rpIDHash"
        " totalRPs user credentialID publicKey totalCredentials credProtect largeBlobKey"
        " thirdPartyPayment"
    ),
    1,
    _numbered(
        "getCredsMetadata enumerateRPsBegin enumerateRPsGetNextRP enumerateCredentialsBegin"
        " enumerateCredentialsGetNextCredential deleteCredential updateUserInformation"
    ),
    {0: _numbered("rpIDHash credentialID user")},
)
_BIO_ENROLLMENT = (
    _numbered("modality subCommand subCommandParams pinUvAuthProtocol pinUvAuthParam getModality"),
    _numbered(
        "modality fingerprintKind maxCaptureSamplesRequiredForEnroll templateId"
        " lastEnrollSampleStatus remainingSamples templateInfos maxTemplateFriendlyName"
    ),
    2,
    _numbered(
        "enrollBegin enrollCaptureNextSample cancelCurrentEnrollment enumerateEnrollments"
        " setFriendlyName removeEnrollment getFingerprintSensorInfo"
    ),
    {0: _numbered("templateId templateFriendlyName timeoutMilliseconds")},
)
TEMPLATE_INFO = _numbered("templateId templateFriendlyName")
HMAC_SECRET = _numbered("keyAgreement saltEnc saltAuth pinUvAuthProtocol")
COMMANDS = {
    0x01: CborCommand(
        "authenticatorMakeCredential",
        _numbered(
            "clientDataHash rp user pubKeyCredParams excludeList extensions options pinUvAuthParam"
            " pinUvAuthProtocol enterpriseAttestation attestationFormatsPreference"
        ),
        _numbered("fmt authData attStmt epAtt largeBlobKey unsignedExtensionOutputs"),
    ),
    0x02: CborCommand(
        "authenticatorGetAssertion",
        _numbered(
            "rpId clientDataHash allowList extensions options pinUvAuthParam pinUvAuthProtocol"
            " enterpriseAttestation attestationFormatsPreference"
        ),
        _ASSERTION,
    ),
    0x04: CborCommand("authenticatorGetInfo", answer=_numbered(" ".join(MEMBERS))),
    0x06: CborCommand(
        "authenticatorClientPIN",
        _numbered(
            "pinUvAuthProtocol subCommand keyAgreement pinUvAuthParam newPinEnc pinHashEnc",
            permissions=9,
            rpId=10,
        ),
        _numbered("keyAgreement pinUvAuthToken pinRetries powerCycleState uvRetries"),
        2,
        _numbered(
            "getPINRetries getKeyAgreement setPIN changePIN getPinToken"
            " getPinUvAuthTokenUsingUvWithPermissions getUVRetries",
            getPinUvAuthTokenUsingPinWithPermissions=9,
        ),
    ),
    0x07: CborCommand("authenticatorReset"),
    0x08: CborCommand("authenticatorGetNextAssertion", answer=_ASSERTION),
    0x09: CborCommand("authenticatorBioEnrollment", *_BIO_ENROLLMENT),
    0x0A: CborCommand("authenticatorCredentialManagement", *_CREDENTIAL_MANAGEMENT),
    0x0B: CborCommand("authenticatorSelection"),
    0x0C: CborCommand(
        "authenticatorLargeBlobs",
        _numbered("get set offset length pinUvAuthParam pinUvAuthProtocol"),
        _numbered("config"),
    ),
    0x0D: CborCommand(
        "authenticatorConfig",
        _numbered("subCommand subCommandParams pinUvAuthProtocol pinUvAuthParam"),
        {},
        1,
        _numbered(
            "enableEnterpriseAttestation toggleAlwaysUv setMinPINLength enableLongTouchForReset",
            vendorPrototype=0xFF,
        ),
        {3: _numbered("newMinPINLength minPinLengthRPIDs forceChangePin pinComplexityPolicy")},
    ),
    0x40: CborCommand("authenticatorBioEnrollmentPreview", *_BIO_ENROLLMENT),
    0x41: CborCommand("authenticatorCredentialManagementPreview", *_CREDENTIAL_MANAGEMENT),
}
