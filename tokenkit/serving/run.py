"""Serve keys with their control API: until told to stop, or while a command runs."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tokenkit.serving.child import Signals, run_command, until_told
from tokenkit.serving.control import ControlServer
from tokenkit.serving.control_client import ENVIRONMENT, own_control_file
from tokenkit.serving.server import Server


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

    async def serve(signals: Signals) -> int:
        async with server:
            for key in server.keys:
                key.touch_by_itself(by_itself)
            file = own_control_file() if control_file is None else control_file.absolute()
            with closing(ControlServer(server, file)) as control:
                control.start()
                ready(server)
                if command:
                    added = {**environment(), ENVIRONMENT: str(file)}
                    return await run_command(command, {**os.environ, **added}, signals)
                await until_told(signals)
                return 0

    async def until_ended() -> int:
        ended: list[signal.Signals] = []

        def end(number: signal.Signals) -> None:
            # while keys are still being plugged in: what is there already goes again
            ended.append(number)
            signals.ignore()
            task.cancel()

        signals = Signals(end)
        task = asyncio.ensure_future(serve(signals))
        try:
            return await task
        except asyncio.CancelledError:
            if not ended:
                raise
            return 128 + ended[0]

    return asyncio.run(until_ended())
