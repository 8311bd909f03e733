"""``tokenkit drift``: what tokens' clocks did, from a server's log."""

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from tokenkit.cli.drift_options import (
    check_options,
    log_options,
    progress_of_rows,
    read_rows,
    totp_policy,
)
from tokenkit.cli.drift_reproduce import reproduce
from tokenkit.cli.output import console, echo, print_json_text, table
from tokenkit.cli.seed_options import read_seeds
from tokenkit.cli.types import Directory, plot_option
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis

_FEW = 10  # tokens of which all is told
_MOST_FAULTS = 20


@click.group("drift")
def command() -> None:
    """Say from logged codes what tokens' clocks did, and reproduce it."""


command.add_command(reproduce)


@command.command()
@log_options
@click.option(
    "--serial",
    "serials",
    multiple=True,
    metavar="N",
    help="Tell of the token with this serial number; once more for another.",
)
@plot_option
@click.option("--report", type=Directory(), metavar="DIR", help="Write index.html into DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print all of the diagnosis as JSON.")
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
    pskc_password: str | None,
) -> None:
    """Say what the clocks of tokens did: offset, rate, events, when they leave the window.

    All tokens of the log are looked at, for many that shift at once show a fault of the server.

    Exit status 1 if something in the log is contradictory or ambiguous: it is said by line.
    """
    from tokenkit.drift.diagnose import Options
    from tokenkit.drift.diagnose import diagnose as find

    check_options(range_s, entry_s)
    policy = totp_policy(window_steps, policy_file)
    if plot is not None or report is not None:
        from tokenkit.drift.report import check_plot, check_report

        if plot is not None:
            check_plot(plot)
        if report is not None:
            check_report(report)
    seeds = read_seeds(seed_file, pskc_key, pskc_password, skip_faulty)
    rows = read_rows(log_file, seeds, zone, skip_faulty)
    if unknown := set(serials) - {row.serial_number for row in rows}:
        raise TokenkitError(f"{log_file}: no row of token {', '.join(sorted(unknown))}")
    with progress_of_rows() as progress:
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
    when = "?" if leaves is None else "never" if leaves.at_s is None else day(leaves.at_s)
    return (
        name,
        codes,
        f"{token.offset_s.value:+.0f} ±{token.offset_s.value - token.offset_s.low:.0f}",
        "?" if rate is None else f"{rate.value:+.2f} ±{rate.value - rate.low:.2f}",
        events,
        "is out" if leaves is not None and leaves.outside else when,
    )
