"""``tokenkit trace``: show, diff, replay."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.key_options import Guard, guarded, json_option
from tokenkit.cli.output import echo, print_json

if TYPE_CHECKING:
    from tokenkit.keys.trace.compare import Difference
    from tokenkit.keys.trace.decode import Decoded

_secrets_option = click.option(
    "--secrets", is_flag=True, help="Show what comes of PINs, users' names and all else, too."
)
_exact_option = click.option(
    "--exact", is_flag=True, help="Compare what differs by its nature, too: keys, challenges, …"
)


def _file(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.argument(name, type=click.Path(path_type=Path))


@click.group("trace")
def command() -> None:
    """Read, compare and replay recorded sessions with keys.

    A trace is a pcapng file of USB packets: --trace of the commands on keys writes it, and so do
    Wireshark and tcpdump where they capture the bus that a key is on (usbmon, USBPcap). Wireshark
    opens it.

    It holds all that was said in clear, secrets too: keep it as you keep passwords. What show
    and diff print leaves them out.
    """


@command.command()
@_file("file")
@_secrets_option
@json_option
def show(file: Path, secrets: bool, as_json: bool) -> None:
    """Show each message of a trace in words.

    That is seconds from the start, direction (→ to the key), channel, command and content, as
    CBOR diagnostic notation with names. Secrets are left out, null in --json: all that comes of a
    PIN, what relying parties keep on the key, users' names, and what is unknown.
    """
    from tokenkit.keys.trace.decode import Decoder
    from tokenkit.keys.trace.messages import read_messages
    from tokenkit.keys.trace.reports import read_trace

    trace = read_trace(file)
    decoder = Decoder()
    start_s = trace.reports[0].time_s
    several = len({report.key for report in trace.reports}) > 1
    listed = []
    for message in read_messages(trace.reports):
        decoded = decoder.decode(message)
        if as_json:
            listed.append(_facts(decoded, secrets))
        else:
            key = f"{message.key:<6} " if several else ""
            echo(f"{message.time_s - start_s:12.6f} {key}{_line(decoded, secrets)}")
    if as_json:
        print_json(listed)
    trace.require_whole()


@command.command()
@_file("first")
@_file("second")
@click.option("--all", "show_all", is_flag=True, help="Show all differences, not the first alone.")
@_exact_option
@_secrets_option
@json_option
@click.pass_context
def diff(
    ctx: click.Context,
    first: Path,
    second: Path,
    show_all: bool,
    exact: bool,
    secrets: bool,
    as_json: bool,
) -> None:
    """Compare two traces, message by message.

    Times and keep-alives are not compared, nor what differs by its nature: channels, challenges,
    keys, credential ids, signatures. Exit status 1 if the traces differ.
    """
    from itertools import islice

    from tokenkit.keys.trace.compare import compare
    from tokenkit.keys.trace.messages import read_messages
    from tokenkit.keys.trace.reports import read_trace

    one, other = read_trace(first), read_trace(second)
    one.require_whole()
    other.require_whole()
    found = compare(read_messages(one.reports), read_messages(other.reports), exact)
    differences = list(found if show_all else islice(found, 1))
    if as_json:
        print_json([_difference_facts(each, secrets) for each in differences])
    elif not differences:
        echo(f"{first} and {second} say the same")
    for each in [] if as_json else differences:
        _print(each, secrets)
    ctx.exit(1 if differences else 0)


@command.command()
@_file("file")
@click.argument("selector", default="auto")
@click.option("--device", metavar="BUS.DEVICE", help="Which key, in a trace of several.")
@_exact_option
@_secrets_option
@guarded
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    file: Path,
    selector: str,
    device: str | None,
    exact: bool,
    secrets: bool,
    guard: Guard,
    as_json: bool,
) -> None:
    """Say to a key what was said in a trace, and compare its answers.

    SELECTOR is as for: tokenkit keys. A virtual key is new, from its seed, or the one in its file,
    and time passes for it as it did then; with the seed of the recording, --exact holds. Whatever
    the recorded host did is done again: a physical key is asked for first.

    Exit status 1 at the first answer that differs from the recorded one.
    """
    from tokenkit.keys.trace.replay import replay as replay_trace
    from tokenkit.keys.trace.reports import read_trace

    played = replay_trace(read_trace(file), selector, guard.confirm, device=device, exact=exact)
    found = played.difference
    if as_json:
        difference = None if found is None else _difference_facts(found, secrets)
        print_json({"same": played.same, "difference": difference})
    else:
        echo(f"answers as recorded: {played.same}")
        if found is not None:
            _print(found, secrets)
    ctx.exit(0 if found is None else 1)


def _line(decoded: "Decoded", secrets: bool) -> str:
    from tokenkit.keys.trace.decode import channel_name
    from tokenkit.keys.trace.notation import diagnostic

    message = decoded.message
    words = ["→" if message.from_host else "←", f"{channel_name(message.channel):<9}"]
    words.append(decoded.command)
    if decoded.name is not None:
        words.append(decoded.name)
    if message.problem is not None:
        words.append(f"[broken: {message.problem}]")
    if decoded.content is not None:
        words.append(diagnostic(decoded.content, secrets))
    return " ".join(words)


def _facts(decoded: "Decoded", secrets: bool) -> dict[str, Any]:
    from tokenkit.keys.trace.notation import jsonable

    message = decoded.message
    return {
        "time_s": message.time_s,
        "key": message.key,
        "from_host": message.from_host,
        "channel": None if message.channel is None else f"{message.channel:08x}",
        "command": decoded.command,
        "name": decoded.name,
        "content": jsonable(decoded.content, secrets),
        "problem": message.problem,
    }


def _difference_facts(found: "Difference", secrets: bool) -> dict[str, Any]:
    sides = {"first": found.first, "second": found.second}
    return {
        "message": found.number,
        **{name: side and _facts(side, secrets) for name, side in sides.items()},
        "members": list(found.members),
    }


def _print(found: "Difference", secrets: bool) -> None:
    where = f": {', '.join(found.members)}" if found.members else ""
    echo(f"message {found.number} differs{where}")
    for sign, side in (("-", found.first), ("+", found.second)):
        echo(f"{sign} {'nothing' if side is None else _line(side, secrets)}")
