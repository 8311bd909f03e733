"""Seed files that come with hardware tokens: PSKC (RFC 6030) and CSV."""

import base64
import binascii
import csv
import io
import re
import xml.parsers.expat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Place(NamedTuple):
    """Where in a seed file a token is: its line, and which key of a PSKC file it is."""

    line: int | None
    key: int | None = None

    def __str__(self) -> str:
        parts = (("line", self.line), ("key", self.key))
        return ", ".join(f"{name} {number}" for name, number in parts if number is not None)


@dataclass(frozen=True)
class SeedFault:
    """Why a token, or all of a file, cannot be imported; without a ``place`` it is the file."""

    message: str
    place: Place | None = None


@dataclass(frozen=True)
class SeedFilePreview:
    """What an import would make of a file: its tokens, and all that is in the way."""

    tokens: list[tuple[Place, Seed]]
    faults: list[SeedFault]

    @property
    def seeds(self) -> list[Seed]:
        return [seed for _, seed in self.tokens]


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
    try:
        seeds = []
        for place, found in _entries(contents, pre_shared_key):
            if isinstance(found, SeedFileError):
                raise SeedFileError(f"{place}: {found}")
            seeds.append(found)
        _check_file(seeds)
    except SeedFileError as error:
        raise SeedFileError(f"{name}: {error}") from None
    return seeds


def preview_seed_file(contents: bytes, pre_shared_key: bytes | None = None) -> SeedFilePreview:
    """All tokens of a file and all its faults, for who wants to mend more than the first.

    Raises nothing: what :func:`parse_seed_file` would raise is among the faults. Those are in the
    order of the file, but for a file that cannot be read to its end, which is said last.
    """
    tokens: list[tuple[Place, Seed]] = []
    faults: list[SeedFault] = []
    first: dict[str, Place] = {}
    try:
        for place, found in _entries(contents, pre_shared_key):
            if isinstance(found, SeedFileError):
                faults.append(SeedFault(str(found), place))
            elif found.serial_number in first:
                earlier = first[found.serial_number]
                text = f"serial number {found.serial_number} is in it already: {earlier}"
                faults.append(SeedFault(text, place))
            else:
                first[found.serial_number] = place
                tokens.append((place, found))
        if not tokens and not faults:
            _check_file([])
    except SeedFileError as error:
        faults.append(SeedFault(str(error)))
    return SeedFilePreview(tokens, faults)


_Entries = Iterator[tuple[Place, Seed | SeedFileError]]


def _entries(contents: bytes, pre_shared_key: bytes | None) -> _Entries:
    """What is at each place: a usable token, or why it is none. SeedFileError of the whole file."""
    if len(contents) > _MOST_BYTES:
        raise SeedFileError(f"over {_MOST_BYTES // 2**20} MiB: split it")
    is_pskc = contents.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    return _pskc(contents, pre_shared_key) if is_pskc else _csv(contents)


def _check_file(seeds: list[Seed]) -> None:
    if not seeds:
        raise SeedFileError("no token in it")
    [(serial_number, times)] = Counter(seed.serial_number for seed in seeds).most_common(1)
    if times > 1:
        raise SeedFileError(f"serial number {serial_number} is in it {times} times")


def _checked(seed: Seed) -> Seed:
    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise SeedFileError(what)

    try:
        check_serial_number(seed.serial_number)
    except ValidationError as error:
        raise SeedFileError(str(error)) from None
    demand(seed.algorithm in _ALGORITHMS, f"algorithm {seed.algorithm!r} is not one of {_LISTED}")
    demand(seed.digits in _DIGITS, "its codes do not have 6 to 8 digits")
    demand(seed.period_s in _PERIODS_S, "its time interval is not 1 to 3600 s")
    demand(len(seed.secret) in _SEED_BYTES, f"a secret key of {len(seed.secret)} bytes")
    return seed


_LISTED = ", ".join(_ALGORITHMS)


def _csv(contents: bytes) -> _Entries:
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
            place = Place(rows.line_num)
            try:
                yield place, _csv_seed(row)
            except SeedFileError as error:
                yield place, error
    except csv.Error as error:  # there is no telling where the next line begins
        yield Place(rows.reader.line_num), SeedFileError(str(error))


