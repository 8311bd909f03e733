"""A command that runs while keys are served."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tokenkit.errors import TokenkitError

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as shells have it
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# these a terminal sends to the command by itself
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


class CommandError(TokenkitError):
    """A command that cannot be started; ``status`` is what a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run ``command`` with this process's standard streams; its status, 128 + n for signal n.

    Signals are passed on to it: none of them ends this process before the command.
    """
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

    numbers = (*_PASSED_ON, *_FROM_TERMINAL)
    for number in numbers:
        loop.add_signal_handler(number, pass_on, number)
    try:
        process = await asyncio.create_subprocess_exec(*command, env=dict(environment))
        started.append(process)
        for number in waiting:
            pass_on(number)
        status = await process.wait()
    except FileNotFoundError:
        raise CommandError(f"{command[0]}: there is no such command", _NOT_FOUND) from None
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}", _NOT_EXECUTABLE) from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    return status if status >= 0 else 128 - status


async def until_told() -> None:
    """Return at SIGINT, SIGTERM or SIGHUP."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


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
