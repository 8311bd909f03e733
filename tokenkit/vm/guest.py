"""Run a command in a guest that shares the host's files."""

import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tokenkit.vm.accelerator import KVM_LIMIT_S, accelerators, kvm_fails
from tokenkit.vm.errors import GuestError
from tokenkit.vm.initramfs import write_initramfs
from tokenkit.vm.job import Job, shared_environment
from tokenkit.vm.kernel import cache_folder, find_kernel
from tokenkit.vm.qemu import Qemu
from tokenkit.vm.tools import TO_RUN, find_tools

TIMED_OUT = 124  # as timeout(1) has it
_LAST_LINES = 8


@dataclass(frozen=True)
class GuestResult:
    """What became of a command.

    ``returncode`` is its exit status as a shell counts it, 124 where it was ``timed_out``, and
    then ``started`` says whether the guest got as far as the command. ``missing`` are paths that
    could not be brought, and why not. Output that was streamed elsewhere is not in ``stdout`` and
    ``stderr``.
    """

    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    started: bool = True
    missing: Mapping[str, str] = field(default_factory=dict)


def run_in_guest(
    command: Sequence[str],
    *,
    keys: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    bring: Sequence[str] = (),
    out: Path | None = None,
    timeout_s: float = 600,
    memory_mib: int = 2048,
    stdout: BinaryIO | None = None,
    stderr: BinaryIO | None = None,
    cache: Path | None = None,
) -> GuestResult:
    """Run ``command`` as root of a throw-away guest that has /dev/uhid and udev.

    It sees the host's files as the calling user may; what it writes is gone when it ends, but for
    the paths to ``bring`` into the folder ``out`` (default: the current one). It starts in ``cwd``,
    without standard input, with no network but its own loopback, and with HOME, LANG and PATH of
    the environment, and ``env``. ``keys`` are plugged in before: PROFILE[?seed=N&state=FILE].

    ``stdout`` and ``stderr`` take what it writes, as it comes. MissingToolError, KernelError and
    GuestError say why it did not run, or not to its end. In no case a process or a file stays.
    """
    job = Job(
        command=command,
        environment=shared_environment(env or {}),
        folder=(cwd or _here()).absolute(),
        keys=keys,
        bring=bring,
        out=out or Path(),
    )
    job.check()
    tools = find_tools(TO_RUN)
    cache = cache or cache_folder()
    kernel = find_kernel(cache)
    captured = {"stdout": io.BytesIO(), "stderr": io.BytesIO()}
    outputs = {"stdout": stdout or captured["stdout"], "stderr": stderr or captured["stderr"]}
    end_s = time.perf_counter() + timeout_s
    with tempfile.TemporaryDirectory(prefix="tokenkit-vm-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        for name in ("initramfs", "job"):
            (folder / name).mkdir()
        write_initramfs(folder / "initrd", folder / "initramfs", kernel, tools)
        job.write(folder / "job")
        program = tools["qemu-system-x86_64"]
        for accelerator in accelerators(cache, program):
            alive_by_s = time.perf_counter() + KVM_LIMIT_S if accelerator == "kvm" else end_s
            with Qemu(kernel, folder, tools, accelerator, memory_mib, outputs) as qemu:
                qemu.follow(end_s, alive_by_s)
            if qemu.alive or accelerator == "tcg":
                break
            if not (qemu.late and alive_by_s >= end_s):
                kvm_fails(cache, program)
        if qemu.status is None and not qemu.late:
            raise GuestError(_why(qemu))
        return GuestResult(
            returncode=TIMED_OUT if qemu.status is None else qemu.status,
            stdout=captured["stdout"].getvalue(),
            stderr=captured["stderr"].getvalue(),
            timed_out=qemu.late,
            started=qemu.running,
            missing={} if qemu.late else job.deliver(folder / "job"),
        )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:
        raise GuestError("the current folder is gone: change to another") from None


def _why(qemu: Qemu) -> str:
    """Why there is no exit status."""
    if qemu.trouble is not None:
        return qemu.trouble
    said = qemu.last_words()
    panic = [number for number, line in enumerate(said) if "Kernel panic" in line]
    said = said[panic[0] :][:_LAST_LINES] if panic else said[-_LAST_LINES:]
    why = f"the guest ended before the command {'did' if qemu.running else 'was run'}"
    return "\n".join([f"{why}:" if said else why, *said])
