"""Which code counts: where the fingerprint is the same, the same is counted."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenkit import __version__

# sources and data that a count may depend on
_PARTS = (
    "fleet",
    "verifier",
    "scenario/durations.py",
    "scenario/places.py",
    "scenario/server.py",
    "server_clock.py",
    "virtual.py",
)
_DEVICE_PARTS = ("otp", "world")


@cache
def fingerprint() -> str:
    """The version and a hash of the source, such as ``tokenkit 0.1.0, source 0123456789ab``."""
    digest = hashlib.sha256()
    for root, path in sources():
        text = path.read_bytes().replace(b"\r\n", b"\n")
        name = f"{root.name}/{path.relative_to(root).as_posix()}"
        digest.update(f"{name} {len(text)}\n".encode() + text)
    return f"tokenkit {__version__}, source {digest.hexdigest()[:12]}"


def sources() -> list[tuple[Path, Path]]:
    """The files that the hash is of, each with the folder of its package."""
    device = find_spec("firmware_sim")
    assert device is not None
    assert device.submodule_search_locations is not None
    host = Path(__file__).parents[1]
    return [
        (root, path)
        for root, parts in (
            (host, _PARTS),
            (Path(device.submodule_search_locations[0]), _DEVICE_PARTS),
        )
        for path in sorted(path for part in parts for path in _sources(root / part))
    ]


def _sources(part: Path) -> list[Path]:
    """Python and TOML, but neither studies, which have a digest of their own, nor reports."""
    if part.suffix == ".py":
        return [part] if part.exists() else []
    found = [path for ending in ("py", "toml") for path in part.rglob(f"*.{ending}")]
    apart = (part / "report", part / "shipped")
    return [path for path in found if not any(folder in path.parents for folder in apart)]
