"""A new file that its owner alone can read, and that is there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tokenkit.verifier.errors import StoreError


@contextmanager
def new_private_file(path: Path) -> Iterator[BinaryIO]:
    """Write what will be ``path`` once all is written: mode 0600, and safely on the disk.

    StoreError if ``path`` is there already: it may be what somebody needs.
    """
    try:
        if path.exists():
            raise FileExistsError
        descriptor, temporary = tempfile.mkstemp(prefix=".tokenkit.", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # claims the name, so that nobody else's file of that name is ever replaced
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
    except FileExistsError:
        raise StoreError(f"{path} is there already: remove it, or choose another name") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
