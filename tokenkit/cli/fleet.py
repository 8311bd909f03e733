"""``tokenkit fleet``: what a verifier's policy costs a fleet of tokens."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import complain, console, echo, print_json_text
from tokenkit.cli.types import Directory
from tokenkit.errors import MissingExtraError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tokenkit.fleet.outputs import Outputs
    from tokenkit.fleet.study import Study


@click.group("fleet")
def command() -> None:
    """Study fleets of tokens: what a policy costs, before anything is bought."""


@command.command("list")
def list_studies() -> None:
    """Show the studies that are shipped."""
    from tokenkit.fleet.study import load, shipped

    for name in shipped():
        echo(f"{name:20}{load(name).study.title}")


def _complete(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Shipped studies and files."""
    from click.shell_completion import CompletionItem

    from tokenkit.fleet.study import shipped

    names = [CompletionItem(name) for name in shipped() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


@command.command("study")
@click.argument("file", metavar="STUDY", shell_complete=_complete)
@click.option("--seed", type=int, help="In the place of the study's own.")
@click.option(
    "--tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many in all, for a quick look: each batch shrinks or grows alike.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads of this process, or workers of a local cluster. Default: one a processor.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Count on a Dask cluster: its scheduler's address, such as tcp://HOST:8786, or `local`"
    " for one that is made here.",
)
@click.option(
    "--checkpoint",
    type=Directory(),
    metavar="DIR",
    help="Keep there what is counted; the same command again goes on from it.",
)
@click.option("--report", type=Directory(), metavar="DIR", help="Write index.html into DIR.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the summary: a line for each policy and batch.",
)
@click.option(
    "--parquet",
    type=Directory(),
    metavar="DIR",
    help="Write summary.parquet, and tokens.parquet: a row for each token and policy.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole result in place of a table.")
def study(
    file: str,
    seed: int | None,
    tokens: int | None,
    workers: int | None,
    scheduler: str | None,
    checkpoint: Path | None,
    report: Path | None,
    csv_file: Path | None,
    parquet: Path | None,
    as_json: bool,
) -> None:
    """Run STUDY: a TOML file, or the name of a shipped one.

    The result depends on the study and its seed alone: not on the threads, workers or computers
    that count it, nor on whether it was interrupted. A worker that dies loses nothing. All that is
    written is there whole, or not at all.
    """
    _check_installed(scheduler, parquet)
    from tokenkit.fleet.study import load

    chosen = _adjusted(load(file).study, seed, tokens)
    _check_writable(report, csv_file, parquet)

    from tokenkit.fleet import export
    from tokenkit.fleet.checkpoint import Checkpoint
    from tokenkit.fleet.fingerprint import fingerprint
    from tokenkit.fleet.run import Job
    from tokenkit.fleet.terminal import print_result
    from tokenkit.fleet.watch import Watch

    job = Job(chosen)
    with ExitStack() as stack:
        keeping = checkpoint and Checkpoint(checkpoint, chosen.title, job.digest, fingerprint())
        pool = stack.enter_context(_pool(scheduler, workers))
        watch = stack.enter_context(Watch(chosen.tokens * chosen.years))
        add = stack.enter_context(export.token_table(chosen, parquet)) if parquet else None
        try:
            for done in job.run(pool, keeping or None):
                watch.advance(done.counted.partition.count * chosen.years, done.kept)
                if add is not None:
                    add(done.counted)
        except KeyboardInterrupt:
            watch.say
            raise
    result = job.result()
    if csv_file:
        export.write_csv(result, csv_file)
    if parquet:
        export.write_summary(result, parquet)
    if report:
        from tokenkit.fleet.report import write_report
        ...
    if as_json:
        print_json_text(result.to_json().decode())
    else:
        print_result(result, console())
