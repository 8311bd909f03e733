"""A command that runs while keys are served."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tokenkit.errors import TokenkitError

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as shells have it
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


class CommandError(TokenkitError):
    """A command that cannot be started; ``status`` is what a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run ``command`` with this process's standard streams; its status, 128 + n for signal n.

    SIGTERM and SIGHUP are passed on. Ctrl-C reaches it by the terminal: it decides.
    """
    try:
        process = await asyncio.create_subprocess_exec(*command, env=dict(environment))
    except FileNotFoundError:
        raise CommandError(f"{command[0]}: command not found", _NOT_FOUND) from None
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}", _NOT_EXECUTABLE) from None

    def forward(number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

    loop = asyncio.get_running_loop()
    for number in _FORWARDED:
        loop.add_signal_handler(number, forward, number)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        status = await process.wait()
    finally:
        for number in (*_FORWARDED, signal.SIGINT):
            loop.remove_signal_handler(number)
        if process.returncode is None:
            process.kill()
            await process.wait()
    return status if status >= 0 else 128 - status


async def until_told() -> None:
    """Return at SIGINT, SIGTERM or SIGHUP."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, *_FORWARDED)
    for number in numbers:
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
