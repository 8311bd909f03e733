"""The guest's kernel: Debian's own package, fetched and unpacked into the user's cache."""

import bz2
import errno
import fcntl
import gzip
import lzma
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tokenkit.vm.errors import KernelError
from tokenkit.vm.tools import TO_PREPARE, find_tools, last_line, run_tool

# depends on the newest kernel
_META_PACKAGE = "linux-image-amd64"
# later Debian releases split the image; each part has a version in its name
_PART = re.compile(r"^linux-(?:binary|image|modules)-\d\S*$", re.MULTILINE)
_CURRENT = "current"
_UNPACKING = ".unpacking-"

# Linux's Documentation/arch/x86/boot.rst: where a bzImage says what it holds
_SETUP_SECTORS = 0x1F1
_MAGIC = 0x202
_PAYLOAD_OFFSET = 0x248
_SECTOR = 512
_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache.

    ``image`` is for QEMU's -kernel; ``root`` holds lib/modules as modprobe -d wants it.
    """

    version: str
    root: Path

    @property
    def image(self) -> Path:
        return self.root / "kernel"


def cache_folder(*, environ: Mapping[str, str] = os.environ) -> Path:
    """Where kernels are kept: XDG_CACHE_HOME, or ~/.cache, as the XDG base directories say."""
    said = environ.get("XDG_CACHE_HOME", "")
    return (Path(said) if said.startswith("/") else Path.home() / ".cache") / "tokenkit/vm"


def find_kernel(cache: Path) -> Kernel:
    """The kernel that :func:`fetch_kernel` made; KernelError if there is none yet."""
    try:
        root = (cache / _CURRENT).resolve(strict=True)
        [modules] = (root / "lib/modules").iterdir()
    except (OSError, ValueError):
        raise KernelError("there is no kernel for the guest yet: tokenkit vm prepare") from None
    return Kernel(modules.name, root)


def fetch_kernel(cache: Path, *, say: Callable[[str], None] = lambda line: None) -> Kernel:
    """The newest kernel that apt knows, fetched if need be; apt checks its signatures.

    Needs no root. An older one stays for guests that run. What is made appears whole or not at
    all: KernelError says why not. Where apt knows none, one that is there will do.
    """
    tools = find_tools(TO_PREPARE)
    try:
        with _alone(cache):
            return _fetch(cache, tools, say)
    except OSError as error:
        raise KernelError(f"{error.filename or cache}: {error.strerror or error}") from None


def packages(listing: str) -> list[str]:
    """The kernel's packages in what ``apt-cache depends --recurse`` lists."""
    return sorted(set(_PART.findall(listing)))


def uncompressed(image: bytes) -> bytes | None:
    """The ELF file in a bzImage; None if there is none, or none that Python can unpack.

    The guest would unpack it, too, but under an emulator that takes seconds.
    """
    if image[_MAGIC : _MAGIC + 4] != b"HdrS":
        return None
    start = (image[_SETUP_SECTORS] + 1) * _SECTOR
    start += int.from_bytes(image[_PAYLOAD_OFFSET : _PAYLOAD_OFFSET + 4], "little")
    # what follows the compressed data (its size) is ignored
    for decompressor in (
        lzma.LZMADecompressor(),
        bz2.BZ2Decompressor(),
        zlib.decompressobj(16 + zlib.MAX_WBITS),
    ):
        with suppress(lzma.LZMAError, OSError, zlib.error):
            data: bytes = decompressor.decompress(image[start:])
            return data if decompressor.eof and data.startswith(_ELF) else None
    return None


def module(path: Path) -> bytes:
    """A kernel module as insmod wants it: some distributions compress them."""
    data = path.read_bytes()
    match path.suffix:
        case ".xz":
            return lzma.decompress(data)
        case ".gz":
            return gzip.decompress(data)
        case ".ko":
            return data
    raise KernelError(f"{path}: a module compressed in a way that tokenkit does not know")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One at a time; what another left when it was killed is swept away."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in cache.glob(f"{_UNPACKING}*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield


def _fetch(cache: Path, tools: Mapping[str, str], say: Callable[[str], None]) -> Kernel:
    listed = run_tool(
        [
            tools["apt-cache"],
            "depends",
            "--recurse",
            "--important",
            "--no-pre-depends",
            _META_PACKAGE,
        ]
    )
    names = packages(listed.stdout)
    if not any(name.startswith("linux-image-") for name in names):
        with suppress(KernelError):
            return find_kernel(cache)
        raise KernelError(
            f"apt knows no {_META_PACKAGE}, the guest's kernel: "
            "apt-get update, on Debian 12 or later"
        )
    folder = cache / next(name for name in names if name.startswith("linux-image-"))
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix=_UNPACKING) as made:
            say(f"fetching {' '.join(names)}")
            _unpack(Path(made), names, tools)
            (Path(made) / "root").rename(folder)
    return _make_current(cache, folder)


def _unpack(work: Path, names: list[str], tools: Mapping[str, str]) -> None:
    """Make work/root: kernel, and lib/modules with its indices."""
    _must([tools["apt-get"], "download", *names], work, "apt-get download")
    tree, root = work / "tree", work / "root"
    for package in sorted(work.glob("*.deb")):
        _must([tools["dpkg"], "-x", str(package), str(tree)], work, "dpkg -x")
        package.unlink()
    try:
        [image] = tree.glob("boot/vmlinuz-*")
        [modules] = (*tree.glob("lib/modules/*"), *tree.glob("usr/lib/modules/*"))
        [config] = tree.glob("boot/config-*")
    except ValueError:
        raise KernelError(f"{' '.join(names)}: not a kernel of Debian's with modules") from None
    (root / "lib/modules").mkdir(parents=True)
    modules.rename(root / "lib/modules" / modules.name)
    for broken in ("build", "source"):
        (root / "lib/modules" / modules.name / broken).unlink(missing_ok=True)
    data = image.read_bytes()
    if "\nCONFIG_PVH=y\n" in config.read_text():  # else QEMU starts no ELF file
        data = uncompressed(data) or data
    (root / "kernel").write_bytes(data)
    _must([tools["depmod"], "-b", str(root), modules.name], work, "depmod")


def _make_current(cache: Path, folder: Path) -> Kernel:
    link = cache / f"{_CURRENT}.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(cache / _CURRENT)
    return find_kernel(cache)


def _must(command: list[str], cwd: Path, name: str) -> None:
    done = run_tool(command, cwd=cwd)
    if done.returncode:
        full = os.strerror(errno.ENOSPC)  # which dpkg -x says in the middle of much else
        why = f"{cwd}: {full}" if full in done.stderr else last_line(done.stderr)
        raise KernelError(f"{name} failed: {why}")
