"""``tokenkit keys virtual serve``: keys made of software on a real wire."""

import asyncio
import os
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
)
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.serving import ServedKey, Server

_LOOK_AGAIN_S = 0.5


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
    from tokenkit.serving.child import in_foreground

    if state is not None:
        if len(keys) > 1:
            raise click.UsageError(
                "--state is for one key; write --key 'PROFILE?state=FILE' for each"
            )
        keys = (f"{keys[0]}{'&' if '?' in keys[0] else '?'}state={state}",)
    interactive = not command and os.isatty(0) and in_foreground()
    ask = touch == "ask" or (touch is None and interactive)

    def ready(server: "Server") -> None:
        if command:  # whose output is its own
            return
        _announce(server, as_json)
        if interactive and ask:
            _Person(server)

    log_to_terminal()
    try:
        status = serve_keys(
            Server(selectors(keys), port, trace),
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


class _Person:
    """Somebody at the terminal: Enter touches the key that asked last and still waits, n refuses.

    Nothing is read while another program has the terminal, which would stop this one.
    """

    def __init__(self, server: "Server") -> None:
        self._asked: list[ServedKey] = []
        self._typed = b""
        self._answering: set[asyncio.Task[None]] = set()
        for key in server.keys:
            key.on_request = self._requested
        self._listen()

    def _requested(self, key: "ServedKey", reason: str) -> None:
        self._asked = [*(each for each in self._asked if each is not key), key]
        say(f"{key.serial_number}: touch to {reason} [Enter to touch, n to refuse]")

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(0, self._readable)

    def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        from tokenkit.serving.child import in_foreground

        if not in_foreground():
            loop.remove_reader(0)
            loop.call_later(_LOOK_AGAIN_S, self._listen)
            return
        try:
            typed = os.read(0, 4096)
        except OSError:
            typed = b""
        if not typed:  # end of input: nobody is there any more
            loop.remove_reader(0)
        *lines, self._typed = (self._typed + typed).split(b"\n")
        for line in lines:
            self._entered(line.strip().lower())

    def _entered(self, line: bytes) -> None:
        waiting = [key for key in self._asked if key.finger.awaited is not None]
        if not waiting:
            say("no key waits for a touch")
        elif line in (b"", b"n", b"no"):
            task = asyncio.get_running_loop().create_task(_answer(waiting[-1], refuse=bool(line)))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            say("Enter touches, n refuses")


async def _answer(key: "ServedKey", *, refuse: bool) -> None:
    from tokenkit.virtual import Press

    try:
        reason = await key.touch(None if refuse else Press())
        say(f"{key.serial_number}: {'refused' if refuse else 'touched'} to {reason}")
    except TokenkitError as error:
        say(str(error))
