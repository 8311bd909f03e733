"""Whether the processor may run the guest itself (KVM), or QEMU does so in software (TCG)."""

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# A guest that KVM runs is alive within two seconds.
KVM_LIMIT_S = 15.0
DEVICE = "/dev/kvm"
_FAILS = "kvm-fails"


def accelerators(cache: Path, qemu: str) -> Iterator[str]:
    """What to try in turn; software never fails to boot, only takes longer.

    There are machines whose /dev/kvm opens, and whose guests then never start: :func:`kvm_fails`
    remembers them.
    """
    if os.access(DEVICE, os.R_OK | os.W_OK) and not _known_to_fail(cache, qemu):
        yield "kvm"
    yield "tcg"


def kvm_fails(cache: Path, qemu: str) -> None:
    """Remember it for this machine, kernel and QEMU."""
    with suppress(OSError):  # then the next run finds out anew
        (cache / _FAILS).write_text(_machine(qemu))


def _known_to_fail(cache: Path, qemu: str) -> bool:
    try:
        return (cache / _FAILS).read_text() == _machine(qemu)
    except (OSError, ValueError):
        return False


def _machine(qemu: str) -> str:
    """What makes it another machine, as far as KVM goes."""
    processor = ""
    with suppress(OSError, StopIteration), open("/proc/cpuinfo", errors="replace") as lines:
        processor = next(line for line in lines if line.startswith("model name"))
    built = os.stat(qemu).st_mtime_ns
    return f"{platform.release()} {platform.version()}\n{qemu} {built}\n{processor}"
