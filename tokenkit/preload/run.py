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
    # sockets have short names, and LD_PRELOAD knows no quoting
    root = Path(tempfile.mkdtemp(prefix="tokenkit-")).resolve()
    try:
        if set(" :") & set(str(root)):
            raise PreloadError(f"{root}: set TMPDIR to a folder without spaces and colons")
        preloaded = root / "hidraw.so"
        preloaded.symlink_to(built)
        return asyncio.run(_serve(keys, command, root, preloaded))
    except OSError as error:
        raise PreloadError(f"{error.filename or root}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _serve(
    keys: Sequence[virtual.SecurityKey], command: Sequence[str], root: Path, preloaded: Path
) -> int:
    tree = Tree(root)
    async with AsyncExitStack() as ports:
        for key in keys:
            address = virtual.UnixAddress(tree.add(key), socket.SOCK_SEQPACKET)
            port = virtual.SocketPort(address)
            ports.push_async_callback(port.close)
            await port.open()
            await port.plug(key)
        tree.finish()
        before = os.environ.get("LD_PRELOAD")
        environment = os.environ | {
            "TOKENKIT_PRELOAD": str(root),
            "LD_PRELOAD": f"{preloaded}:{before}" if before else str(preloaded),
        }
        return await _run(command, environment)


async def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    loop = asyncio.get_running_loop()
    waiting: list[signal.Signals] = []
    started: list[asyncio.subprocess.Process] = []

    def pass_on(number: signal.Signals) -> None:
        if number in _FROM_TERMINAL and _in_foreground():
            return
        for process in started:
            with suppress(ProcessLookupError):
                process.send_signal(number)
        if not started:
            waiting.append(number)

    # from now on nothing ends this process before the command, so that the folder is removed
    for number in (*_PASSED_ON, *_FROM_TERMINAL):
        loop.add_signal_handler(number, pass_on, number)
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment)
    except FileNotFoundError:
        raise PreloadError(f"{command[0]}: there is no such command") from None
    except PermissionError:
        raise PreloadError(f"{command[0]}: it may not be run") from None
    started.append(process)
    for number in waiting:
        pass_on(number)
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
