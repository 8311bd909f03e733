"""A laboratory that makes attestation statements of every format, under a test CA of its own."""

import datetime
import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fido2.attestation.base import AttestationResult
from fido2.cose import ES256, RS256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from tokenkit.attestation import TrustedRoots, verify_statement

NOW_S = 1_700_000_000.0
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
AAGUID = bytes(range(1, 17))
RP_ID = "tokenkit.example"
AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
NONCE_EXTENSION = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
KEY_DESCRIPTION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
AIK = x509.ObjectIdentifier("2.23.133.8.3")
TPM_NAMES = {"2.23.133.2.1": "id:49424D00", "2.23.133.2.2": "model", "2.23.133.2.3": "id:0001"}
PACKED_SUBJECT = (("C", "SE"), ("O", "maker"), ("OU", "Authenticator Attestation"), ("CN", "batch"))
OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Made:
    """What an authenticator answers, in the words of its attestation object."""

    format: str
    statement: Mapping[str, Any]
    auth_data: bytes
    client_data_hash: bytes

    def with_members(self, **changes: Any) -> "Made":
        """Other members; None takes one away."""
        members = {**self.statement, **changes}
        kept = {name: value for name, value in members.items() if value is not None}
        return replace(self, statement=kept)

    def verify(self) -> AttestationResult:
        return verify_statement(self.object(), self.client_data_hash)

    def object(self) -> AttestationObject:
        auth_data = AuthenticatorData(self.auth_data)
        return AttestationObject.create(self.format, auth_data, self.statement)


