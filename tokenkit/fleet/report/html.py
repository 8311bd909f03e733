"""A study as one HTML page."""

import re
from typing import Any

from tokenkit import __version__
from tokenkit.fleet.report.verdict import verdict
from tokenkit.fleet.report.words import codes_figure, figure, interval, plural
from tokenkit.fleet.result import Cell, Estimate, StudyResult
from tokenkit.report.html import environment


def html_report(result: StudyResult, study: str = "STUDY.toml") -> str:
    """The page as text; ``study`` is what ``tokenkit fleet study`` was told to count."""
    templates = environment("tokenkit.fleet.report")
    templates.filters.update(figure=figure, interval=interval, mean=codes_figure, plural=plural)
    from tokenkit.fleet.report.looks import Look

    tables = [
        (batch, [result.cell(p.name, batch) for p in result.policies]) for batch in _batches(result)
    ]
    cells = tables[0][1]
    page = templates.get_template("template.html.j2").render(
        result=result,
        study=study,
        version=__version__,
        verdict=verdict(result),
        mean=codes_figure,
        tokens=sum(batch.tokens for batch in result.batches),
        token_years=cells[0].token_years,
        looks=[Look(number) for number in range(len(result.policies))],
        tables=tables,
        **_pictures(cells, tables),
    )
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", page)


def _batches(result: StudyResult) -> list[str | None]:
    """All together first, unless one batch is all."""
    names = [batch.name for batch in result.batches]
    return [None, *names] if len(names) > 1 else list(names)


def _pictures(cells: list[Cell], tables: list[tuple[str | None, list[Cell]]]) -> dict[str, Any]:
    from markupsafe import Markup

    from tokenkit.fleet.report.codes import codes
    from tokenkit.fleet.report.months import months
    from tokenkit.fleet.report.trade_off import trade_off

    def sizes(draw: Any, label: str, prefix: str) -> dict[str, Markup]:
        return {
            size: Markup(draw(cells, size == "small", label, f"{prefix}-{size}"))
            for size in ("small", "large")
        }

    named = [(batch, of) for batch, of in tables if batch is not None]
    every = [cell for _, of in named for cell in of]
    return {
        "trade_off": sizes(trade_off, _trade_off_words(cells), "t"),
        "months": sizes(months, _months_words(cells), "m"),
        "by_batch": [
            (batch, Markup(trade_off(of, True, _trade_off_words(of), f"t{number}", every)))
            for number, (batch, of) in enumerate(named if len(named) > 1 else [])
        ],
        "codes": [
            (batch, Markup(codes(of, _codes_words(of), f"c{number}", every)))
            for number, (batch, of) in enumerate(named)
        ],
    }


def _trade_off_words(cells: list[Cell]) -> str:
    """What the plot shows, for those who cannot see it; so do the next two."""
    return "Lock-outs per 1,000 token-years against acceptable codes. " + "; ".join(
        f"{cell.policy}: {_with_interval(cell.lock_outs.per_1000_token_years)} lock-outs,"
        f" {codes_figure(cell.codes.mean.value)} codes"
        for cell in cells
    )


def _months_words(cells: list[Cell]) -> str:
    from tokenkit.fleet.report.months import spells

    return "Lock-outs per 1,000 token-years over the months, first and last. " + "; ".join(
        f"{cell.policy}: {figure(spells(cell)[0][1])} and {figure(spells(cell)[-1][1])}"
        for cell in cells
    )


def _codes_words(cells: list[Cell]) -> str:
    return "How often so many codes were acceptable. " + "; ".join(
        f"{cell.policy}: {codes_figure(cell.codes.mean.value)} on average, 99 % of the time"
        f" {cell.codes.percentile_99} at most, never more than {cell.codes.most}"
        for cell in cells
    )


def _with_interval(estimate: Estimate) -> str:
    return f"{figure(estimate.value)} ({interval(estimate)})"
