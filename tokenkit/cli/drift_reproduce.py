"""``tokenkit drift reproduce``."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from tokenkit.cli.drift_options import (
    check_options,
    log_options,
    progress_in_words,
    progress_of_rows,
    read_rows,
    totp_policy,
)
from tokenkit.cli.output import echo, print_json, say
from tokenkit.cli.seed_options import read_seeds
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.drift.reproduce import Reproduction

_MOST_TOLD = 20


@click.command()
@log_options
@click.option("--serial", metavar="N", help="The token. Default: that of the last refusal.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Line of the log whose refusal to show; once more … Default: the last of the token.",
)
@click.option("--whole", is_flag=True, help="Keep all rows of the token, not only what is needed.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the scenario into FILE; one that is there is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reproduce(
    seed_file: Path,
    log_file: Path,
    serial: str | None,
    lines: tuple[int, ...],
    zone: ZoneInfo | None,
    skip_faulty: bool,
    range_s: float,
    entry_s: float,
    window_steps: int | None,
    policy_file: Path | None,
    whole: bool,
    out: Path,
    as_json: bool,
    pskc_key: bytes | None,
    pskc_password: str | None,
) -> None:
    """Write a scenario that shows a refusal of the log again: tokenkit run FILE.

    A new token, whose clock goes as the log's token's did, shows its codes when the log says so.
    Then rows and events are left out for as long as the refusal comes. Rows that come out otherwise
    than in the log are told and left out. No seed gets into the scenario.
    """
    from tokenkit.drift.diagnose import Options, diagnose
    from tokenkit.drift.reproduce import reproduce as make
    from tokenkit.report.files import write_whole

    check_options(range_s, entry_s)
    _check_out(out, (seed_file, log_file, policy_file))
    policy = totp_policy(window_steps, policy_file)
    seeds = read_seeds(seed_file, pskc_key, pskc_password, skip_faulty)
    rows = read_rows(log_file, seeds, zone, skip_faulty)
    with progress_of_rows() as progress:
        diagnosis = diagnose(seeds, rows, Options(range_s, entry_s, policy), progress)
    with progress_in_words() as tell:
        made = make(
            diagnosis,
            rows,
            seeds,
            policy,
            serial_number=serial,
            lines=lines,
            whole=whole,
            progress=tell,
        )
    write_whole(out, made.text)
    if as_json:
        print_json(_as_json(made, out))
    else:
        _tell(made, out)


def _check_out(out: Path, read: Iterable[Path | None]) -> None:
    """TokenkitError now, not after all the work."""
    from tokenkit.report.files import check_folder

    if not out.parent.is_dir():
        raise TokenkitError(f"there is no directory {out.parent}")
    for each in read:
        if each is not None and out.exists() and each.exists() and out.samefile(each):
            raise TokenkitError(f"{out} is read, and not replaced: name another file for --out")
    if out.exists() and not out.is_file():
        raise TokenkitError(f"{out} is no file that can be replaced")
    check_folder(out.parent, [out.name])


def _tell(made: "Reproduction", out: Path) -> None:
    rows = len(made.outcomes) + len(made.missing)
    for line in made.lines:
        echo(f"{made.serial_number}, line {line}: {made.outcomes[line]}, refused as in the log")
    if (first := made.first_refused) is not None:
        echo(
            f"the first refusal after the last accepted code is line {first}: --line {first} shows"
            " it"
        )
    echo(
        f"{len(made.outcomes)} of its {rows} rows come out as in the log, {len(made.kept)} are kept"
    )
    for assumed in made.assumed:
        echo(f"assumed: {assumed}")
    for line, why in sorted(made.missing.items())[:_MOST_TOLD]:
        say(f"line {line} is left out: {why}")
    if len(made.missing) > _MOST_TOLD:
        say(f"and {len(made.missing) - _MOST_TOLD} more lines: --json tells all")
    echo(f"run it: tokenkit run {click.format_filename(out)}")


def _as_json(made: "Reproduction", out: Path) -> dict[str, object]:
    return {
        "serial_number": made.serial_number,
        "lines": made.lines,
        "scenario": str(out),
        "outcomes": made.outcomes,
        "missing": made.missing,
        "kept": made.kept,
        "assumed": made.assumed,
        "first_refused": made.first_refused,
    }
