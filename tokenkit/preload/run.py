"""Runs a command that sees virtual keys, and serves them to it."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from tokenkit import virtual
from tokenkit.preload.errors import PreloadError
from tokenkit.preload.library import library
from tokenkit.preload.tree import Tree

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# these a terminal sends to the command by itself
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


def run_with_keys(keys: Sequence[virtual.SecurityKey], command: Sequence[str]) -> int:
    """Run ``command`` with ``keys`` plugged in; its exit status, 128 + n if signal n ended it.

    Signals are passed on to it. PreloadError if it cannot be run.
    """
    built = library()
    root = Path(tempfile.mkdtemp(prefix="tokenkit-", dir=_folder())).resolve()
    try:
        if set(" :") & set(str(root)):  # LD_PRELOAD knows no quoting
            raise PreloadError(f"{root}: set TMPDIR to a folder without spaces and colons")
        preloaded = root / "hidraw.so"
        preloaded.symlink_to(built)
        return asyncio.run(_serve(keys, command, root, preloaded))
    except OSError as error:
        raise PreloadError(f"{error.filename or root}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _folder() -> str | None:
    """Where some hundred links are made fastest: in memory, unless somebody wants otherwise."""
    in_memory = "/dev/shm"
    wanted = "TMPDIR" in os.environ or not os.access(in_memory, os.W_OK | os.X_OK)
    return None if wanted else in_memory


async def _serve(
    keys: Sequence[virtual.SecurityKey], command: Sequence[str], root: Path, preloaded: Path
) -> int:
    signals = _Signals()
    tree = Tree(root)
    async with AsyncExitStack() as ports:
        for key in keys:
            address = virtual.UnixAddress(tree.add(key), socket.SOCK_SEQPACKET)
            port = virtual.SocketPort(address)
            ports.push_async_callback(port.close)
            await port.open()
            key.power_off()  # what counts is when it is plugged in
            await port.plug(key)
        tree.finish()
        before = os.environ.get("LD_PRELOAD")
        environment = os.environ | {
            "TOKENKIT_PRELOAD": str(root),
            "LD_PRELOAD": f"{preloaded}:{before}" if before else str(preloaded),
        }
        return await _run(command, environment, signals)


class _Signals:
    """Passes signals on to the command, those from before it was started then.

    So nothing ends this process before the command has ended, and the folder is always removed.
    """

    def __init__(self) -> None:
        self._early: list[signal.Signals] = []
        self._process: asyncio.subprocess.Process | None = None
        loop = asyncio.get_running_loop()
        for number in (*_PASSED_ON, *_FROM_TERMINAL):
            loop.add_signal_handler(number, self._pass_on, number)

    def started(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        for number in self._early:
            self._pass_on(number)

    def _pass_on(self, number: signal.Signals) -> None:
        if self._process is None:
            self._early.append(number)
        elif self._process.returncode is None and not (
            number in _FROM_TERMINAL and _in_foreground()
        ):
            # its own send_signal() may reap the process, whose exit status is lost then
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


async def _run(command: Sequence[str], environment: dict[str, str], signals: _Signals) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment)
    except FileNotFoundError:
        raise PreloadError(f"{command[0]}: there is no such command") from None
    except PermissionError:
        raise PreloadError(f"{command[0]}: it may not be run") from None
    signals.started(process)
    status = await process.wait()
    return status if status >= 0 else 128 - status


def _in_foreground() -> bool:
    """Whether this process group is the one that the terminal's keys interrupt."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
