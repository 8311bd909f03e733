"""Which code counts: where the fingerprint is the same, the same is counted."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenkit import __version__

# all that a count may depend on
_PARTS = {
    "tokenkit": (
        "fleet",
        "verifier",
        "server_clock.py",
        "scenario/durations.py",
        "scenario/places.py",
    ),
    "firmware_sim": ("otp", "world"),
}
# studies have a digest of their own; a page may look otherwise
_APART = ("report", "shipped")


@cache
def fingerprint() -> str:
    """The version and a hash of the source, such as ``tokenkit 0.1.0, source 0123456789ab``."""
    parts = [_folder(package) / name for package, names in _PARTS.items() for name in names]
    return f"tokenkit {__version__}, source {digest(parts)[:12]}"


def digest(parts: Iterable[Path]) -> str:
    """A hash of the Python and TOML files that are ``parts`` or within them, and of their names.

    Line ends do not matter, nor what is in folders called ``report`` or ``shipped``.
    """
    hashed = hashlib.sha256()
    for part in parts:
        files = [part] if part.is_file() else sorted((*part.rglob("*.py"), *part.rglob("*.toml")))
        for path in files:
            name = path.relative_to(part.parent)
            if not set(name.parts).intersection(_APART):
                text = path.read_bytes().replace(b"\r\n", b"\n")
                hashed.update(f"{name.as_posix()} {len(text)}\n".encode() + text)
    return hashed.hexdigest()


def _folder(package: str) -> Path:
    """Where ``package`` is, without importing it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
