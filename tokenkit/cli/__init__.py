"""The ``tokenkit`` command: subcommands are imported only when they run."""

import importlib
import sys
from typing import Any

import click

from tokenkit import __version__
from tokenkit.cli.output import complain, drop_output, mend_output
from tokenkit.errors import TokenkitError

# name: (module, one line for --help, so that help needs no import)
COMMANDS = {
    "audit": ("tokenkit.cli.audit", "Read, export and verify the verifier's log."),
    "db": ("tokenkit.cli.db", "Back up, restore and migrate the verifier's database."),
    "ctl": ("tokenkit.cli.ctl", "Move a service's clock, handle its virtual tokens."),
    "doctor": ("tokenkit.cli.doctor", "Check what this computer lacks, and say the mend."),
    "drift": ("tokenkit.cli.drift", "Say from logged codes what clocks of tokens did."),
    "fleet": ("tokenkit.cli.fleet", "Study what a verifier's policy costs a fleet of tokens."),
    "keys": ("tokenkit.cli.keys", "Find, inspect and test security keys, real or virtual."),
    "otp": ("tokenkit.cli.otp", "Make and read hardware TOTP/HOTP tokens."),
    "preload": ("tokenkit.cli.preload", "Run a command that sees virtual keys at /dev/hidraw*."),
    "run": ("tokenkit.cli.run", "Run scenarios against devices and the verifier."),
    "serve": ("tokenkit.cli.serve", "Serve the verifier: AWS's IAM and STS, and a console."),
    "trace": ("tokenkit.cli.trace", "Read, compare and replay recorded sessions with keys."),
    "vm": ("tokenkit.cli.vm", "Run programs in a throw-away guest that has a real /dev/uhid."),
    "completion": ("tokenkit.cli.completion", "Print shell completion for bash, zsh or fish."),
}
# as shells count a program that ended by SIGINT or SIGPIPE
_INTERRUPTED = 130
_NO_READER = 141


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        # click would make 1 of these, which here means that an expectation failed
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, EOFError, click.Abort):
            complain("interrupted")
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # whoever read the output has seen enough
            drop_output()
            ctx.exit(_NO_READER)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tokenkit")
def root() -> None:
    """Drifting TOTP tokens, CTAP2 security keys and an MFA verifier, made of software.

    Exit status: 0 all held, 1 an expectation failed, 2 wrong usage, bad input or a full disk, 130
    interrupted by Ctrl-C.
    """


def main(args: list[str] | None = None) -> Any:
    """Entry point: what a user can mend is one line on standard error and exit status 2."""
    mend_output()
    try:
        return root.main(args, prog_name="tokenkit")
    except TokenkitError as error:
        complain(str(error))
    except OSError as error:
        # commands name the devices that fail: only standard output has no name
        complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
        drop_output()
    sys.exit(2)