def _csv_seed(fields: dict[str, str]) -> Seed:
    if None in fields or None in fields.values():
        raise SeedFileError("not as many fields as the first line names")
    row = {name: text.strip() for name, text in fields.items()}

    def number(column: str, default: int) -> int:
        text = row.get(column, "") or str(default)
        if not re.fullmatch("[0-9]{1,9}", text):
            raise SeedFileError(f"{column} {text!r} is no number")
        return int(text)

    kind = row.get("type", "") or "totp"
    if kind.lower() != "totp":
        raise SeedFileError(f"{kind} token: only TOTP tokens can be enabled")
    secret = row["secret key"].replace(" ", "").upper()
    try:
        seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    except (binascii.Error, ValueError):
        raise SeedFileError("the secret key is not base32") from None
    return _checked(
        Seed(
            row["serial number"],
            seed,
            _algorithm(row.get("algorithm", "")),
            number("digits", 6),
            number("time interval", 30),
        )
    )


def _algorithm(name: str) -> str:
    return name.upper().removeprefix("HMAC").replace("-", "") or "SHA1"


def _pskc(contents: bytes, pre_shared_key: bytes | None) -> _Entries:
    """Key by key, for python-pskc refuses all of a file for one that is wrong."""
    import pskc
    import pskc.xml
    from pskc.parser import PSKCParser

    container = pskc.PSKC()
    with _pskc_errors(pre_shared_key):
        try:
            root: Any = pskc.xml.parse(io.BytesIO(contents)).getroot()
        except (LookupError, SyntaxError, ValueError) as error:
            raise SeedFileError(f"not PSKC: Error parsing XML: {error}") from None
        pskc.xml.remove_namespaces(root)
        packages = _take(root, "KeyPackage", "Device")
        PSKCParser.parse_document(container, root)
        if pre_shared_key is not None:
            container.encryption.key = pre_shared_key
    lines = _key_lines(contents)
    number = 0
    for package in packages:
        for element in _take(package, "Key", "Secret"):
            number += 1
            place = Place(lines.get(number), number)
            try:
                with _pskc_errors(pre_shared_key):
                    device = container.add_device()
                    PSKCParser.parse_key_package(device, package)
                    key = device.add_key()
                    PSKCParser.parse_key(key, element)
                    found: Seed | SeedFileError = _pskc_seed(key)
            except _WrongKeyError:
                raise
            except SeedFileError as error:
                found = error
            yield place, found


class _WrongKeyError(SeedFileError):
    """A pre-shared key that is missing or wrong, which all tokens of a file share."""


def _take(parent: Any, *tags: str) -> list[Any]:
    """The child elements of these names, which are thereby out of ``parent``."""
    taken = [child for child in parent if child.tag in tags]
    parent[:] = [child for child in parent if child.tag not in tags]
    return taken


def _key_lines(contents: bytes) -> dict[int, int]:
    """The line in which each key of a PSKC file begins, by its number: none if it is not told.

    For messages alone: ``contents`` were parsed before, with entities refused.
    """
    lines: list[int] = []
    parents: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        in_package = len(parents) == 2 and parents[1] in ("KeyPackage", "Device")
        if in_package and name in ("Key", "Secret"):
            lines.append(parser.CurrentLineNumber)
        parents.append(name)

    def end(name: str) -> None:
        parents.pop()

    parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    with suppress(xml.parsers.expat.ExpatError):
        parser.Parse(contents, True)
    return dict(enumerate(lines, 1))


@contextmanager
def _pskc_errors(pre_shared_key: bytes | None) -> Iterator[None]:
    """Everything that python-pskc raises as SeedFileError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
    from pskc.exceptions import DecryptionError, PSKCError

    try:
        yield
    except DecryptionError as error:
        how = "is this the pre-shared key?" if pre_shared_key else "give the pre-shared key"
        raise _WrongKeyError(f"{error}: {how}") from None
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


def _pskc_seed(key: "Key") -> Seed:
    kind = (key.algorithm or "").rpartition(":")[2]
    if kind.lower() != "totp":
        raise SeedFileError(f"{kind or 'unknown'} token: only TOTP tokens can be enabled")
    if (key.response_encoding or "DECIMAL").upper() != "DECIMAL":
        raise SeedFileError(f"its codes are {key.response_encoding}, not DECIMAL")
    if key.response_check:
        raise SeedFileError("its codes end in a check digit")
    return _checked(
        Seed(
            key.serial or key.id or "",
            key.secret or b"",
            _algorithm(key.algorithm_suite or ""),
            6 if key.response_length is None else key.response_length,
            30 if key.time_interval is None else key.time_interval,
        )
    )
