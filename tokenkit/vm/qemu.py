"""One run of QEMU: its command line, and what its guest says while it runs."""

import os
import selectors
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tokenkit.vm.kernel import Kernel

# the guest's serial ports, in their order: /dev/vport0p1, …
CHANNELS = ("control", "stdout", "stderr")
_CPUS = 4
# entropy at once, no workarounds for processors that are not there, and a panic ends QEMU
_KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off"
_CHUNK = 65536


def command_line(
    kernel: Kernel,
    folder: Path,
    tools: Mapping[str, str],
    accelerator: str,
    memory_mib: int,
    channels: Mapping[str, int],
) -> list[str]:
    """QEMU for the job in ``folder``; ``channels`` are the file descriptors of sockets.

    Two shares: the host's files, read-only, and the job's folder.
    """
    # emulated processors wait for each other so much that one alone is twice as fast
    processors = 1 if accelerator == "tcg" else min(len(os.sched_getaffinity(0)), _CPUS)
    line = [
        # also where this process is killed without a word
        *(tools["setpriv"], "--pdeathsig", "KILL", "--"),
        *(tools["qemu-system-x86_64"], "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-machine", "q35", "-cpu", "max"),
        *("-accel", accelerator, "-smp", str(processors), "-m", f"{memory_mib}M"),
        *("-kernel", str(kernel.image), "-initrd", str(folder / "initrd")),
        *("-append", _KERNEL_ARGUMENTS),
        *("-serial", f"file:{folder / 'console'}"),
        *("-virtfs", _share("root", Path("/")) + ",readonly=on"),
        *("-virtfs", _share("job", folder / "job")),
        *("-device", "virtio-serial-pci"),
    ]
    for number, name in enumerate(CHANNELS, 1):
        line += ["-chardev", f"socket,id={name},fd={channels[name]}"]
        line += ["-device", f"virtserialport,nr={number},chardev={name},name={name}"]
    return line


def _share(tag: str, folder: Path) -> str:
    path = str(folder).replace(",", ",,")
    return f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap"


class Qemu:
    """A running guest, read by :meth:`follow`; QEMU is gone when the ``with`` block is left.

    ``alive``: its first program has begun; ``running``: COMMAND has; ``trouble``: why it never
    will; ``status``: COMMAND's exit status; ``late``: it was ended for want of time.
    """

    def __init__(
        self,
        kernel: Kernel,
        folder: Path,
        tools: Mapping[str, str],
        accelerator: str,
        memory_mib: int,
        outputs: Mapping[str, BinaryIO],
    ) -> None:
        self.alive = self.running = self.late = False
        self.trouble: str | None = None
        self.status: int | None = None
        self._folder = folder
        self._outputs = outputs
        self._said = b""
        self._ended = False
        with ExitStack() as undo:
            self._selector = undo.enter_context(selectors.DefaultSelector())
            theirs = {}
            for name in CHANNELS:
                ours, other = socket.socketpair()
                undo.callback(ours.close)
                self._selector.register(ours, selectors.EVENT_READ, name)
                theirs[name] = other
            with ExitStack() as handed, (folder / "qemu.log").open("wb") as log:
                for other in theirs.values():
                    handed.enter_context(other)
                descriptors = {name: other.fileno() for name, other in theirs.items()}
                self._process = subprocess.Popen(
                    command_line(kernel, folder, tools, accelerator, memory_mib, descriptors),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=list(descriptors.values()),
                )
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._undo:
            self._process.kill()
            self._process.wait()

    def follow(self, end_s: float, alive_by_s: float) -> None:
        """Read until the guest ends, or it is late: not done by ``end_s``, not alive by then.

        Both in the seconds of time.perf_counter.
        """
        while self._selector.get_map():
            left_s = None  # once QEMU is told to end, its channels do so soon
            if not self._ended:
                left_s = (end_s if self.alive else min(end_s, alive_by_s)) - time.perf_counter()
                if left_s <= 0:
                    self.late = True
                    self._end()
                    continue
            for key, _ in self._selector.select(left_s):
                self._read(key)

    def last_words(self) -> list[str]:
        """What is on the guest's console; or what QEMU complained of, where that is empty."""
        for name in ("console", "qemu.log"):
            path = self._folder / name
            text = path.read_text(errors="replace") if path.exists() else ""
            if said := [line.rstrip() for line in text.splitlines() if line.strip()]:
                return said
        return []

    def _read(self, key: selectors.SelectorKey) -> None:
        ours = key.fileobj
        assert isinstance(ours, socket.socket)
        try:
            data = ours.recv(_CHUNK)
        except ConnectionResetError:  # QEMU was killed with something unread
            data = b""
        if not data:
            self._selector.unregister(ours)
        elif key.data == "control":
            *lines, self._said = (self._said + data).split(b"\n")
            for line in lines:
                self._heed(line.decode(errors="replace"))
        else:
            output = self._outputs[key.data]
            output.write(data)
            output.flush()

    def _heed(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "alive":
            self.alive = True
        elif word == "running":
            self.running = True
        elif word == "trouble":
            self.trouble = rest
            self._end()
        elif word == "status":
            # all that COMMAND wrote has reached the channels by now
            self.status = int(rest)
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._process.kill()
