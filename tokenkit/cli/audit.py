"""``tokenkit audit``: show, export, verify."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.db_options import database_option, database_url, optional_database_option
from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import (
    complain,
    console,
    echo,
    print_json,
    print_json_line,
    print_json_text,
    say,
    table,
)
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.verifier.store import Store

_HASH_BYTES = 32


def _hash(ctx: click.Context, param: click.Parameter, value: str | None) -> bytes | None:
    if value is None:
        return None
    try:
        found = bytes.fromhex(value)
    except ValueError:
        found = b""
    if len(found) != _HASH_BYTES:
        raise click.BadParameter(f"a hash is {2 * _HASH_BYTES} hexadecimal digits")
    return found


@click.group("audit")
def command() -> None:
    """Read and check the verifier's log.

    Each change that the verifier is asked for and each sign-in is a line, also one that it
    refuses; what policies of IAM refuse, and what only reads, is none. Codes, passwords and seeds
    are in none. Each line has a hash over itself and the line before: note the last one elsewhere,
    and verify --head tells whether somebody changed or cut off what was written until then.
    """


@command.command()
@database_option
@click.option("--user", metavar="NAME", help="Lines about this user alone.")
@click.option(
    "--last",
    "count",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    metavar="N",
    help="So many lines, the newest.",
)
@json_option
def show(url: str, user: str | None, count: int, as_json: bool) -> None:
    """Show the end of the log."""
    from tokenkit.verifier import records

    with _opened(url) as store, store.reading() as connection:
        rows = records.last_audit_lines(connection, user, count)
    if as_json:
        for row in rows:
            print_json_line(
                {
                    name: getattr(row, name)
                    for name in ("at_s", "event", "user", "serial_number", "detail")
                }
            )
        return
    if not rows:
        echo("none")
        return
    shown = table("time (UTC)", "event", "user", "device", "detail")
    for row in rows:
        shown.add_row(
            _time(row.at_s),
            row.event,
            row.user or "",
            row.serial_number or "",
            json.dumps(row.detail, ensure_ascii=False) if row.detail else "",
        )
    console().print(shown)


@command.command(short_help="Write the whole log as JSON Lines.")
@database_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a new file, mode 0600. Default: standard output.",
)
def export(url: str, out: Path | None) -> None:
    """Write the whole log as JSON Lines, and its last hash on standard error.

    A line has line (from 1), at_s (seconds since 1970), event, user, serial_number, detail and
    hash: SHA-256 over the hash of the line before, 32 zero bytes at first, and the JSON of the
    five members between line and hash, with sorted keys, no spaces, and ASCII alone.
    """
    from tokenkit.verifier.audit_log import read_log
    from tokenkit.verifier.private_file import new_private_file

    count, head = 0, "0" * 2 * _HASH_BYTES
    with _opened(url) as store:

        def lines() -> Iterator[str]:
            nonlocal count, head
            for line in read_log(store):
                count, head = line.line, line.hash
                yield line.to_json() + "\n"

        if out is None:
            for text in lines():
                print_json_text(text)
        else:
            with new_private_file(out) as file:
                file.writelines(text.encode() for text in lines())
    say(f"{count} lines, head {head}")


@command.command(short_help="Check the hash of every line.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@optional_database_option
@click.option(
    "--head",
    "noted",
    callback=_hash,
    metavar="HASH",
    help="The last hash as it was noted earlier: it must be in the log still.",
)
@json_option
@click.pass_context
def verify(
    ctx: click.Context, file: Path | None, url: str | None, noted: bytes | None, as_json: bool
) -> None:
    """Check the hash of every line: of FILE, which export wrote, or of the database.

    Exit status 1 if the log was changed, with the first line that shows it.
    """
    if (file is None) == (url is None):
        raise click.UsageError("name a file that tokenkit audit export wrote, or a database: --db")

    from tokenkit.verifier import BrokenChain
    from tokenkit.verifier.audit_log import verify_log
    from tokenkit.verifier.chain import parse_log, verify_chain

    found: dict[str, Any]
    try:
        if file is not None:
            with file.open("rb") as opened:
                _demand_log(opened, str(file))
                chain = verify_chain(parse_log(opened), noted)
        else:
            assert url is not None
            with _opened(url) as store:
                chain = verify_log(store, noted)
    except BrokenChain as broken:
        if as_json:
            print_json({"unbroken": False, "line": broken.line, "why": broken.message})
        else:
            complain(str(broken))
        ctx.exit(1)
    found = {"unbroken": True, "lines": chain.lines, "head": chain.head.hex()}
    if noted is not None:
        found["noted_line"] = chain.noted_line
    if as_json:
        print_json(found)
        return
    echo(f"unbroken: {chain.lines} lines, head {chain.head.hex()}")
    if noted is not None:
        echo(f"the hash that was noted is line {chain.noted_line}'s")


def _demand_log(file: "BufferedReader", name: str) -> None:
    """TokenkitError for what never was a log: an export that failed, another program's file."""
    begun = file.peek(1)[:1]
    if not begun:
        raise TokenkitError(f"{name}: it is empty: there is nothing to verify")
    if begun != b"{":
        raise TokenkitError(f"{name}: it is no log that tokenkit audit export wrote")


@contextmanager
def _opened(url: str) -> "Iterator[Store]":
    from tokenkit.verifier.store import Store

    with closing(Store(database_url(url), make=False)) as store:
        store.demand_current()
        yield store


def _time(at_s: float) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.0f} s"  # a clock may be anywhere
