"""Files that hold secrets: readable by their owner only, and there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path


def write_private_files(contents: Mapping[Path, bytes], overwrite: bool = False) -> None:
    """Write all of ``contents`` with mode 0600, or none of it.

    FileExistsError if one of the files is there already, unless ``overwrite`` is set: each is then
    replaced in one step, one after the other. OSError as the operating system gives it; its
    ``filename`` is one of ``contents``.
    """
    with ExitStack() as undo:
        ready = {path: _write_beside(path, data, undo) for path, data in contents.items()}
        if not overwrite:
            for path in contents:
                # claims the name, so that nobody else's file of that name is ever replaced
                with _blaming(path):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                undo.callback(path.unlink, missing_ok=True)
        for path, temporary in ready.items():
            with _blaming(path):
                temporary.replace(path)
        undo.pop_all()


def _write_beside(path: Path, data: bytes, undo: ExitStack) -> Path:
    """A temporary file with ``data``, on the same file system as ``path``."""
    with _blaming(path):
        descriptor, name = tempfile.mkstemp(prefix=".tokenkit.", dir=path.parent)  # mode 0600
        temporary = Path(name)
        undo.callback(temporary.unlink, missing_ok=True)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return temporary


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Let an OSError name ``path``: of temporary files nobody knows, and a full disk names none."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
