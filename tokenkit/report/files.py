"""Files of a report: written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tokenkit.errors import TokenkitError


def check_folder(folder: Path, names: Iterable[str]) -> None:
    """Raise TokenkitError now if files called ``names`` could not be written there later.

    Leaves nothing behind.
    """
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        finally:
            for each in missing:
                with suppress(OSError):
                    each.rmdir()
    except OSError as error:
        raise TokenkitError(f"cannot write reports into {folder}: {error.strerror}") from None
    for name in names:
        path = folder / name
        if path.is_dir():
            raise TokenkitError(f"cannot write {path}: there is a folder of that name")
        if path.exists() and not path.is_file():  # a device would be replaced by a file
            raise TokenkitError(f"cannot write {path}: it is no ordinary file")


def write_whole(path: Path, text: str) -> None:
    """``path`` holds all of ``text`` or what it held before; TokenkitError says why."""
    with whole_file(path) as file:
        file.write(text.encode(errors="replace"))  # names of files may be no Unicode


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write what ``path`` will hold once all is written and on the disk.

    If that fails, which TokenkitError says, it holds what it held before.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TokenkitError(f"cannot write {path}: {error.strerror or error}") from None
