"""``tokenkit otp crystals`` and ``calibrate``: data sheets, and measurements."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from tokenkit.cli.output import complain, console, echo, print_json, table
from tokenkit.cli.types import in_a_directory, moment, plot_option, zone_option
from tokenkit.errors import MissingExtraError, TokenkitError

if TYPE_CHECKING:
    from tokenkit.crystals.fit import Fit
    from tokenkit.virtual import Grade

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _new_grade(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix != ".toml":
        raise click.BadParameter(f"{value} does not end in .toml")
    return in_a_directory(value)


def _demand(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(what, "report")


@click.command()
@click.argument("names", nargs=-1, metavar="[GRADE]…")
@plot_option
@_json_option
def crystals(names: tuple[str, ...], plot: Path | None, as_json: bool) -> None:
    """Show the grades of crystal that there are, by data sheets, and their sources.

    GRADE is one of them, or a file of one that ends in .toml. A range is that of all crystals of
    the grade.
    """
    from tokenkit.virtual import GRADES

    grades = {name: grade_of(name) for name in names or GRADES}
    if plot is not None:
        _demand("matplotlib", "a plot")
        from tokenkit.crystals.figure import draw_grades
        from tokenkit.report.files import whole_file

        with whole_file(plot) as file:
            draw_grades(grades, file, plot.suffix.lower().removeprefix("."))
        echo(f"plot: {click.format_filename(plot)}", err=as_json)
    if as_json:
        print_json({name: _as_json(grade) for name, grade in grades.items()})
        return
    listing = table(
        "grade", "what", "tolerance ppm", "parabola ppm/°C²", "turnover °C", "ageing ppm"
    )
    for name, grade in grades.items():
        shown = (_range(grade, each) for each in _PARAMETERS)
        listing.add_row(name, grade.summary, *shown)
    console().print(listing)
    for name, grade in grades.items():
        for source in grade.sources:
            echo(f"{name}: {source}")


def grade_of(name: str) -> "Grade":
    """One of the grades that there are, or that of a file. TokenkitError."""
    from tokenkit.virtual import grade, read_grade

    try:
        return read_grade(Path(name)) if name.endswith(".toml") else grade(name)
    except ValueError as error:
        hint = "" if name.endswith(".toml") else ", and files that end in .toml"
        raise TokenkitError(f"{error}{hint}") from None


_PARAMETERS = ("tolerance_ppm", "parabola_ppm_per_c2", "turnover_c", "ageing_ppm_first_year")


def _range(grade: "Grade", name: str) -> str:
    spread = grade.spreads.get(name)
    if spread is None:
        return f"{getattr(grade.crystal, name):g}"
    return f"{spread.mean:g} ±{spread.limit:g}" if spread.mean else f"±{spread.limit:g}"


def _as_json(grade: "Grade") -> dict[str, Any]:
    return {
        "summary": grade.summary,
        "sources": list(grade.sources),
        **vars(grade.crystal),
        **{name: vars(spread) for name, spread in grade.spreads.items()},
    }


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="MEASUREMENTS.csv")
@click.option(
    "--made",
    "made_s",
    callback=moment,
    metavar="TIME",
    help="When the crystal was made, ISO 8601 with zone. Default: when it was first measured.",
)
@zone_option
@click.option("--skip-faulty", is_flag=True, help="Leave out lines that cannot be read.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_new_grade,
    metavar="FILE",
    help="Write the crystal into FILE, which ends in .toml: for tokenkit otp make --grade FILE.",
)
@plot_option
@_json_option
def calibrate(
    file: Path,
    made_s: float | None,
    zone: ZoneInfo | None,
    skip_faulty: bool,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Fit a crystal to what was measured of it: time, temperature, and rate or clock error.

    MEASUREMENTS.csv has a header line that names the columns: see docs/crystals.md. What the data
    do not tell is taken from data sheets, and said.
    """
    _demand("numpy", "tokenkit otp calibrate")
    if plot is not None:
        _demand("matplotlib", "a plot")
    from tokenkit.crystals.fit import fit_crystal
    from tokenkit.crystals.measurements import read_measurements
    from tokenkit.crystals.words import grade_file, remarks
    from tokenkit.report.files import whole_file, write_whole
    from tokenkit.tables import listed

    measured = read_measurements(file, zone=zone, skip_faulty=skip_faulty)
    fit = fit_crystal(measured, made_s)
    if measured.faults:
        complain(listed(str(file), measured.faults, "left out"))
    if plot is not None:
        from tokenkit.crystals.figure import draw_fit

        with whole_file(plot) as picture:
            draw_fit(fit, picture, plot.suffix.lower().removeprefix("."))
        echo(f"plot: {click.format_filename(plot)}", err=as_json)
    said = remarks(fit, made_s is not None)
    if out is not None:
        write_whole(out, grade_file(fit, out.stem, f"tokenkit otp calibrate {file.name}"))
        echo(f"wrote {click.format_filename(out)}", err=as_json)
    if as_json:
        print_json(_fit_as_json(fit, said))
    else:
        _show(fit, said)


def _show(fit: "Fit", said: list[str]) -> None:
    from tokenkit.crystals.words import PLACES, TITLES

    listing = table("", "fitted", "±, 95 %", "by")
    for name, estimate in fit.estimates.items():
        places = PLACES[name]
        listing.add_row(
            TITLES[name],
            f"{estimate.value:.{places}f}",
            f"{estimate.within:.2g}",
            "the data" if estimate.told else "data sheets, mostly",
        )
    console().print(listing)
    unit = "ppm" if fit.measurements.kind == "rate" else "s"
    squares = sum(residual**2 for residual in fit.residuals) / len(fit.residuals)
    largest = max(map(abs, fit.residuals))
    echo(
        f"{len(fit.residuals)} measurements; residuals of {squares**0.5:.2g} {unit} (root mean"
        f" square), the largest {largest:.2g} {unit}"
    )
    for sentence in said:
        echo(sentence)


def _fit_as_json(fit: "Fit", said: list[str]) -> dict[str, Any]:
    measured = fit.measurements
    return {
        "kind": measured.kind,
        "made_s": fit.made_s,
        "estimates": {name: vars(estimate) for name, estimate in fit.estimates.items()},
        "measuring_error": fit.measuring_error,
        "remarks": said,
        "residuals": [
            {"true_s": at_s, "temperature_c": warm_c, "residual": residual}
            for at_s, warm_c, residual in zip(
                measured.times_s, measured.temperatures_c, fit.residuals, strict=True
            )
        ],
        "faults": measured.faults,
    }