def der(tag: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    assert len(content) < 0x8000
    size = len(content)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return tag + length + content


def sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


class Lab:
    """Keys and certificates are made once; all that is made may be asked for otherwise."""

    def __init__(self) -> None:
        self.key = ec.derive_private_key(11, ec.SECP256R1())  # of the attestation
        self.own = ec.derive_private_key(12, ec.SECP256R1())  # of the credential
        self.rsa = rsa.generate_private_key(65537, 2048)
        self._ca = ec.derive_private_key(13, ec.SECP256R1())
        self.root = self.certificate(None, "root", self._ca, self._ca, *ca())

    @property
    def roots(self) -> TrustedRoots:
        return TrustedRoots([self.root], lambda: NOW_S)

    def certificate(
        self,
        subject: str | Sequence[tuple[str, str]] | None,
        issuer: str,
        key: Any,
        issuer_key: Any = None,
        *extensions: Extension,
        start: datetime.datetime = START,
        years: int = 20,
    ) -> bytes:
        """DER; ``subject`` is a common name, or its parts; None makes the root."""
        if subject is None:
            subject = issuer
        parts = (("CN", subject),) if isinstance(subject, str) else subject
        names = [x509.NameAttribute(OIDS[kind], value, _validate=False) for kind, value in parts]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(names))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(start)
            .not_valid_after(start.replace(year=start.year + years))
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        signed = builder.sign(issuer_key or self._ca, SHA256())
        return signed.public_bytes(Encoding.DER)

    def leaf(self, subject: Any, key: Any, *extensions: Extension) -> bytes:
        return self.certificate(subject, "root", key, None, *extensions)

    def auth_data(self, key: Any = None, aaguid: bytes = AAGUID) -> bytes:
        public = (key or self.own).public_key()
        kind = RS256 if isinstance(public, rsa.RSAPublicKey) else ES256
        credential = AttestedCredentialData.create(
            aaguid, b"credential id", kind.from_cryptography_key(public)
        )
        rp_id_hash = hashlib.sha256(RP_ID.encode()).digest()
        return bytes(AuthenticatorData.create(rp_id_hash, 0x45, 7, bytes(credential)))

    def make(self, name: str, client_data_hash: bytes = bytes(range(32)), **options: Any) -> Made:
        """A statement of a format that is right, where ``options`` do not say otherwise."""
        aaguid = options.pop("aaguid", bytes(16) if name in ("fido-u2f", "apple") else AAGUID)
        auth_data = self.auth_data(options.get("own"), aaguid)
        make: Callable[..., dict[str, Any]] = getattr(self, "_" + name.replace("-", "_"))
        statement = make(auth_data, client_data_hash, **options)
        return Made(name.removesuffix("-self"), statement, auth_data, client_data_hash)

    def _none(self, auth_data: bytes, client_data_hash: bytes) -> dict[str, Any]:
        return {}

    def _packed_self(self, auth_data: bytes, client_data_hash: bytes) -> dict[str, Any]:
        return {"alg": -7, "sig": self.own.sign(auth_data + client_data_hash, ES)}

    def _packed(
        self,
        auth_data: bytes,
        client_data_hash: bytes,
        subject: Any = PACKED_SUBJECT,
        extensions: Sequence[Extension] | None = None,
        algorithm: int = -7,
    ) -> dict[str, Any]:
        signed = auth_data + client_data_hash
        key: Any = self.key if algorithm == -7 else self.rsa
        if algorithm == -7:
            signature = self.key.sign(signed, ES)
        elif algorithm == -37:
            signature = self.rsa.sign(signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
        else:
            hashed = SHA1() if algorithm == -65535 else SHA256()
            signature = self.rsa.sign(signed, padding.PKCS1v15(), hashed)
        if extensions is None:
            extensions = (not_ca(), octets(AAGUID_EXTENSION, der(b"\x04", AAGUID)))
        return {
            "alg": algorithm,
            "sig": signature,
            "x5c": [self.leaf(subject, key, *extensions)],
        }

    def _fido_u2f(
        self,
        auth_data: bytes,
        client_data_hash: bytes,
        key: Any = None,
        extensions: Sequence[Extension] = (),
    ) -> dict[str, Any]:
        credential = AuthenticatorData(auth_data).credential_data
        assert credential is not None
        public = credential.public_key
        signed = auth_data[:32] + client_data_hash + credential.credential_id
        signed = b"\0" + signed + b"\x04" + public[-2] + public[-3]
        key = key or self.key
        return {"sig": key.sign(signed, ES), "x5c": [self.leaf("u2f", key, *extensions)]}

    def _tpm(
        self,
        auth_data: bytes,
        client_data_hash: bytes,
        own: Any = None,
        area: bytes | None = None,
        info: Callable[[bytes], bytes] = lambda info: info,
        subject: Any = (),
        extensions: Sequence[Extension] | None = None,
        algorithm: int = -7,
    ) -> dict[str, Any]:
        area = pub_area(own or self.own) if area is None else area
        hashed = hashlib.sha1 if algorithm == -65535 else hashlib.sha256
        signed = info(
            cert_info(
                hashed(auth_data + client_data_hash).digest(),
                b"\x00\x0b" + hashlib.sha256(area).digest(),
            )
        )
        key: Any = self.key if algorithm == -7 else self.rsa
        signature = (
            self.key.sign(signed, ES)
            if algorithm == -7
            else self.rsa.sign(signed, padding.PKCS1v15(), SHA1())
        )
        chosen = (not_ca(), tpm_name(), aik()) if extensions is None else extensions
        return {
            "ver": "2.0",
            "alg": algorithm,
            "sig": signature,
            "certInfo": signed,
            "pubArea": area,
            "x5c": [self.leaf(subject, key, *chosen)],
        }

    def _android_key(
        self,
        auth_data: bytes,
        client_data_hash: bytes,
        signer: Any = None,
        software: bytes = b"",
        tee: bytes | None = None,
        challenge: bytes | None = None,
        description: bytes | None = None,
    ) -> dict[str, Any]:
        if description is None:
            description = der(
                b"\x30",
                *(b"\x02\x01\x64", b"\x0a\x01\x01", b"\x02\x01\x64", b"\x0a\x01\x01"),
                der(b"\x04", client_data_hash if challenge is None else challenge),
                der(b"\x04"),
                der(b"\x30", software),
                der(b"\x30", SIGNS + GENERATED if tee is None else tee),
            )
        key = signer or self.own
        extension = octets(KEY_DESCRIPTION, description)
        return {
            "alg": -7,
            "sig": key.sign(auth_data + client_data_hash, ES),
            "x5c": [self.leaf("Android Keystore Key", key, extension)],
        }

    def _apple(
        self,
        auth_data: bytes,
        client_data_hash: bytes,
        key: Any = None,
        nonce: Callable[[bytes], bytes] = lambda nonce: nonce,
        extensions: Sequence[Extension] | None = None,
    ) -> dict[str, Any]:
        digest = hashlib.sha256(auth_data + client_data_hash).digest()
        if extensions is None:
            encoded = nonce(der(b"\x30", der(b"\xa1", der(b"\x04", digest))))
            extensions = (octets(NONCE_EXTENSION, encoded),)
        return {"x5c": [self.leaf("credential", key or self.own, *extensions)]}


ES = ec.ECDSA(SHA256())
# of an AuthorizationList: purpose, origin
SIGNS = bytes.fromhex("a1053103020102")
GENERATED = bytes.fromhex("bf853e03020100")


def not_ca() -> Extension:
    return x509.BasicConstraints(False, None), True


def ca(length: int | None = None) -> tuple[Extension, ...]:
    return ((x509.BasicConstraints(True, length), True),)


def octets(identifier: x509.ObjectIdentifier, value: bytes, critical: bool = False) -> Extension:
    return x509.UnrecognizedExtension(identifier, value), critical


def tpm_name(**changes: str | None) -> Extension:
    """The subject alternative name; ``maker``, ``model`` and ``version`` may be others, or None."""
    values = dict(zip(TPM_NAMES, ("maker", "model", "version"), strict=True))
    attributes = [
        x509.NameAttribute(x509.ObjectIdentifier(identifier), value)
        for identifier, default in TPM_NAMES.items()
        if (value := changes.get(values[identifier], default)) is not None
    ]
    return x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(attributes))]), True


def aik(identifier: x509.ObjectIdentifier = AIK) -> Extension:
    return x509.ExtendedKeyUsage([identifier]), False


def cert_info(extra_data: bytes, name: bytes) -> bytes:
    """A TPMS_ATTEST of a certified key."""
    clock = struct.pack(">QLLBQ", 1, 2, 3, 1, 4)
    signer = b"\x00\x0b" + bytes(32)
    return (
        b"\xffTCG\x80\x17" + sized(signer) + sized(extra_data) + clock + sized(name) + sized(signer)
    )


def pub_area(key: Any, scheme: bytes = b"\x00\x10", symmetric: bytes = b"\x00\x10") -> bytes:
    """A TPMT_PUBLIC of a key that may sign."""
    public = key.public_key()
    head = b"\x00\x0b" + struct.pack(">L", 0x40072) + sized(b"") + symmetric + scheme
    if isinstance(public, rsa.RSAPublicKey):
        modulus = public.public_numbers().n.to_bytes(256, "big")
        return b"\x00\x01" + head + struct.pack(">HL", 2048, 0) + sized(modulus)
    numbers = public.public_numbers()
    x, y = (sized(each.to_bytes(32, "big")) for each in (numbers.x, numbers.y))
    return b"\x00\x23" + head + b"\x00\x03\x00\x10" + x + y


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
