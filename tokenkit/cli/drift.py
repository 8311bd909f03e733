"""``tokenkit drift``: what tokens' clocks did, from a server's log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from tokenkit.cli.output import console, echo, print_json_text, table
from tokenkit.cli.serve_options import pskc_key_option, read_seeds
from tokenkit.cli.types import Directory
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
    from tokenkit.verifier.policy import TotpPolicy

_FEW = 10  # tokens of which all is told
_MOST_FAULTS = 20


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> ZoneInfo | None:
    try:
        return None if value is None else ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{value!r} is no time zone such as Europe/Berlin") from None


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    from tokenkit.scenario.durations import PositiveDuration

    try:
        return float(PositiveDuration.of(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _picture(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in (".png", ".svg"):
        raise click.BadParameter(f"{value} ends neither in .png nor in .svg")
    if value is not None and not value.parent.is_dir():
        raise click.BadParameter(f"there is no directory {value.parent}")
    return value


@click.group("drift")
def command() -> None:
    """Say from logged codes what tokens' clocks did, and reproduce it."""


@command.command()
@click.option(
    "--seeds",
    "seed_file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Seeds of the tokens: PSKC or CSV.",
)
@click.option(
    "--log",
    "log_file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Which code came when, and whether it was accepted; docs/observations.md says how.",
)
@click.option(
    "--token", "serials", multiple=True, metavar="SERIAL", help="Tell of this one; once more …"
)
@click.option(
    "--time-zone", "zone", callback=_zone, metavar="ZONE", help="Of times that have none."
)
@click.option("--skip-faulty", is_flag=True, help="Leave out lines that cannot be read.")
@click.option(
    "--range",
    "range_s",
    default="2 days",
    show_default=True,
    callback=_seconds,
    metavar="TIME",
    help="How far off a clock may be.",
)
@click.option(
    "--entry",
    "entry_s",
    default="12 s",
    show_default=True,
    callback=_seconds,
    metavar="TIME",
    help="Within what time a code mostly arrives after it was read.",
)
@click.option(
    "--window-steps",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Predict when the token leaves a window of so many steps around the last code. Default 1.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The same for the policy of this file, as tokenkit serve takes it.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture,
    metavar="FILE",
    help="Draw it into FILE, which ends in .png or .svg.",
)
@click.option("--report", type=Directory(), metavar="DIR", help="Write index.html into DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print all of the diagnosis as JSON.")
@pskc_key_option
@click.pass_context
def diagnose(
    ctx: click.Context,
    seed_file: Path,
    log_file: Path,
    serials: tuple[str, ...],
    zone: ZoneInfo | None,
    skip_faulty: bool,
    range_s: float,
    entry_s: float,
    window_steps: int | None,
    policy_file: Path | None,
    plot: Path | None,
    report: Path | None,
    as_json: bool,
    pskc_key: bytes | None,
) -> None:
    """Say what the clocks of tokens did: offset, rate, events, when they leave the window.

    All tokens of the log are looked at, for many that shift at once show a fault of the server.

    Exit status 1 if something in the log is contradictory or ambiguous: it is said by line.
    """
    from tokenkit.drift.diagnose import MOST_ENTRY_S, MOST_RANGE_S, Options
    from tokenkit.drift.diagnose import diagnose as find
    from tokenkit.drift.observations import read_observations

    for name, value_s, most_s in (
        ("--range", range_s, MOST_RANGE_S),
        ("--entry", entry_s, MOST_ENTRY_S),
    ):
        if value_s > most_s:
            raise click.UsageError(f"{name} is {most_s:.0f} s at most")
    policy = _policy(window_steps, policy_file)
    if plot is not None or report is not None:
        from tokenkit.drift.report import check_plot, check_report

        if plot is not None:
            check_plot(plot)
        if report is not None:
            check_report(report)
    seeds = read_seeds(seed_file, pskc_key)
    rows = read_observations(log_file, seeds=seeds, zone=zone, skip_faulty=skip_faulty)
    if unknown := set(serials) - {row.serial_number for row in rows}:
        raise TokenkitError(f"{log_file}: no row of token {', '.join(sorted(unknown))}")
    with _progress() as progress:
        diagnosis = find(seeds, rows, Options(range_s, entry_s, policy), progress)
    if serials:
        from tokenkit.drift.diagnose import only

        diagnosis = only(diagnosis, serials)
    if plot is not None:
        from tokenkit.drift.report import write_plot

        write_plot(diagnosis, plot)
        echo(f"plot: {click.format_filename(plot)}", err=as_json)
    if report is not None:
        from tokenkit.drift.report import write_report

        path = write_report(diagnosis, report)
        echo(f"report: {click.format_filename(path)}", err=as_json)
    if as_json:
        import msgspec

        print_json_text(msgspec.json.format(msgspec.json.encode(diagnosis)).decode() + "\n")
    else:
        _print(diagnosis, log_file, everything=bool(serials))
    ctx.exit(1 if diagnosis.faults else 0)


def _policy(window_steps: int | None, policy_file: Path | None) -> "TotpPolicy":
    from tokenkit.verifier.policy import TotpPolicy

    if policy_file is None:
        return TotpPolicy(window_steps=1 if window_steps is None else window_steps)
    if window_steps is not None:
        raise click.UsageError("--policy says what the window is: leave out --window-steps")
    from tokenkit.service.policy_file import policies

    return policies(policy_file, "https://tokenkit.example").totp


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    errors = Console(stderr=True)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tokens"),
        console=errors,
        transient=True,
        disable=not sys.stderr.isatty() or errors.is_dumb_terminal,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _print(diagnosis: "Diagnosis", log_file: Path, everything: bool) -> None:
    from tokenkit.scenario.report.words import on_one_line

    if everything or len(diagnosis.tokens) <= _FEW:
        for token in diagnosis.tokens:
            echo(on_one_line(token.serial_number))
            for sentence in token.sentences:
                echo(f"  {sentence}")
            echo()
    else:
        listing = table("serial number", "codes", "clock, s", "rate, ppm", "events", "leaves")
        for token in diagnosis.tokens:
            listing.add_row(*_row(token))
        console().print(listing)
    for sentence in diagnosis.sentences:
        echo(sentence)
    for fault in diagnosis.faults[:_MOST_FAULTS]:
        line = "" if fault.line is None else f":{fault.line}"
        name = "" if fault.serial_number is None else f" {fault.serial_number}:"
        echo(on_one_line(f"{log_file}{line}:{name} {fault.message}"))
    if (more := len(diagnosis.faults) - _MOST_FAULTS) > 0:
        echo(f"and {more} more: --json tells all")


def _row(token: "TokenDiagnosis") -> tuple[str, ...]:
    from tokenkit.drift.words import day

    name, codes = token.serial_number, f"{len(token.placed)}/{token.rows}"
    if token.offset_s is None:
        return name, codes, "?", "?", "", ""
    rate, leaves = token.mean_rate_ppm, token.leaves_window
    events = ", ".join(
        f"{'step' if change.kind == 'step' else 'rate'} {day(change.when.at_s)}"
        for change in token.changes
    )
    when = "never" if leaves is None or leaves.at_s is None else day(leaves.at_s)
    return (
        name,
        codes,
        f"{token.offset_s.value:+.0f} ±{token.offset_s.value - token.offset_s.low:.0f}",
        "?" if rate is None else f"{rate.value:+.2f} ±{rate.value - rate.low:.2f}",
        events,
        "is out" if leaves is not None and leaves.outside else when,
    )
