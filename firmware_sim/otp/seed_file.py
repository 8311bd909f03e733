"""Seed files: how the secret keys of a batch travel from the factory to the verifier.

PSKC (RFC 6030) by python-pskc, clear or encrypted with a pre-shared key or a password; and CSV.
"""

import base64
import csv
import hashlib
import hmac
import io
from collections.abc import Iterable
from pathlib import Path

from pskc import PSKC
from pskc.encryption import encrypt
from pskc.key import EncryptedValue
from pskc.policy import Policy

from firmware_sim.otp.private_file import write_private_files
from firmware_sim.otp.token import TokenKind, TokenSpec

MANUFACTURER = "tokenkit"
CSV_COLUMNS = (
    "serial number",
    "secret key",
    "time interval",
    "digits",
    "algorithm",
    "type",
    "counter",
    "manufacturer",
    "model",
)
_PSKC_ALGORITHM = "urn:ietf:params:xml:ns:keyprov:pskc:"
_KEY_NAME = "Pre-shared-key"  # as in RFC 6030 figure 6
_PASSWORD_NAME = "Passphrase"
# PBKDF2 with HMAC-SHA-1, as all that read PSKC know it; a guess at the password takes as long
_ITERATIONS = 600_000
_PASSWORD_KEY_BYTES = 16


def write_pskc(
    specs: Iterable[TokenSpec],
    path: str | Path,
    pre_shared_key: bytes | None = None,
    password: str | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a PSKC file, see :func:`pskc_file`; whole or not at all, mode 0600.

    FileExistsError if there is such a file, unless ``overwrite`` is set.
    """
    write_private_files({Path(path): pskc_file(specs, pre_shared_key, password)}, overwrite)


def write_csv(specs: Iterable[TokenSpec], path: str | Path, *, overwrite: bool = False) -> None:
    """Write a CSV file, see :func:`csv_file`; whole or not at all, mode 0600.

    FileExistsError if there is such a file, unless ``overwrite`` is set.
    """
    write_private_files({Path(path): csv_file(specs)}, overwrite)


def pskc_file(
    specs: Iterable[TokenSpec], pre_shared_key: bytes | None = None, password: str | None = None
) -> bytes:
    """The contents of a PSKC 1.0 file.

    With ``pre_shared_key`` (16, 24 or 32 bytes, else ValueError) or a key that is derived from
    ``password`` the secrets are encrypted with AES-CBC and authenticated with HMAC-SHA1: RFC 6030
    section 6. ValueError for both.
    """
    specs = list(specs)
    container = PSKC()
    encryption = container.encryption
    if pre_shared_key is not None and password is not None:
        raise ValueError("a PSKC file is encrypted with a pre-shared key or a password, not both")
    if pre_shared_key is not None or password is not None:
        container.mac.key = bytes(1)  # python-pskc would draw one; the real one is set below
    if pre_shared_key is not None:
        if len(pre_shared_key) not in (16, 24, 32):
            raise ValueError(
                f"a pre-shared key for AES has 16, 24 or 32 bytes, not {len(pre_shared_key)}"
            )
        encryption.setup_preshared_key(
            key=pre_shared_key,
            algorithm=f"aes{8 * len(pre_shared_key)}-cbc",
            key_name=_KEY_NAME,
        )
    elif password is not None:
        if not password:
            raise ValueError("an empty password protects nothing")
        seeds = hashlib.sha256(b"".join(spec.seed for spec in specs)).digest()
        encryption.setup_pbkdf2(
            password,
            algorithm="aes128-cbc",
            key_name=_PASSWORD_NAME,
            key_length=_PASSWORD_KEY_BYTES,
            iterations=_ITERATIONS,
            salt=_derive(seeds, b"salt")[:16],  # in place of a random one, see _encrypted
        )
    if encryption.key is not None:
        container.mac.key = _derive(encryption.key, b"MAC key")[:20]
        container.mac.key = _encrypted(container, container.mac.key, with_mac=False)
    for spec in specs:
        is_totp = spec.kind is TokenKind.TOTP
        key = container.add_key(
            id=spec.serial_number,
            serial=spec.serial_number,
            manufacturer=MANUFACTURER,
            model=_model(spec),
            algorithm=_PSKC_ALGORITHM + spec.kind.lower(),
            algorithm_suite=f"HMAC-{spec.algorithm}",
            response_encoding="DECIMAL",
            response_length=spec.digits,
            time_offset=0 if is_totp else None,
            time_interval=spec.period_s if is_totp else None,
            counter=None if is_totp else 0,
        )
        if encryption.key is None:
            key.secret = spec.seed
        else:
            # a descriptor that takes either; python-pskc declares only what it gives back
            key.secret = _encrypted(container, spec.seed)  # type: ignore[assignment]
        key.policy.key_usage = [Policy.KEY_USE_OTP]
    file = io.BytesIO()
    container.write(file)
    return file.getvalue()


def csv_file(specs: Iterable[TokenSpec]) -> bytes:
    """The contents of a CSV file with a header line; secrets in base32, not encrypted.

    The time interval (seconds) is empty for HOTP, the counter for TOTP.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for spec in specs:
        is_totp = spec.kind is TokenKind.TOTP
        writer.writerow(
            (
                spec.serial_number,
                base64.b32encode(spec.seed).decode(),
                spec.period_s if is_totp else "",
                spec.digits,
                spec.algorithm,
                spec.kind,
                "" if is_totp else 0,
                MANUFACTURER,
                _model(spec),
            )
        )
    return file.getvalue().encode()


def _model(spec: TokenSpec) -> str:
    return f"{spec.kind}-{spec.digits}"


def _derive(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"tokenkit PSKC\0" + b"\0".join(parts), hashlib.sha256)


def _encrypted(container: PSKC, secret: bytes, with_mac: bool = True) -> EncryptedValue:
    """``secret`` as python-pskc encrypts it, but for the initialisation vector.

    That one follows from key and secret, as in AES-SIV, in place of the operating system's
    randomness: the same batch gives the same file, and equal vectors mean equal secrets.
    """
    encryption = container.encryption
    assert encryption.key is not None
    vector = _derive(encryption.key, b"IV", secret)[:16]
    cipher = encrypt(encryption.algorithm, encryption.key, secret, vector)
    mac = container.mac.generate_mac(cipher) if with_mac else None
    return EncryptedValue(cipher, mac, encryption.algorithm)
