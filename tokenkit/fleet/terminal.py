"""A study's summary on a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenkit.fleet.report.words import codes_figure, figure, interval, plural
from tokenkit.fleet.result import Rate, StudyResult

# intervals give way where the terminal is narrower than this
_ROOM_FOR_INTERVALS = 100


def print_result(result: StudyResult, console: Console) -> None:
    """One row for each policy and batch, and for all batches if there are several."""
    wide = console.width >= _ROOM_FOR_INTERVALS
    tokens = plural(sum(batch.tokens for batch in result.batches), "token")
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(result.title, "bold"),
        caption=Text(
            f"{tokens} for {result.years:g} years, seed {result.seed}; each per 1,000 token-years"
            + (", in brackets its 95 % interval" if wide else "")
            + "; codes: acceptable at a time, on average and at most"
        ),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    table.add_column("policy", overflow="fold")
    table.add_column("batch", overflow="fold")
    for heading in ("rejections", "lock-outs", "resyncs", "codes"):
        table.add_column(heading, justify="right")
    several = len(result.batches) > 1
    for policy in result.policies:
        cells = [cell for cell in result.cells if cell.policy == policy.name]
        shown = [cell for cell in cells if several or cell.batch is not None]
        for number, cell in enumerate(shown):
            table.add_row(
                Text(policy.name if number == 0 else ""),
                Text(cell.batch or "all"),
                *(_rate(rate, wide) for rate in (cell.rejections, cell.lock_outs, cell.resyncs)),
                f"{codes_figure(cell.codes.mean.value)}, {cell.codes.most}",
            )
        table.add_section()
    console.print(table)


def _rate(rate: Rate, wide: bool) -> str:
    estimate = rate.per_1000_token_years
    return f"{figure(estimate.value)} ({interval(estimate)})" if wide else figure(estimate.value)
