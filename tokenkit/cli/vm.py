"""``tokenkit vm``: run, prepare."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from tokenkit.cli.output import complain, echo, say
from tokenkit.cli.types import Directory

# as shells count a program that ended by SIGTERM
_TERMINATED = 128 + signal.SIGTERM


@click.group("vm")
def command() -> None:
    """Run programs with security keys where there is no /dev/uhid, as in a container.

    In a virtual machine (QEMU) that lasts as long as the program does, on Linux on x86-64. It needs
    no root, but packages: apt-get install qemu-system-x86 busybox-static kmod udev
    """


@command.command()
def prepare() -> None:
    """Fetch the guest's kernel by apt into the user's cache, once.

    About 70 MB to fetch, 500 MB of disk in XDG_CACHE_HOME or ~/.cache. It is not installed.
    """
    from tokenkit.vm import cache_folder, fetch_kernel

    with _ended_by_sigterm():
        cache = cache_folder()
        kernel = fetch_kernel(cache, say=say)
        echo(f"{kernel.version} in {kernel.root}")


@command.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="PROFILE",
    help="Plug in a virtual key: PROFILE[?seed=N&state=FILE]; repeatable.",
)
@click.option(
    "--bring",
    multiple=True,
    metavar="PATH",
    help="A file or folder of the guest to keep; repeatable.",
)
@click.option(
    "--out", type=Directory(), default=".", help="Where it is put; default: here.", metavar="DIR"
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="More of the environment for COMMAND; repeatable.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600,
    show_default=True,
    help="Seconds for all, the guest's start included.",
)
@click.option(
    "--memory",
    type=click.IntRange(256),
    default=2048,
    show_default=True,
    help="Of the guest, in MiB, its files in memory included.",
)
@click.argument("arguments", nargs=-1, required=True, metavar="-- COMMAND…", type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context,
    keys: tuple[str, ...],
    bring: tuple[str, ...],
    out: Path,
    env: tuple[str, ...],
    timeout: float,
    memory: int,
    arguments: tuple[str, ...],
) -> None:
    """Run COMMAND in a throw-away guest, and end with its exit status.

    COMMAND is root there, starts in the same folder and sees the same files; what it writes is
    gone when it ends, but for what --bring names. It has /dev/uhid and udev, may load Linux's
    modules, and has no standard input, no network but its own loopback, and PATH, HOME and LANG of
    the environment. What it leaves running ends with it.

    A virtual key's state=FILE is such a file, too: --bring FILE keeps it.

    Exit status: COMMAND's, 124 if it takes too long, 2 if it could not be run.
    """
    from tokenkit.vm import run_in_guest

    with _ended_by_sigterm():
        result = run_in_guest(
            arguments,
            keys=keys,
            env=_environment(env),
            bring=bring,
            out=out,
            timeout_s=timeout,
            memory_mib=memory,
            stdout=sys.stdout.buffer,
            stderr=sys.stderr.buffer,
        )
    if result.timed_out:
        what = "the command" if result.started else "the guest's start"
        complain(
            f"{what} took longer than {timeout:g} seconds, and was ended: --timeout allows more"
        )
    for path, why in result.missing.items():
        complain(f"{path} could not be brought: {why}")
    ctx.exit(result.returncode or (2 if result.missing else 0))


def _environment(given: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE as it is; of a NAME alone the value that it has here, if it has one."""
    import os

    values = {}
    for each in given:
        name, equals, value = each.partition("=")
        if equals:
            values[name] = value
        elif name in os.environ:
            values[name] = os.environ[name]
    return values


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the program as an exception does, so that nothing is left behind."""

    def end(number: int, frame: FrameType | None) -> Any:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
