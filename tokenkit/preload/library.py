"""The library that is preloaded: built from hidraw.c when first needed, into the user's cache."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tokenkit.preload.errors import PreloadError

_SOURCE = Path(__file__).with_name("hidraw.c")
_COMPILERS = ("cc", "gcc", "clang")
_NO_COMPILER = "it takes a C compiler once: apt-get install gcc libc6-dev"


def library(cache: Path | None = None) -> Path:
    """The built library in ``cache``, by default the user's; PreloadError if there is no way.

    There is one for each source, architecture and C library, so that computers may share a home.
    """
    if sys.platform != "linux":
        raise PreloadError(f"it needs Linux: the hidraw devices of {sys.platform} are others")
    source = _SOURCE.read_bytes()
    about = f"{platform.machine()} {os.confstr('CS_GNU_LIBC_VERSION')}".encode()
    name = f"hidraw-{hashlib.sha256(source + about).hexdigest()[:16]}.so"
    try:
        folder = _user_cache() / "tokenkit" if cache is None else cache
        path = folder / name
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _build(path)
    except (OSError, RuntimeError) as error:  # no room, no right, or no home directory
        reason = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or "the cache"
        raise PreloadError(
            f"{where}: {reason}; set XDG_CACHE_HOME to a folder that may be written into"
        ) from error
    return path


def _user_cache() -> Path:
    # a relative one is to be ignored, says the XDG base directory specification
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"


def _build(path: Path) -> None:
    """Whole or not at all, however many do it at once."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise PreloadError(_NO_COMPILER)
    descriptor, made = tempfile.mkstemp(dir=path.parent, suffix=".new")
    os.close(descriptor)
    try:
        done = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-o", made, str(_SOURCE), "-ldl"],
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
            raise PreloadError(f"{compiler} failed: {said[0].strip()}; {_NO_COMPILER}")
        os.replace(made, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made)
