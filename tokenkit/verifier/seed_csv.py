"""Seed files as CSV, by the names that makers of tokens and clouds give to the columns.

Which those are, and by whom: docs/seed-files.md.
"""

import base64
import binascii
import re

from tokenkit.tables import SPREADSHEET_NUMBER, Table, TableError, open_table, text_of
from tokenkit.verifier.errors import SeedFileError
from tokenkit.verifier.seed import Entries, Found, Place, Seed, algorithm_named, checked

_NAMES = {
    "serial number": "serial number, serial, serial no, sn, token serial, token serial number",
    "secret key": "secret key, secret, seed, token seed, shared secret",
    "secret hex": "secret hex, secret key hex, seed hex, hex, hex seed, hex secret",
    "secret base32": "secret base32, secret key base32, seed base32, base32, base32 seed",
    "time interval": "time interval, time interval in seconds, time step, period, time window",
    "digits": "digits, otp length, otplen, code length",
    "algorithm": "algorithm, hash, hash function, hash algorithm, crypto",
    "type": "type, token type",
    "upn": "upn",  # of no use but that it tells Entra's layout, whose keys are base32
}
_ALIASES = {name: aliases.split(", ") for name, aliases in _NAMES.items()}
_SECRETS = ("secret key", "secret hex", "secret base32")
# digits of a whole key of SHA-1, SHA-256 or SHA-512; in base32 it has 32, 52 or 103
_HEX_DIGITS = (40, 64, 128)


def csv_seeds(contents: bytes) -> Entries:
    """What is in each row. SeedFileError if no row can be read."""
    try:
        table = open_table(text_of(contents), _ALIASES)
    except TableError as error:
        raise SeedFileError(f"neither XML (PSKC) nor CSV: {error}") from None
    secrets = [name for name in _SECRETS if name in table.columns]
    for column, there in (
        ("serial number", "serial number" in table.columns),
        (_SECRETS[0], secrets),
    ):
        if not there:
            raise SeedFileError(
                f"no column {column!r}: the first line names the columns, such as 'serial number,"
                "secret key,time interval'"
            )
    if len(secrets) > 1:
        raise SeedFileError(f"columns {secrets[0]!r} and {secrets[1]!r} are one too many")
    encoding = secrets[0].removeprefix("secret ")
    if encoding == "key" and "upn" in table.columns:
        encoding = "base32"
    return _rows(table, secrets[0], encoding)


def _rows(table: Table, secret: str, encoding: str) -> Entries:
    for line, row in table.rows():
        serial_number = "" if isinstance(row, str) else row["serial number"]
        try:
            if isinstance(row, str):
                raise SeedFileError(row)
            yield Found(Place(line), serial_number, _seed(row, row[secret], encoding))
        except SeedFileError as error:
            yield Found(Place(line), serial_number, error)


def _seed(row: dict[str, str], secret: str, encoding: str) -> Seed:
    def number(column: str, default: int) -> int:
        text = row.get(column, "") or str(default)
        if not re.fullmatch("[0-9]{1,9}", text):
            raise SeedFileError(f"{column} {text!r} is no number")
        return int(text)

    if SPREADSHEET_NUMBER.fullmatch(row["serial number"]):
        raise SeedFileError("a spreadsheet cut the serial number: format the column as text")
    kind = row.get("type", "") or "totp"
    if kind.lower() != "totp":
        raise SeedFileError(f"{kind} token: only TOTP tokens can be enabled")
    return checked(
        Seed(
            row["serial number"],
            _secret(secret, encoding),
            algorithm_named(row.get("algorithm", "")),
            number("digits", 6),
            number("time interval", 30),
        )
    )


def _secret(text: str, encoding: str) -> bytes:
    """Hexadecimal or base32 as the column says, else as the characters and their number do."""
    text = re.sub(r"\s", "", text).upper()
    may_be_hex = re.fullmatch("([0-9A-F]{2})*", text) is not None
    may_be_base32 = re.fullmatch("[A-Z2-7]*=*", text) is not None
    if encoding == "key" and may_be_hex and may_be_base32 and text:
        if len(text) not in _HEX_DIGITS:
            raise SeedFileError(
                "the secret key may be hexadecimal or base32: call the column 'secret hex' or"
                " 'secret base32'"
            )
        encoding = "hex"
    try:
        if encoding == "hex" or (encoding == "key" and may_be_hex):
            return bytes.fromhex(text)
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise SeedFileError(f"the secret key is not {_why_not(text, encoding)}") from None


def _why_not(text: str, encoding: str) -> str:
    """The first stray character, or how many there are; no more of the key than that."""

    def stray(alphabet: str, stem: str) -> str:
        found = re.search(f"[^{alphabet}]", stem)
        return (
            f"{found[0]!r} is in it" if found else f"is it cut off? It has {len(stem)} characters"
        )

    as_hex, as_base32 = stray("0-9A-F", text), stray("A-Z2-7", text.rstrip("="))
    if encoding == "hex":
        return f"hexadecimal ({as_hex})"
    if encoding == "base32":
        return f"base32 ({as_base32})"
    if as_hex == as_base32:
        return f"base32, nor hexadecimal ({as_hex})"
    return f"base32 ({as_base32}), nor hexadecimal ({as_hex})"
