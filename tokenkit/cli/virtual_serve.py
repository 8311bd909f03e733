"""``tokenkit keys virtual serve``: keys made of software on a real wire."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import complain, echo, print_json_line, say
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.keys import Selector
    from tokenkit.serving import ServedKey, Server

_PORTS_HELP = """\
uhid, usbip[:[HOST:]PORT], gadget, vpcd[:[HOST:]PORT], unix:PATH or tcp:[HOST:]PORT."""


@click.command("serve", context_settings={"ignore_unknown_options": True})
@click.option("--port", default="uhid", show_default=True, metavar="PORT", help=_PORTS_HELP)
@click.option(
    "--profile",
    "--key",
    "keys",
    multiple=True,
    default=["reference"],
    show_default=True,
    metavar="PROFILE[?seed=N&state=FILE]",
    help="A key, as after virtual: in a selector; several for several keys.",
)
@click.option("--state", metavar="FILE", help="The file that the only key lives in.")
@click.option(
    "--touch",
    type=click.Choice(["at-once", "ask"]),
    help="Touch by itself, or when told to. Default: ask at a terminal, at-once elsewhere.",
)
@click.option(
    "--control",
    "control_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where address and token of the control API are written. Default: a private folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each key.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve(
    ctx: click.Context,
    port: str,
    keys: tuple[str, ...],
    state: str | None,
    touch: str | None,
    control_file: Path | None,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Plug keys in for programs that have never heard of this toolkit.

    Until Ctrl-C or SIGTERM, and a line for each key says what a program opens; or while COMMAND
    runs (write -- before it), whose exit status is then returned.

    \b
    PORT is where they are plugged in:
      uhid             the Linux kernel, by /dev/uhid: a /dev/hidrawN for each key

    Touch, unplug and look into them with: tokenkit keys virtual ctl
    """
    from tokenkit.serving import CommandError

    selectors = [_selector(key, state if len(keys) == 1 else None) for key in keys]
    if state is not None and len(keys) > 1:
        raise click.UsageError("--state is for one key; write --key 'PROFILE?state=FILE' for each")
    interactive = not command and sys.stdin is not None and sys.stdin.isatty()
    ask = touch == "ask" or (touch is None and interactive)
    _log_to_terminal()
    try:
        status = asyncio.run(
            _serve(selectors, port, ask, interactive, control_file, as_json, command)
        )
    except CommandError as error:
        complain(str(error))
        status = error.status
    ctx.exit(status)


async def _serve(
    selectors: "Sequence[Selector]",
    port: str,
    ask: bool,
    interactive: bool,
    control_file: Path | None,
    as_json: bool,
    command: Sequence[str],
) -> int:
    from tokenkit.serving import ControlServer, Server, own_control_file, run_command, until_told
    from tokenkit.serving.control_client import ENVIRONMENT

    async with Server(selectors, port) as server:
        for key in server.keys:
            key.touch_by_itself(not ask)
        file = own_control_file() if control_file is None else control_file.absolute()
        control = ControlServer(server, file)
        control.start()
        try:
            if command:  # whose output is its own
                return await run_command(command, {**os.environ, ENVIRONMENT: str(file)})
            _announce(server, as_json)
            if interactive and ask:
                _ask_at_terminal(server)
            await until_told()
            return 0
        finally:
            control.close()


def _selector(text: str, state: str | None) -> "Selector":
    from tokenkit.keys.discovery import check_selector

    if state is not None:
        text += f"{'&' if '?' in text else '?'}state={state}"
    return check_selector(f"virtual:{text}")


def _announce(server: "Server", as_json: bool) -> None:
    for key in server.keys:
        if as_json:
            print_json_line(key.facts())
        else:
            echo(f"ready {key.where} {key.key.profile.name} {key.serial_number}")
    if sys.stdout is not None:
        sys.stdout.flush()


def _ask_at_terminal(server: "Server") -> None:
    """Enter touches the key that asked last, n refuses."""
    asked: list[ServedKey] = []
    answering: set[asyncio.Task[None]] = set()

    def requested(key: "ServedKey", reason: str) -> None:
        asked[:] = [key]
        say(f"{key.serial_number}: touch to {reason} [Enter to touch, n to refuse]")

    def entered() -> None:
        line = sys.stdin.readline()
        if not line:  # end of input: nobody is there any more
            asyncio.get_running_loop().remove_reader(sys.stdin)
        elif asked:
            key, refuse = asked[0], line.strip().lower().startswith("n")
            task = asyncio.get_running_loop().create_task(_answer(key, refuse))
            answering.add(task)
            task.add_done_callback(answering.discard)

    for key in server.keys:
        key.on_request = requested
    asyncio.get_running_loop().add_reader(sys.stdin, entered)


async def _answer(key: "ServedKey", refuse: bool) -> None:
    from tokenkit.virtual import Press

    try:
        await key.touch(None if refuse else Press())
    except TokenkitError as error:
        say(str(error))


class _Terminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


def _log_to_terminal() -> None:
    """What the wire and the keys have to say, a line each on standard error."""
    for name in ("firmware_sim", "tokenkit"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Terminal) for each in logger.handlers):
            logger.addHandler(_Terminal())
