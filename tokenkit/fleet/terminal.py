"""A study's summary on a terminal."""

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tokenkit.fleet.report.words import codes_figure, figure, plural
from tokenkit.fleet.result import Cell, Rate, StudyResult


def print_result(result: StudyResult, console: Console) -> None:
    """One row for each policy and batch, and for all batches if there are several.

    Where the terminal is narrow intervals give way first, then columns.
    """
    for columns, intervals in ((_ALL, True), (_ALL, False), (_FEWER, False)):
        table = _table(result, columns, intervals)
        if Measurement.get(console, console.options, table).maximum < console.width:
            break
    else:
        table = _table(result, _FEWEST, False)
    console.print(table)
    console.print(_caption(result, [str(column.header) for column in table.columns], intervals))


def _table(result: StudyResult, columns: Sequence[str], intervals: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(result.title, "bold"),
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("policy and batch", overflow="fold", min_width=8)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    several = len(result.batches) > 1
    for policy in result.policies:
        table.add_row(Text(policy.name, "bold"))
        cells = [cell for cell in result.cells if cell.policy == policy.name]
        for cell in cells:
            if several or cell.batch is not None:
                shown = (_COLUMNS[heading](cell, intervals) for heading in columns)
                table.add_row(Text(f"  {cell.batch or 'all'}"), *shown)
        table.add_section()
    return table


def _caption(result: StudyResult, columns: Sequence[str], intervals: bool) -> Text:
    tokens = plural(sum(batch.tokens for batch in result.batches), "token")
    said = f"{tokens} for {result.years:g} years, seed {result.seed}; rates in 1,000 token-years"
    if intervals:
        said += ", with 95 % intervals"
    if "replaced" in columns:
        said += "; replaced: found by no resync, or refused at enrolment"
    said += "; codes: acceptable at a time, on average"
    if "next" in columns:
        said += "; next: right after a wrong one"
    if "most" in columns:
        said += "; most: at any time"
    return Text(said, "dim")


def _rate(rate: Rate, interval: bool) -> str:
    value = rate.per_1000_token_years
    shown = f" ({figure(value.low)}–{figure(value.high)})" if interval else ""
    return figure(value.value) + shown


_COLUMNS: dict[str, Callable[[Cell, bool], str]] = {
    "rejections": lambda cell, interval: _rate(cell.rejections, interval),
    "lock-outs": lambda cell, interval: _rate(cell.lock_outs, interval),
    "resyncs": lambda cell, interval: _rate(cell.resyncs, interval),
    "replaced": lambda cell, interval: _rate(cell.lost, interval),
    "codes": lambda cell, interval: codes_figure(cell.codes.mean.value),
    "next": lambda cell, interval: codes_figure(cell.codes.mean_next.value),
    "most": lambda cell, interval: str(cell.codes.most),
}
_ALL = tuple(_COLUMNS)
_FEWER = ("rejections", "lock-outs", "resyncs", "codes", "next")
_FEWEST = ("lock-outs", "codes")
