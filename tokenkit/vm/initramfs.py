"""The guest's first files: busybox, two scripts and the modules that reach the host's files."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from tokenkit.vm.errors import GuestError, KernelError
from tokenkit.vm.kernel import Kernel, module
from tokenkit.vm.tools import last_line, run_tool

# in this order, each after those it needs; hid-generic is what gives a uhid device its hidraw
_MODULES = (
    "virtio_pci",
    "virtio_console",
    "9pnet_virtio",
    "9p",
    "overlay",
    "hid-generic",
    "uhid",
)
_INSMOD = re.compile(r"^insmod (.+\.ko(?:\.\w+)?)\s*$", re.MULTILINE)
_FOLDERS = ("bin", "dev", "lower", "modules", "proc", "root", "sys", "upper")


def write_initramfs(path: Path, work: Path, kernel: Kernel, tools: Mapping[str, str]) -> None:
    """Write a cpio archive for QEMU's -initrd, by way of the empty folder ``work``."""
    for folder in _FOLDERS:
        (work / folder).mkdir()
    _write(work / "bin/busybox", Path(tools["busybox"]).read_bytes())
    for source, target in (("init.sh", "init"), ("session.sh", "session.sh")):
        _write(work / target, files("tokenkit.vm").joinpath(source).read_bytes())
    order = []
    for place in _needed_modules(kernel, tools):
        name = place.name.split(".")[0] + ".ko"
        _write(work / "modules" / name, module(place))
        order.append(name)
    (work / "modules/order").write_text("".join(f"{name}\n" for name in order))
    (work / "modules/folder").write_bytes(bytes(kernel.root / "lib/modules"))
    names = b"".join(bytes(each.relative_to(work)) + b"\n" for each in sorted(work.rglob("*")))
    with path.open("wb") as archive:
        done = subprocess.run(
            [tools["busybox"], "cpio", "-o", "-H", "newc"],
            cwd=work,
            input=names,
            stdout=archive,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode:
        raise GuestError(f"busybox cpio failed: {last_line(done.stderr.decode(errors='replace'))}")


def _needed_modules(kernel: Kernel, tools: Mapping[str, str]) -> Iterator[Path]:
    """Files to insert, in order; what is built into the kernel is left out."""
    seen = set()
    for name in _MODULES:
        shown = run_tool(
            [
                tools["modprobe"],
                "--config=/dev/null",
                "--dirname",
                str(kernel.root),
                "--set-version",
                kernel.version,
                "--show-depends",
                name,
            ]
        )
        if shown.returncode:
            raise KernelError(f"{kernel.version} has no module {name}: {last_line(shown.stderr)}")
        for place in _INSMOD.findall(shown.stdout):
            if place not in seen:
                seen.add(place)
                yield Path(place)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o755)
