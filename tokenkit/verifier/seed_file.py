"""Seed files that come with hardware tokens: PSKC (RFC 6030) and CSV."""

from dataclasses import dataclass
from pathlib import Path

from tokenkit.tables import listed
from tokenkit.verifier.errors import SeedFileError
from tokenkit.verifier.seed import Entries, Place, Seed
from tokenkit.verifier.seed_csv import csv_seeds
from tokenkit.verifier.seed_pskc import Keys, SeedKeyError, pskc_seeds

__all__ = [
    "Place",
    "Seed",
    "SeedFault",
    "SeedFilePreview",
    "SeedKeyError",
    "open_seed_file",
    "parse_seed_file",
    "preview_seed_file",
    "read_seed_file",
]

_MOST_BYTES = 64 * 2**20
_LONGEST_SHOWN = 64


@dataclass(frozen=True)
class SeedFault:
    """Why a token, or all of a file, cannot be imported; without a ``place`` it is the file."""

    message: str
    place: Place | None = None
    serial_number: str = ""

    def __str__(self) -> str:
        where = [str(each) for each in (self.place, self.serial_number) if each]
        return f"{', '.join(where)}: {self.message}" if where else self.message


@dataclass(frozen=True)
class SeedFilePreview:
    """What an import would make of a file: its tokens, and all that is in the way."""

    tokens: list[tuple[Place, Seed]]
    faults: list[SeedFault]

    @property
    def seeds(self) -> list[Seed]:
        return [seed for _, seed in self.tokens]

    def usable(self, name: str, skip_faulty: bool = False) -> list[Seed]:
        """All tokens of the file, which messages call ``name``.

        SeedFileError, with its faults, if there are any; with ``skip_faulty`` only if
        there is nothing else.
        """
        if self.faults and not (skip_faulty and self.tokens):
            raise SeedFileError(listed(name, self.faults, "nothing was imported"))
        return self.seeds


def read_seed_file(
    path: str | Path,
    pre_shared_key: bytes | None = None,
    password: str | None = None,
    *,
    skip_faulty: bool = False,
) -> list[Seed]:
    """All tokens of a file, in its order; PSKC or CSV, which its first character tells.

    PSKC is clear, or encrypted with ``pre_shared_key`` or ``password``. A CSV file has a header
    line with at least ``serial number`` and ``secret key``, or what makers call them, and may have
    ``time interval`` (seconds), ``digits``, ``algorithm`` and ``type`` (totp): docs/seed-files.md.

    Raises SeedFileError if a token is unreadable, unusable or there twice, unless ``skip_faulty``
    leaves those out.
    """
    return open_seed_file(path, pre_shared_key, password).usable(str(path), skip_faulty)


def open_seed_file(
    path: str | Path, pre_shared_key: bytes | None = None, password: str | None = None
) -> SeedFilePreview:
    """What is in a file. SeedFileError if no token of it can be read."""
    try:
        with open(path, "rb") as file:
            contents = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SeedFileError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no name that a file can have
        raise SeedFileError(f"{str(path)!r}: {error}") from None
    return _opened(contents, str(path), Keys(pre_shared_key, password))


def parse_seed_file(
    contents: bytes,
    name: str = "seeds",
    pre_shared_key: bytes | None = None,
    password: str | None = None,
) -> list[Seed]:
    """As :func:`read_seed_file` for the ``contents`` of a file, which messages call ``name``."""
    return _opened(contents, name, Keys(pre_shared_key, password)).usable(name)


def preview_seed_file(
    contents: bytes, pre_shared_key: bytes | None = None, password: str | None = None
) -> SeedFilePreview:
    """All tokens of a file and all its faults, for who wants to mend more than the first.

    Raises nothing: what :func:`parse_seed_file` would raise is among the faults.
    """
    try:
        return _preview(contents, Keys(pre_shared_key, password))
    except SeedFileError as error:
        return SeedFilePreview([], [SeedFault(str(error))])


def _opened(contents: bytes, name: str, keys: Keys) -> SeedFilePreview:
    try:
        return _preview(contents, keys)
    except SeedKeyError as error:
        raise SeedKeyError(f"{name}: {error}", error.missing) from None
    except SeedFileError as error:
        raise SeedFileError(f"{name}: {error}") from None


def _preview(contents: bytes, keys: Keys) -> SeedFilePreview:
    """SeedFileError if all of the file is wrong."""
    tokens: dict[str, tuple[Place, Seed]] = {}
    faults: list[SeedFault] = []
    contradicted: set[str] = set()
    for place, serial_number, found in _entries(contents, keys):
        if isinstance(found, SeedFileError):
            shown = serial_number if serial_number.isprintable() else ""
            faults.append(SeedFault(str(found), place, shown[:_LONGEST_SHOWN]))
        elif serial_number in tokens:
            earlier, seed = tokens[serial_number]
            text = f"serial number {serial_number} is in it already: {earlier}"
            if seed != found:
                text += ", and says something else"
                contradicted.add(serial_number)  # so nobody knows which of them is right
            faults.append(SeedFault(text, place))
        else:
            tokens[serial_number] = place, found
    if not tokens and not faults:
        raise SeedFileError("no token in it")
    kept = [each for serial, each in tokens.items() if serial not in contradicted]
    return SeedFilePreview(kept, faults)


def _entries(contents: bytes, keys: Keys) -> Entries:
    if len(contents) > _MOST_BYTES:
        raise SeedFileError(f"over {_MOST_BYTES // 2**20} MiB: split it")
    is_pskc = contents.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    return pskc_seeds(contents, keys) if is_pskc else csv_seeds(contents)
