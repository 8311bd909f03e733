"""The file that tells where a control API is, and the token to show to it."""

import json
from contextlib import suppress
from pathlib import Path

from tokenkit import virtual
from tokenkit.serving.control_client import is_left_over
from tokenkit.serving.server import ServeError


class ControlFile:
    """``file`` from ``write`` to ``remove``, with mode 0600.

    Only a control file whose API is gone is replaced: ServeError for any other that is there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._contents = b""

    def write(self, url: str, token: str) -> None:
        self._contents = json.dumps({"url": url, "token": token}).encode()
        try:
            if is_left_over(self._file):
                self._file.unlink(missing_ok=True)
            virtual.write_private_files({self._file: self._contents})
        except FileExistsError:
            self._contents = b""
            raise ServeError(
                f"control file {self._file}: it is there already: choose another name"
            ) from None
        except OSError as error:
            self._contents = b""
            raise ServeError(f"control file {self._file}: {error.strerror}") from error

    def remove(self) -> None:
        """Twice does nothing; nor is another's removed, that has come in its place."""
        with suppress(OSError):
            if self._contents and self._file.read_bytes() == self._contents:
                self._file.unlink()
