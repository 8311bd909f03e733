"""A command that runs while keys are served, and signals meanwhile."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tokenkit.errors import TokenkitError

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as shells have it
TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# these a terminal sends to the command by itself
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_ALL = (*TO_END, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class CommandError(TokenkitError):
    """A command that cannot be started; ``status`` is what a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Signals:
    """What signals do while keys are served: ``taken`` says, and nothing ends this process.

    So there is no moment, not while cleaning up either, at which one leaves something behind.
    """

    def __init__(self, taken: Callable[[signal.Signals], None]) -> None:
        self.taken = taken
        loop = asyncio.get_running_loop()
        for number in _ALL:
            loop.add_signal_handler(number, self._take, number)

    def _take(self, number: signal.Signals) -> None:
        self.taken(number)

    def ignore(self) -> None:
        self.taken = lambda number: None


async def run_command(
    command: Sequence[str], environment: Mapping[str, str], signals: Signals
) -> int:
    """Run ``command`` with this process's standard streams; its status, 128 + n for signal n.

    Signals are passed on to it.
    """
    waiting: list[signal.Signals] = []
    started: list[asyncio.subprocess.Process] = []

    def pass_on(number: signal.Signals) -> None:
        if number in _FROM_TERMINAL and in_foreground():
            return
        for process in started:
            # not by the process's own method, which would take its status from asyncio
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        if not started:
            waiting.append(number)

    signals.taken = pass_on
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
        signals.ignore()
    return status if status >= 0 else 128 - status


async def until_told(signals: Signals) -> None:
    """Return at SIGINT, SIGTERM or SIGHUP."""
    told = asyncio.Event()
    signals.taken = lambda number: told.set() if number in TO_END else None
    try:
        await told.wait()
    finally:
        signals.ignore()


def in_foreground() -> bool:
    """Whether this process group is the one that the terminal's keys go to."""
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
