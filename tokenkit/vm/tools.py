"""The host's programs that a guest is made with."""

import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tokenkit.vm.errors import MissingToolError

# program: Debian's package
PACKAGES = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "modprobe": "kmod",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "udevadm": "udev",
}
TO_PREPARE = ("apt-cache", "apt-get", "depmod", "dpkg")
TO_RUN = ("busybox", "modprobe", "qemu-system-x86_64", "setpriv", "udevadm")
# what ordinary users of Debian do not have on their path
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")


def find_tools(
    programs: Iterable[str], *, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The path of each program.

    MissingToolError names the packages of those that are not there, all in one line.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise MissingToolError(
            f"the guest shares this machine's programs, so it needs Linux on x86-64: "
            f"this is {platform.system()} on {platform.machine()}"
        )
    path = os.pathsep.join((environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    found = {name: place for name in programs if (place := shutil.which(name, path=path))}
    if (busybox := found.get("busybox")) and not _is_static(Path(busybox)):
        del found["busybox"]
    if missing := sorted(set(programs) - set(found)):
        packages = sorted({PACKAGES[name] for name in missing})
        raise MissingToolError(
            f"tokenkit vm needs {', '.join(missing)}: apt-get install {' '.join(packages)}"
        )
    return found


def run_tool(command: list[str], *, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run to its end, in plain English, whatever its exit status.

    Where this program is interrupted, it ends first, with all that it started.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"LC_ALL": "C"},
        process_group=0,
    )
    with process:
        try:
            out, err = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()  # until the last of them has closed its output
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def last_line(text: str) -> str:
    """What a program complained of, as far as one line tells."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


def _is_static(program: Path) -> bool:
    """In the initramfs is no dynamic linker, which others name within their first bytes."""
    with program.open("rb") as file:
        return b"/ld-linux" not in file.read(4096)
