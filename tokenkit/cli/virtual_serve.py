"""``tokenkit keys virtual serve``: keys made of software on a real wire."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import complain, echo, print_json_line, say
from tokenkit.cli.serve_options import (
    control_option,
    keys_option,
    log_to_terminal,
    selectors,
    touch_option,
    trace_option,
    writer,
)
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.serving import ServedKey, Server


@click.command("serve", context_settings={"allow_interspersed_args": False})
@click.option("--port", default="uhid", show_default=True, metavar="PORT", help="Where; see above.")
@keys_option
@click.option("--state", metavar="FILE", help="The file that the only key lives in.")
@touch_option
@trace_option
@control_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each key.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]…")
@click.pass_context
def serve(
    ctx: click.Context,
    port: str,
    keys: tuple[str, ...],
    state: str | None,
    touch: str | None,
    trace: Path | None,
    control_file: Path | None,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Plug keys in for programs that have never heard of this toolkit.

    Until Ctrl-C or SIGTERM, and a line for each key says what a program opens; or while COMMAND
    runs, whose exit status is then returned. Options after COMMAND are its own.

    \b
    PORT is where they are plugged in:
      uhid                    this Linux kernel: each key is a /dev/hidrawN
      usbip[:[HOST:]PORT]     for usbip attach, here or on another computer
      gadget                  this computer is the key, as a Raspberry Pi Zero
      vpcd[:PORT]             a card on pcscd's virtual readers
      unix:PATH               a Unix socket: raw reports of 64 bytes
      tcp:[HOST:]PORT         a TCP port: the same

    It listens for this computer alone, unless HOST says more.

    At a terminal Enter touches the key that asks, and n refuses; elsewhere keys are touched at
    once. tokenkit keys virtual ctl touches, unplugs and looks into them from anywhere.
    """
    from tokenkit.serving import CommandError, Server, serve_keys

    if state is not None:
        if len(keys) > 1:
            raise click.UsageError(
                "--state is for one key; write --key 'PROFILE?state=FILE' for each"
            )
        keys = (f"{keys[0]}{'&' if '?' in keys[0] else '?'}state={state}",)
    interactive = not command and sys.stdin is not None and sys.stdin.isatty()
    ask = touch == "ask" or (touch is None and interactive)

    def ready(server: "Server") -> None:
        if command:  # whose output is its own
            return
        _announce(server, as_json)
        if interactive and ask:
            _ask_at_terminal(server)

    log_to_terminal()
    try:
        status = serve_keys(
            Server(selectors(keys), port, writer(trace)),
            by_itself=not ask,
            ready=ready,
            command=command,
            control_file=control_file,
        )
    except CommandError as error:
        complain(str(error))
        status = error.status
    ctx.exit(status)


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
