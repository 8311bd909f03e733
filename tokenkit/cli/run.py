"""``tokenkit run``."""

from pathlib import Path

import click

from tokenkit.cli.output import console, echo, print_json_text
from tokenkit.cli.types import Directory


@click.command("run")
@click.argument("files", nargs=-1, metavar="FILE…")
@click.option(
    "--seed", default=1, show_default=True, type=int, help="All randomness follows from it."
)
@click.option(
    "--report",
    type=Directory(),
    metavar="DIR",
    help="Write index.html, report.json and junit.xml into DIR.",
)
@click.option(
    "--key",
    "selectors",
    multiple=True,
    metavar="SELECTOR",
    help="A key that plays the scenario's first security key; once more for the second.",
)
@click.option("--yes", is_flag=True, help="Do not ask before using a physical key; needs --serial.")
@click.option(
    "--serial",
    "serials",
    multiple=True,
    metavar="N",
    help="Serial number of a physical key that may be used.",
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json in place of tables.")
@click.option("--list", "list_shipped", is_flag=True, help="Show the scenarios that are shipped.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    seed: int,
    report: Path | None,
    selectors: tuple[str, ...],
    yes: bool,
    serials: tuple[str, ...],
    as_json: bool,
    list_shipped: bool,
) -> None:
    """Run scenarios: TOML files, or the names of shipped ones.

    All files are checked before any is run. Exit status 1 if an expectation failed. If the run is
    cut short by Ctrl-C, status 130, or an error, the report holds the scenarios that were finished.
    """
    if list_shipped:
        _list()
        return
    if not files:
        raise click.UsageError("name a scenario file, or a shipped scenario: see --list")

    if (yes or serials) and not selectors:
        raise click.UsageError("--yes and --serial are about a physical key: name it with --key")

    from tokenkit.scenario import RunRecord, load, run
    from tokenkit.scenario.physical import confirm_keys
    from tokenkit.scenario.report import check_reports, write_reports
    from tokenkit.scenario.report.json import json_report
    from tokenkit.scenario.watch import Watch

    scenarios = [load(file) for file in files]
    if report is not None:
        check_reports(report)
    confirm_keys(selectors, scenarios, yes, serials)
    record = RunRecord(seed)
    try:
        with Watch(console(), quiet=as_json) as watch:
            for scenario in scenarios:
                made = run(scenario, seed, keys=selectors, progress=watch.progress)
                record.scenarios.append(made)
                watch.end(made)
    finally:
        if report is not None and record.scenarios:
            unfinished = [scenario.name for scenario in scenarios[len(record.scenarios) :]]
            path = write_reports(record, report, unfinished)
            echo(f"report: {click.format_filename(path)}", err=as_json)
    if as_json:
        print_json_text(json_report(record))
    ctx.exit(0 if record.held else 1)


def _list() -> None:
    from tokenkit.scenario import load, shipped

    for name in shipped():
        echo(f"{name:22}{load(name).scenario.title}")
