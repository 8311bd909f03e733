"""Files that hold secrets: readable by their owner only, and there whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path


def write_private_files(contents: Mapping[Path, bytes], overwrite: bool = False) -> None:
    """Write all of ``contents`` with mode 0600, or none of it.

    FileExistsError if one of the files is there already, unless ``overwrite`` is set: each is then
    replaced in one step. OSError as the operating system gives it.
    """
    with ExitStack() as undo:
        ready = {path: _write_beside(path, data, undo) for path, data in contents.items()}
        if not overwrite:
            for path in contents:
                # claims the name, so that nobody else's file of that name is ever replaced
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                undo.callback(path.unlink, missing_ok=True)
        for path, temporary in ready.items():
            temporary.replace(path)
        undo.pop_all()


def _write_beside(path: Path, data: bytes, undo: ExitStack) -> Path:
    """A temporary file with ``data``, on the same file system as ``path``."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    undo.callback(temporary.unlink, missing_ok=True)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary
