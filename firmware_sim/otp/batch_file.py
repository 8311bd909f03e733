"""Batch files: tokens as they lie in the drawer, seeds and crystals, to be run again later."""

from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from firmware_sim.otp.factory import Batch
from firmware_sim.otp.private_file import write_private_files
from firmware_sim.otp.seed_file import csv_file, pskc_file
from firmware_sim.otp.token import TokenSpec
from firmware_sim.world.oscillator import Crystal

BATCH_NAME, PSKC_NAME, CSV_NAME = "batch.json", "seeds.pskcxml", "seeds.csv"


class BatchFileError(ValueError):
    """A file that is no batch file; the message names it and says what is wrong."""


class _BatchFile(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal["otp batch 1"]
    tokens: list[TokenSpec]


def ship_batch(
    batch: Batch,
    directory: str | Path,
    pre_shared_key: bytes | None = None,
    password: str | None = None,
) -> dict[str, Path]:
    """Write a batch file and both seed files into ``directory``, made if need be: all or none.

    Returns their paths as ``batch``, ``pskc`` and ``csv``; all have mode 0600. The PSKC file is
    encrypted if there is a ``pre_shared_key`` or a ``password``; batch and CSV file hold the seeds
    in the clear. FileExistsError if one of the files is there already.
    """
    directory = Path(directory)
    files = {
        "batch": (directory / BATCH_NAME, batch_file(batch)),
        "pskc": (directory / PSKC_NAME, pskc_file(batch.tokens, pre_shared_key, password)),
        "csv": (directory / CSV_NAME, csv_file(batch.tokens)),
    }
    with ExitStack() as undo:
        _make_directory(directory, undo)
        write_private_files(dict(files.values()))
        undo.pop_all()
    return {name: path for name, (path, _) in files.items()}


def _make_directory(directory: Path, undo: ExitStack) -> None:
    """Make ``directory`` and what is missing above it."""
    if not directory.is_dir():
        _make_directory(directory.parent, undo)
        directory.mkdir(exist_ok=True)
        undo.callback(_remove_if_empty, directory)


def _remove_if_empty(directory: Path) -> None:
    # somebody may have put a file into it meanwhile
    with suppress(OSError):
        directory.rmdir()


def batch_file(batch: Batch) -> bytes:
    """The contents of a batch file: JSON, bytes in base64."""
    file = _BatchFile("otp batch 1", batch.tokens)
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def read_batch(path: str | Path) -> Batch:
    """The batch in a file of :func:`ship_batch`. BatchFileError if it is none; OSError."""
    contents = Path(path).read_bytes()
    try:
        file = msgspec.json.decode(contents, type=_BatchFile)
        for token in msgspec.json.decode(contents)["tokens"]:
            _refuse_unknown(token, TokenSpec)
            _refuse_unknown(token.get("crystal", {}), Crystal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # it may quote the file, and what is in there is not for the terminal
        reason = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))
        raise BatchFileError(f"{path}: not a batch file: {reason}") from error
    numbers = [spec.serial_number for spec in file.tokens]
    if not numbers or len(set(numbers)) < len(numbers):
        raise BatchFileError(f"{path}: a batch has tokens, and each serial number once")
    return Batch(file.tokens)


def _refuse_unknown(given: dict[str, Any], wanted: type[TokenSpec | Crystal]) -> None:
    """What msgspec does for a Struct but not for a dataclass: a misspelt name is no default."""
    if unknown := given.keys() - {field.name for field in fields(wanted)}:
        raise msgspec.ValidationError(f"unknown field {min(unknown)!r} in a token")
