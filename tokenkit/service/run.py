"""Serve a verifier over HTTP: until told to stop, or while a command runs."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence

import uvloop
from starlette.types import ASGIApp

from tokenkit.service.aws_environment import OTHER_CREDENTIALS
from tokenkit.service.http_server import serving
from tokenkit.serving.child import TO_END, Signals, run_command, until_told


def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    command: Sequence[str] = (),
    environment: Mapping[str, str],
) -> int:
    """Serve ``app`` on ``listener`` and call ``ready``, in a thread; the exit status.

    Until SIGINT, SIGTERM or SIGHUP, which is 0; or while ``command`` runs, with what
    ``environment`` adds to this process's, and then its own status. CommandError.
    """

    async def serve() -> int:
        early: list[signal.Signals] = []
        signals = Signals(early.append)
        async with serving(app, listener):
            await asyncio.to_thread(ready)
            if ended := [number for number in early if number in TO_END]:
                return 128 + ended[0] if command else 0
            if command:
                inherited = {
                    name: value
                    for name, value in os.environ.items()
                    if name not in OTHER_CREDENTIALS
                }
                return await run_command(command, {**inherited, **environment}, signals)
            await until_told(signals)
            return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve())
