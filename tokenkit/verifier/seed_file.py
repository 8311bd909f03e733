"""Seed files that come with hardware tokens: PSKC (RFC 6030) and CSV."""

import base64
import binascii
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tokenkit.verifier.errors import SeedFileError, ValidationError
from tokenkit.verifier.names import check_serial_number

if TYPE_CHECKING:
    from pskc.key import Key

_MOST_BYTES = 64 * 2**20
_ALGORITHMS = ("SHA1", "SHA256", "SHA512")
_DIGITS = range(6, 9)
_PERIODS_S = range(1, 3601)
_SEED_BYTES = range(1, 1025)


@dataclass(frozen=True)
class Seed:
    """What a seed file says of one TOTP token."""

    serial_number: str
    secret: bytes = field(repr=False)
    algorithm: str
    digits: int
    period_s: int


def read_seed_file(path: str | Path, pre_shared_key: bytes | None = None) -> list[Seed]:
    """All tokens of a file, in its order; PSKC or CSV, which its first character tells.

    A CSV file has a header line with at least ``serial number`` and ``secret key`` (base32), and
    may have ``time interval`` (seconds), ``digits``, ``algorithm`` and ``type`` (totp). Raises
    SeedFileError if a token is unreadable, unusable or there twice.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            contents = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SeedFileError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no name that a file can have
        raise SeedFileError(f"{str(path)!r}: {error}") from None
    return parse_seed_file(contents, str(path), pre_shared_key)


def parse_seed_file(
    contents: bytes, name: str = "seeds", pre_shared_key: bytes | None = None
) -> list[Seed]:
    """The same for the ``contents`` of a file, which messages call ``name``."""
    if len(contents) > _MOST_BYTES:
        raise SeedFileError(f"{name}: over {_MOST_BYTES // 2**20} MiB: split it")
    is_pskc = contents.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    try:
        seeds = [
            _checked(where, seed)
            for where, seed in (_pskc(contents, pre_shared_key) if is_pskc else _csv(contents))
        ]
        _check_file(seeds)
    except SeedFileError as error:
        raise SeedFileError(f"{name}: {error}") from None
    return seeds


def _check_file(seeds: list[Seed]) -> None:
    if not seeds:
        raise SeedFileError("no token in it")
    [(serial_number, times)] = Counter(seed.serial_number for seed in seeds).most_common(1)
    if times > 1:
        raise SeedFileError(f"serial number {serial_number} is in it {times} times")


def _checked(where: str, seed: Seed) -> Seed:
    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise SeedFileError(f"{where}: {what}")

    try:
        check_serial_number(seed.serial_number)
    except ValidationError as error:
        raise SeedFileError(f"{where}: {error}") from None
    demand(seed.algorithm in _ALGORITHMS, f"algorithm {seed.algorithm!r} is not one of {_LISTED}")
    demand(seed.digits in _DIGITS, "its codes do not have 6 to 8 digits")
    demand(seed.period_s in _PERIODS_S, "its time interval is not 1 to 3600 s")
    demand(len(seed.secret) in _SEED_BYTES, f"a secret key of {len(seed.secret)} bytes")
    return seed


_LISTED = ", ".join(_ALGORITHMS)


def _csv(contents: bytes) -> Iterator[tuple[str, Seed]]:
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SeedFileError("neither XML (PSKC) nor text (CSV)") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        if rows.fieldnames is not None:
            rows.fieldnames = [name.strip().lower() for name in rows.fieldnames]
        columns = Counter(rows.fieldnames or ())
        for column in ("serial number", "secret key"):
            if column not in columns:
                raise SeedFileError(f"no column {column!r}: the first line names the columns")
        for column, times in columns.items():
            if column and times > 1:
                raise SeedFileError(f"column {column!r} is there twice")
        for row in rows:
            where = f"line {rows.line_num}"
            if None in row or None in row.values():
                raise SeedFileError(f"{where}: not as many fields as the first line names")
            yield where, _csv_seed(where, {name: row[name].strip() for name in row})
    except csv.Error as error:
        raise SeedFileError(f"line {rows.reader.line_num}: {error}") from None


def _csv_seed(where: str, row: dict[str, str]) -> Seed:
    def number(column: str, default: int) -> int:
        text = row.get(column, "") or str(default)
        if not re.fullmatch("[0-9]{1,9}", text):
            raise SeedFileError(f"{where}: {column} {text!r} is no number")
        return int(text)

    kind = row.get("type", "") or "totp"
    if kind.lower() != "totp":
        raise SeedFileError(f"{where}: {kind} token: only TOTP tokens can be enabled")
    secret = row["secret key"].replace(" ", "").upper()
    try:
        seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    except (binascii.Error, ValueError):
        raise SeedFileError(f"{where}: the secret key is not base32") from None
    return Seed(
        row["serial number"],
        seed,
        _algorithm(row.get("algorithm", "")),
        number("digits", 6),
        number("time interval", 30),
    )


def _algorithm(name: str) -> str:
    return name.upper().removeprefix("HMAC").replace("-", "") or "SHA1"


def _pskc(contents: bytes, pre_shared_key: bytes | None) -> Iterable[tuple[str, Seed]]:
    import pskc
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
    from pskc.exceptions import DecryptionError, PSKCError

    try:
        container = pskc.PSKC(io.BytesIO(contents))
        if pre_shared_key is not None:
            container.encryption.key = pre_shared_key
        return [
            (f"key {number + 1}", _pskc_seed(f"key {number + 1}", key))
            for number, key in enumerate(container.keys)
        ]
    except DecryptionError as error:
        how = "is this the pre-shared key?" if pre_shared_key else "give the pre-shared key"
        raise SeedFileError(f"{error}: {how}") from None
    except SeedFileError:
        raise
    except (
        PSKCError,
        # what XML, dates, numbers and keys raise, which python-pskc lets pass
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        InvalidUnwrap,
        UnsupportedAlgorithm,
    ) as error:
        raise SeedFileError(f"not PSKC: {error}") from error


def _pskc_seed(where: str, key: "Key") -> Seed:
    kind = (key.algorithm or "").rpartition(":")[2]
    if kind.lower() != "totp":
        raise SeedFileError(f"{where}: {kind or 'unknown'} token: only TOTP tokens can be enabled")
    if (key.response_encoding or "DECIMAL").upper() != "DECIMAL":
        raise SeedFileError(f"{where}: its codes are {key.response_encoding}, not DECIMAL")
    if key.response_check:
        raise SeedFileError(f"{where}: its codes end in a check digit")
    return Seed(
        key.serial or key.id or "",
        key.secret or b"",
        _algorithm(key.algorithm_suite or ""),
        6 if key.response_length is None else key.response_length,
        30 if key.time_interval is None else key.time_interval,
    )
