"""``tokenkit fleet``: what a verifier's policy costs a fleet of tokens."""

import shlex
from contextlib import AbstractContextManager, ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import console, echo, print_json_text, say
from tokenkit.cli.types import Directory
from tokenkit.errors import MissingExtraError, TokenkitError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tokenkit.fleet.pool import Pool
    from tokenkit.fleet.result import StudyResult
    from tokenkit.fleet.study import Study
    from tokenkit.fleet.tally import Tally


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
    type=click.IntRange(1, 99_999_999),
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
    _check_installed()
    from tokenkit.fleet.study import load

    chosen = _adjusted(load(file).study, seed, tokens)
    _check_writable(report, csv_file, parquet)
    result = _count(chosen, scheduler, workers, checkpoint, parquet)

    from tokenkit.fleet import export

    if csv_file is not None:
        export.write_csv(result, csv_file)
    if parquet is not None:
        export.write_summary(result, parquet)
    page = None
    if report is not None:
        from tokenkit.fleet.report import write_report

        page = write_report(result, report, _again(file, seed, tokens))
    if as_json:
        print_json_text(result.to_json().decode())
    else:
        from tokenkit.fleet.terminal import print_result

        print_result(result, console())
    if page is not None:
        echo(f"report: {click.format_filename(page)}", err=as_json)


def _again(file: str, seed: int | None, tokens: int | None) -> str:
    """What gives the same result again, as one types it after ``tokenkit fleet study``."""
    words = [file]
    if seed is not None:
        words += ["--seed", str(seed)]
    if tokens is not None:
        words += ["--tokens", str(tokens)]
    return shlex.join(words)


def _check_installed() -> None:
    if any(find_spec(name) is None for name in ("distributed", "numba", "pyarrow", "scipy")):
        raise MissingExtraError("a study of a fleet", "fleet")


def _adjusted(study: "Study", seed: int | None, tokens: int | None) -> "Study":
    from msgspec.structs import replace

    if seed is not None:
        study = replace(study, seed=seed)
    if tokens is not None:
        scale = tokens / study.tokens
        batches = [
            replace(batch, tokens=max(1, round(scale * batch.tokens))) for batch in study.batch
        ]
        study = replace(study, batch=batches)
    return study


def _check_writable(report: Path | None, csv_file: Path | None, parquet: Path | None) -> None:
    """Nothing is counted that could not be written."""
    from tokenkit.fleet.export import SUMMARY, TOKENS
    from tokenkit.report.files import check_folder

    if report is not None:
        from tokenkit.fleet.report import check_report

        check_report(report)
    if csv_file is not None:
        check_folder(csv_file.parent, [csv_file.name])
    if parquet is not None:
        check_folder(parquet, [SUMMARY, TOKENS])


def _count(
    study: "Study",
    scheduler: str | None,
    workers: int | None,
    checkpoint: Path | None,
    parquet: Path | None,
) -> "StudyResult":
    from tokenkit.fleet.checkpoint import Checkpoint
    from tokenkit.fleet.export import token_table
    from tokenkit.fleet.fingerprint import fingerprint
    from tokenkit.fleet.run import digest, run
    from tokenkit.fleet.tables import result
    from tokenkit.fleet.watch import Watch

    tallies: dict[int, Tally] = {}
    watch = Watch(study.tokens * study.years)
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, study.title, digest(study), fingerprint(), watch.say)
    try:
        with ExitStack() as stack:
            pool = stack.enter_context(_pool(scheduler, workers))
            add = stack.enter_context(token_table(study, parquet)) if parquet else None
            stack.enter_context(watch)
            for counted, was_kept in run(study, pool, kept):
                batch, tally = counted.partition.batch, counted.tally
                tallies[batch] = tallies[batch] + tally if batch in tallies else tally
                if add is not None:
                    add(counted)
                watch.advance(counted.partition.count * study.years, was_kept)
    except (KeyboardInterrupt, TokenkitError):
        if kept is not None and kept.holds_any():
            folder = click.format_filename(kept.folder)
            say(f"{folder} keeps what is counted: the same command goes on from there")
        raise
    return result(study, [tallies[batch] for batch in range(len(study.batch))])


def _pool(scheduler: str | None, workers: int | None) -> "AbstractContextManager[Pool]":
    if scheduler is None:
        from tokenkit.fleet.pool import threads

        return threads(workers)
    from tokenkit.fleet.cluster import LOCAL, cluster

    if workers is not None and scheduler != LOCAL:
        raise click.UsageError(f"{scheduler} has the workers that it has: leave out --workers")
    return cluster(scheduler, workers)
