"""A folder that keeps what a study has counted so far, so that it goes on after whatever stops it.

``study.json`` says of which study and which code; each finished partition is a file of its own,
that begins with the SHA-256 of what follows.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tokenkit.errors import TokenkitError
from tokenkit.fleet.archive import unpack
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.report.files import whole_file

_ABOUT = "study.json"
_DIGEST_BYTES = hashlib.sha256().digest_size


class CheckpointError(TokenkitError):
    """A checkpoint that cannot be used for this study, or not be written."""


class Checkpoint:
    """What is kept in ``folder`` of the study ``digest``, as counted by ``code``.

    A folder that is new or empty becomes one; what is half written there is removed. A checkpoint
    of another study or code is refused, and so is a folder with other things in it. ``warn`` is
    told of files that are damaged: their partitions are as if they had not been counted.
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        digest: str,
        code: str,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.folder = folder
        self._warn = warn
        about = {"tokenkit": "fleet checkpoint", "study": digest, "title": title, "code": code}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in folder.iterdir()}
            for name in names:
                if name.startswith((f".{_ABOUT}.", ".tokens-")):
                    (folder / name).unlink()
            found = self._about() if _ABOUT in names else None
        except OSError as error:
            reason = error.strerror or error
            raise CheckpointError(f"cannot use the checkpoint {folder}: {reason}") from None
        if found is None:
            if others := sorted(name for name in names if not name.startswith(".")):
                raise CheckpointError(
                    f"{folder} is no checkpoint of a study, but holds {others[0]}: name a new"
                    " folder"
                )
            self._write(_ABOUT, json.dumps(about, indent=1).encode() + b"\n")
        elif found.get("study") != digest:
            raise CheckpointError(
                f"{folder} is the checkpoint of another study, {found.get('title')!r}, or of this"
                " one with another seed, other tokens or other rules: name another folder, or"
                " remove that one"
            )
        elif found.get("code") != code:
            raise CheckpointError(
                f"{folder} was counted by {found.get('code')}, this is {code}: go on with that"
                " one, or remove the folder to begin again"
            )

    def holds_any(self) -> bool:
        """Whether any partition is kept."""
        return any(self.folder.glob("tokens-*"))

    def load(self, part: Partition) -> Counted | None:
        """What was kept of ``part``, or None: there is nothing, or it is damaged."""
        path = self.folder / _name(part)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror}") from None
        digest, archive = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(archive).digest() != digest:
            self._warn(f"{path} is damaged: its tokens are counted again")
            return None
        counted = unpack(archive)
        if counted.partition != part:
            self._warn(f"{path} holds other tokens: those of its name are counted again")
            return None
        return counted

    def save(self, part: Partition, archive: bytes) -> None:
        """Keep what ``part`` gave: when this returns it is on the disk."""
        self._write(_name(part), hashlib.sha256(archive).digest() + archive)

    def _about(self) -> dict[str, str]:
        path = self.folder / _ABOUT
        with suppress(ValueError):
            about = json.loads(path.read_bytes())
            if isinstance(about, dict):
                return about
        raise CheckpointError(f"{path} is damaged: remove {self.folder} to begin again")

    def _write(self, name: str, data: bytes) -> None:
        """A whole file, which is on the disk when this returns, and so is its name."""
        with whole_file(self.folder / name) as file:
            file.write(data)
        if os.name == "nt":
            return  # Windows opens no folders
        try:
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CheckpointError(f"cannot write {self.folder}: {error.strerror}") from None


def _name(part: Partition) -> str:
    return f"tokens-{part.batch + 1}-{part.first}"
