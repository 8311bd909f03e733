"""``tokenkit db``: backup, restore, migrate."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.db_options import database_option, database_url
from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import echo, print_json
from tokenkit.cli.types import moment

if TYPE_CHECKING:
    from tokenkit.verifier.store import Store

_file = click.argument("file", type=click.Path(path_type=Path))


@click.group("db")
def command() -> None:
    """Back up, restore and migrate the verifier's database.

    None of it needs the sealing key: seeds stay sealed. A backup is of no use without that key;
    keep both, and not in one place.
    """


@command.command(short_help="Write a backup.")
@database_option
@_file
@json_option
def backup(url: str, file: Path, as_json: bool) -> None:
    """Write all that is in the database at one moment to FILE, which is new, with mode 0600.

    The service may go on meanwhile. Ceremonies and sessions of the console are left out.
    """
    if str(file) == "-":
        raise click.UsageError("a backup is a file of its own: name one, not -")
    from tokenkit.verifier.backup import backup as write_backup

    with _opened(url, False) as store, _progress("rows written") as progress:
        rows = write_backup(store, file, progress=progress)
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        echo(f"{rows} rows in {click.format_filename(file)}")


@command.command(short_help="Restore a backup.")
@database_option
@_file
@click.option(
    "--window-steps",
    type=click.IntRange(0, 100),
    default=5,
    show_default=True,
    metavar="N",
    help="The widest window of the policy that the database is served with.",
)
@click.option(
    "--until",
    "until_s",
    callback=moment,
    metavar="TIME",
    help="How far the service's clock went on after the backup, if it was moved ahead of this"
    " computer's. Default: now, or when the backup was made.",
)
@json_option
def restore(url: str, file: Path, window_steps: int, until_s: float | None, as_json: bool) -> None:
    """Put the backup FILE into an empty database, of either kind; all of it or nothing.

    Codes that were used since the backup was made are not accepted again: all count as used that
    a device can have shown until now, and those of the window to come, so that nobody signs in
    with a code for some minutes, longer if the backup is old. A service goes on from then.

    What was taken back since is there again: users, access keys and passwords as they were. A
    device whose clock was set, or that was resynchronised, since then by more than the window
    should be resynchronised or removed.
    """
    from tokenkit.verifier.backup import restore as read_backup

    with _opened(url, True) as store, _progress("rows restored") as progress:
        done = read_backup(
            store,
            file,
            window_steps=window_steps,
            until_s=-math.inf if until_s is None else until_s,
            progress=progress,
        )
    if as_json:
        print_json({"rows": done.rows, "made_s": done.made_s, "wait_s": done.wait_s})
        return
    made = datetime.fromtimestamp(done.made_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    echo(f"{done.rows} rows as of {made} UTC")
    if done.wait_s > 0:
        echo(f"no code is accepted for {done.wait_s:.0f} s: those may have been used since")


@command.command(short_help="Bring an old database up to date.")
@database_option
@json_option
def migrate(url: str, as_json: bool) -> None:
    """Bring a database that an older tokenkit made to the present format, all or nothing.

    Make a copy first, and stop whatever works on it.
    """
    from tokenkit.verifier.migrations import migrate as bring
    from tokenkit.verifier.store import VERSION

    with _opened(url, False) as store:
        before = bring(store)
    if as_json:
        print_json({"from": before, "to": VERSION})
    elif before == VERSION:
        echo(f"it has format {VERSION} already")
    else:
        echo(f"from format {before} to {VERSION}")


@contextmanager
def _opened(url: str, make: bool) -> "Iterator[Store]":
    from tokenkit.verifier.store import Store

    with closing(Store(database_url(url), make=make)) as store:
        yield store


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
