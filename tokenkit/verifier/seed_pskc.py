"""Seed files as PSKC (RFC 6030), by python-pskc: clear, under a pre-shared key or a password."""

import io
import xml.parsers.expat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenkit.verifier.errors import SeedFileError
from tokenkit.verifier.seed import Entries, Found, Place, Seed, algorithm_named, checked

if TYPE_CHECKING:
    from pskc import PSKC
    from pskc.key import Key

# PBKDF2 takes time in proportion: seconds at most for what a file may ask for
_MOST_ITERATIONS = 10_000_000
_MOST_KEY_BYTES = 64
_FIELDS = ("secret", "counter", "time_offset", "time_interval", "time_drift")


class Keys(NamedTuple):
    """What opens an encrypted file, if that is needed."""

    pre_shared_key: bytes | None = None
    password: str | None = None


class SeedKeyError(SeedFileError):
    """The pre-shared key or password of all of a file is missing or wrong.

    ``missing`` says which of them is, and is empty if one was given.
    """

    def __init__(self, why: str, missing: str = "") -> None:
        super().__init__(why)
        self.missing = missing


def pskc_seeds(contents: bytes, keys: Keys) -> Entries:
    """Key by key, for python-pskc refuses all of a file for one that is wrong."""
    import pskc
    import pskc.xml
    from pskc.parser import PSKCParser

    container = pskc.PSKC()
    with _pskc_errors():
        try:
            root: Any = pskc.xml.parse(io.BytesIO(contents)).getroot()
        except (LookupError, SyntaxError, ValueError) as error:
            raise SeedFileError(f"not PSKC: Error parsing XML: {error}") from None
        pskc.xml.remove_namespaces(root)
        packages = _take(root, "KeyPackage", "Device")
        PSKCParser.parse_document(container, root)
    _unlock(container, keys)
    lines = _key_lines(contents)
    entries: list[Found] = []
    for package in packages:
        for element in _take(package, "Key", "Secret"):
            number = len(entries) + 1
            key: Key | None = None
            try:
                with _pskc_errors():
                    device = container.add_device()
                    PSKCParser.parse_key_package(device, package)
                    key = device.add_key()
                    PSKCParser.parse_key(key, element)
                    found: Seed | SeedFileError = _seed(key)
            except SeedFileError as error:
                found = error
            serial_number = "" if key is None else key.serial or key.id or ""
            entries.append(Found(Place(lines.get(number), number), serial_number, found))
    wrong = [entry.seed for entry in entries if isinstance(entry.seed, _UnreadableError)]
    if wrong and len(wrong) == len(entries):
        raise _key_error(container, keys, wrong[0])
    return iter(entries)


class _UnreadableError(SeedFileError):
    """A token that the key does not open, as it does others: changed, or cut off."""

    def __init__(self, why: object) -> None:
        super().__init__(f"{why}: it was changed or cut off, or is under another key")
        self.why = why


def _unlock(container: "PSKC", keys: Keys) -> None:
    """Give the container its key; SeedKeyError if that is wrong as far as can be told by now."""
    from pskc.exceptions import PSKCError

    encryption, derivation = container.encryption, container.encryption.derivation
    try:
        if keys.password is not None and derivation.algorithm:
            if (derivation.pbkdf2_iterations or 0) > _MOST_ITERATIONS:
                raise SeedFileError(
                    f"it asks for {derivation.pbkdf2_iterations} iterations of PBKDF2; more than"
                    f" {_MOST_ITERATIONS} are refused"
                )
            if (derivation.pbkdf2_key_length or 0) > _MOST_KEY_BYTES:
                raise SeedFileError(f"it asks for a key of {derivation.pbkdf2_key_length} bytes")
            encryption.derive_key(keys.password)
        elif keys.pre_shared_key is not None:
            encryption.key = keys.pre_shared_key
        with _pskc_errors():
            _ = container.mac.key  # which is itself encrypted
    except _UnreadableError as error:
        raise _key_error(container, keys, error) from None
    except (PSKCError, ValueError, OverflowError, TypeError) as error:
        raise SeedFileError(f"not PSKC: {error}") from None


def _key_error(container: "PSKC", keys: Keys, error: _UnreadableError) -> SeedKeyError:
    what = "password" if container.encryption.derivation.algorithm else "pre-shared key"
    given = keys.password if what == "password" else keys.pre_shared_key
    if not given:
        return SeedKeyError(f"{error.why}: give the {what}", missing=what)
    return SeedKeyError(f"wrong {what}? If it is right, the file was changed: {error.why}")


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
def _pskc_errors() -> Iterator[None]:
    """Everything that python-pskc raises as SeedFileError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
    from pskc.exceptions import DecryptionError, PSKCError

    try:
        yield
    except (DecryptionError, InvalidUnwrap) as error:
        raise _UnreadableError(str(error) or "the wrapped key is not whole") from None
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
        UnsupportedAlgorithm,
    ) as error:
        raise SeedFileError(f"not PSKC: {error}") from error


def _seed(key: "Key") -> Seed:
    kind = (key.algorithm or "").rpartition(":")[2]
    if kind.lower() != "totp":
        raise SeedFileError(f"{kind or 'unknown'} token: only TOTP tokens can be enabled")
    if (key.response_encoding or "DECIMAL").upper() != "DECIMAL":
        raise SeedFileError(f"its codes are {key.response_encoding}, not DECIMAL")
    if key.response_check:
        raise SeedFileError("its codes end in a check digit")
    _demand_macs(key)
    return checked(
        Seed(
            key.serial or key.id or "",
            key.secret or b"",
            algorithm_named(key.algorithm_suite or ""),
            6 if key.response_length is None else key.response_length,
            30 if key.time_interval is None else key.time_interval,
        )
    )


def _demand_macs(key: "Key") -> None:
    """CBC alone lets anybody change what it hides: RFC 6030 section 6.1.1."""
    from pskc.key import EncryptedValue

    for field in _FIELDS:
        value = getattr(key, f"_{field}", None)
        if isinstance(value, EncryptedValue) and not value.mac_value:
            algorithm = value.algorithm or key.device.pskc.encryption.algorithm or ""
            if algorithm.endswith("-cbc"):
                raise SeedFileError(
                    f"its {field.replace('_', ' ')} has no MAC (ValueMAC), so nobody can tell"
                    " whether it was changed: ask for a file that has"
                )
