"""A study's summary on a terminal."""

from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenkit.fleet.report.words import codes_figure, figure, plural
from tokenkit.fleet.result import Cell, Rate, StudyResult

# what gives way where the terminal is narrower than this
_ROOM_FOR_INTERVALS = 120
_ROOM_FOR_REPLACED = 80
_ROOM_FOR_MOST = 70


def print_result(result: StudyResult, console: Console) -> None:
    """One row for each policy and batch, and for all batches if there are several."""
    wide = console.width >= _ROOM_FOR_INTERVALS
    columns = [name for name in _COLUMNS if _has_room(name, console.width)]
    tokens = plural(sum(batch.tokens for batch in result.batches), "token")
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(result.title, "bold"),
        caption=Text(
            f"{tokens} for {result.years:g} years, seed {result.seed}; per 1,000 token-years"
            + (", with 95 % intervals" if wide else "")
            + "; codes that were acceptable at a time, on average, next after a wrong one,"
            + " and at most"
            + (
                "; replaced: found by no resync, or refused at enrolment"
                if _REPLACED in columns
                else ""
            )
        ),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("policy", overflow="fold", min_width=8)
    table.add_column("batch", overflow="fold", min_width=8)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    several = len(result.batches) > 1
    for policy in result.policies:
        cells = [cell for cell in result.cells if cell.policy == policy.name]
        shown = [cell for cell in cells if several or cell.batch is not None]
        for number, cell in enumerate(shown):
            table.add_row(
                Text(policy.name if number == 0 else ""),
                Text(cell.batch or "all"),
                *(_COLUMNS[heading](cell, wide) for heading in columns),
            )
        table.add_section()
    console.print(table)


def _has_room(column: str, width: int) -> bool:
    if column in _NEEDED:
        return True
    return width >= (_ROOM_FOR_REPLACED if column == _REPLACED else _ROOM_FOR_MOST)


def _rate(rate: Rate, wide: bool) -> str:
    value = rate.per_1000_token_years
    interval = f" ({figure(value.low)}–{figure(value.high)})" if wide else ""
    return figure(value.value) + interval


_REPLACED = "replaced"
_COLUMNS: dict[str, Callable[[Cell, bool], str]] = {
    "rejections": lambda cell, wide: _rate(cell.rejections, wide),
    "lock-outs": lambda cell, wide: _rate(cell.lock_outs, wide),
    "resyncs": lambda cell, wide: _rate(cell.resyncs, wide),
    _REPLACED: lambda cell, wide: _rate(cell.lost, wide),
    "codes": lambda cell, wide: codes_figure(cell.codes.mean.value),
    "next": lambda cell, wide: codes_figure(cell.codes.mean_next.value),
    "most": lambda cell, wide: str(cell.codes.most),
}
_NEEDED = ("lock-outs", "codes")
