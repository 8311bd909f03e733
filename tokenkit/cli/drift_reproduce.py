"""``tokenkit drift reproduce``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import echo, print_json, say

if TYPE_CHECKING:
    from tokenkit.drift.reproduce import Reproduction

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("reproduce")
@click.option("--seeds", required=True, type=_file, help="Seed file of the tokens, PSKC or CSV.")
@click.option(
    "--log", required=True, type=_file, help="What the server saw: see docs/observations.md."
)
@click.option("--zone", metavar="ZONE", help="Time zone of times that have none, as Europe/Berlin.")
@click.option("--serial", "serial_number", metavar="N", help="The token; else that of the refusal.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    type=click.IntRange(1),
    metavar="LINE",
    help="Line of the log with the refusal to show; once more for another. [default: the last]",
)
@click.option(
    "--policy",
    "drift",
    type=click.Choice(["offset", "rate"]),
    default="offset",
    show_default=True,
    help="What the server learns of a token's clock.",
)
@click.option(
    "--window-steps",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Time steps to either side in which it takes codes; with rate, at most.",
)
@click.option("--whole", is_flag=True, help="Keep all rows that come out as in the log.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.toml",
    help="The scenario; an existing file is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reproduce(
    seeds: Path,
    log: Path,
    zone: str | None,
    serial_number: str | None,
    lines: tuple[int, ...],
    drift: str,
    window_steps: int | None,
    whole: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Write a scenario that shows a refusal again: tokenkit run FILE.toml.

    A new token, whose clock does what the log's token did, is signed in with as the log says. Then
    rows and events are left out for as long as the refusal comes. What comes out otherwise than in
    the log is left out, and said. No seed is in the scenario.
    """
    from tokenkit.drift.diagnose import Options, diagnose
    from tokenkit.drift.observations import read_observations
    from tokenkit.drift.reproduce import reproduce as make
    from tokenkit.drift.server_time import time_zone
    from tokenkit.verifier import TotpPolicy
    from tokenkit.verifier.seed_file import read_seed_file

    policy = TotpPolicy(drift="rate" if drift == "rate" else "offset")
    if window_steps is not None:
        name = "max_window_steps" if drift == "rate" else "window_steps"
        policy = TotpPolicy(**{"drift": policy.drift, name: window_steps})  # type: ignore[arg-type]
    known = read_seed_file(seeds)
    rows = read_observations(log, seeds=known, zone=None if zone is None else time_zone(zone))
    if serial_number is not None:
        rows = [row for row in rows if row.serial_number == serial_number] or rows
    diagnosis = diagnose(known, rows, Options(policy=policy))
    made = make(
        diagnosis,
        rows,
        known,
        policy,
        serial_number=serial_number,
        lines=lines,
        whole=whole,
    )
    out.write_text(made.text, "utf-8")
    if as_json:
        print_json(_as_json(made, out))
    else:
        _tell(made, out)


def _tell(made: "Reproduction", out: Path) -> None:
    rows = len(made.outcomes) + len(made.missing)
    refused = ", ".join(f"line {line} {made.outcomes[line]}" for line in made.lines)
    echo(f"{made.serial_number}: {refused}, as in the log")
    echo(f"{len(made.outcomes)} of its {rows} rows come out as in the log; kept: {len(made.kept)}")
    for assumed in made.assumed:
        echo(f"assumed: {assumed}")
    for line, why in sorted(made.missing.items()):
        say(f"line {line} is left out: {why}")
    echo(f"tokenkit run {click.format_filename(out)}")


def _as_json(made: "Reproduction", out: Path) -> dict[str, object]:
    return {
        "serial_number": made.serial_number,
        "lines": made.lines,
        "scenario": str(out),
        "outcomes": made.outcomes,
        "missing": made.missing,
        "kept": made.kept,
        "assumed": made.assumed,
    }
