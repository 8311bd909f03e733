"""Serve keys with their control API: until told to stop, or while a command runs."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from tokenkit.serving.child import run_command, until_told
from tokenkit.serving.control import ControlServer
from tokenkit.serving.control_client import (
    ENVIRONMENT,
    own_control_file,
    remove_control_folder,
)
from tokenkit.serving.server import Server

_ENDED = 128 + signal.SIGTERM


def serve_keys(
    server: Server,
    *,
    by_itself: bool,
    ready: Callable[[Server], None] = lambda server: None,
    command: Sequence[str] = (),
    environment: Callable[[], Mapping[str, str]] = dict,
    control_file: Path | None = None,
) -> int:
    """Plug the keys in, call ``ready``, and serve them; the exit status.

    Until SIGINT, SIGTERM or SIGHUP, which is 0; or while ``command`` runs, with what
    ``environment`` adds to this process's, and then its own status. Keys are touched
    ``by_itself``, or when told by the control API, whose file is ``control_file`` or one of this
    process's. Errors are those of :class:`Server`, ControlServer and run_command.
    """

    async def serve() -> int:
        async with server:
            for key in server.keys:
                key.touch_by_itself(by_itself)
            with ExitStack() as stack:
                if control_file is None:
                    file = own_control_file()
                    stack.callback(remove_control_folder)
                else:
                    file = control_file.absolute()
                control = stack.enter_context(closing(ControlServer(server, file)))
                control.start()
                ready(server)
                if command:
                    added = {**environment(), ENVIRONMENT: str(file)}
                    return await run_command(command, {**os.environ, **added})
                await until_told()
                return 0

    async def until_ended() -> int:
        # ended while keys are still being plugged in: what is there already goes again
        task = asyncio.ensure_future(serve())
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return _ENDED

    return asyncio.run(until_ended())
