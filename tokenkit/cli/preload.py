"""``tokenkit preload``."""

from pathlib import Path

import click

from tokenkit.cli.output import complain
from tokenkit.cli.serve_options import (
    control_option,
    keys_option,
    log_to_terminal,
    selectors,
    touch_option,
    trace_option,
)


@click.command("preload", context_settings={"allow_interspersed_args": False})
@keys_option
@touch_option
@trace_option
@control_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True, metavar="COMMAND…")
@click.pass_context
def command(
    ctx: click.Context,
    keys: tuple[str, ...],
    touch: str | None,
    trace: Path | None,
    control_file: Path | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND with virtual keys at /dev/hidraw*.

    It and the programs that it starts see the keys as Linux shows those on USB, without root and
    without support by the kernel:

    \b
      tokenkit preload -- fido2-token -L
      tokenkit preload --key 'yubikey-5.4?state=my.key' -- ssh-keygen -t ed25519-sk -f id
      tokenkit preload --key reference --key solokey-1 -- sh

    Options after COMMAND are its own. So is the exit status, 128 + N if signal N ended it. A key is
    gone with it, unless it lives in a file. Real keys stay visible. Keys are touched at once,
    unless --touch ask leaves that to: tokenkit keys virtual ctl

    A C compiler is needed once, for the library that LD_PRELOAD puts into the programs. Static
    ones, and setuid and setgid ones such as sudo and ssh-agent, do not let it in and see no key.
    """
    from tokenkit.preload import PreloadPort
    from tokenkit.serving import CommandError, Server, serve_keys

    port = PreloadPort()
    log_to_terminal()
    try:
        status = serve_keys(
            Server(selectors(keys), port, trace),
            by_itself=touch != "ask",
            command=command,
            environment=port.environment,
            control_file=control_file,
        )
    except CommandError as error:
        complain(str(error))
        status = error.status
    ctx.exit(status)
