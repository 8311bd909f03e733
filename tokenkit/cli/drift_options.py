"""What the commands of ``tokenkit drift`` have in common: logs, seeds, policies."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from tokenkit.cli.output import complain
from tokenkit.cli.seed_options import seed_options
from tokenkit.cli.types import zone_option

if TYPE_CHECKING:
    from tokenkit.drift.observations import Observation
    from tokenkit.verifier.policy import TotpPolicy
    from tokenkit.verifier.seed_file import Seed

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    from tokenkit.scenario.durations import PositiveDuration

    try:
        return float(PositiveDuration.of(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option(
        "--seeds",
        "seed_file",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Seeds of the tokens: PSKC or CSV.",
    ),
    click.option(
        "--log",
        "log_file",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Which code came when, and whether it was accepted; docs/observations.md says how.",
    ),
    zone_option,
    click.option(
        "--range",
        "range_s",
        default="2 days",
        show_default=True,
        callback=_seconds,
        metavar="TIME",
        help="How far off a clock may be.",
    ),
    click.option(
        "--entry",
        "entry_s",
        default="12 s",
        show_default=True,
        callback=_seconds,
        metavar="TIME",
        help="Within what time a code mostly arrives after it was read.",
    ),
    click.option(
        "--window-steps",
        type=click.IntRange(0, 100),
        metavar="N",
        help="The verifier takes codes so many time steps around the last one. Default 1.",
    ),
    click.option(
        "--policy",
        "policy_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The verifier's policy: a file as tokenkit serve takes it.",
    ),
    seed_options,
)


def log_options(command: _Command) -> _Command:
    """Gives the command a log, the seeds of its tokens and the policy that it was judged by."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_rows(
    log_file: Path, seeds: "Sequence[Seed]", zone: ZoneInfo | None, skip_faulty: bool
) -> "list[Observation]":
    """The rows of a log; those that are left out are told on standard error. TokenkitError."""
    from tokenkit.drift.observations import open_observations
    from tokenkit.tables import listed

    found = open_observations(log_file, seeds=seeds, zone=zone)
    rows = found.usable(str(log_file), skip_faulty)
    if found.faults:
        complain(listed(str(log_file), found.faults, "left out"))
    return rows


def check_options(range_s: float, entry_s: float) -> None:
    """UsageError."""
    from tokenkit.drift.diagnose import MOST_ENTRY_S, MOST_RANGE_S

    for name, value_s, most_s in (
        ("--range", range_s, MOST_RANGE_S),
        ("--entry", entry_s, MOST_ENTRY_S),
    ):
        if value_s > most_s:
            raise click.UsageError(f"{name} is {most_s:.0f} s at most")


def totp_policy(window_steps: int | None, policy_file: Path | None) -> "TotpPolicy":
    from tokenkit.verifier.policy import TotpPolicy

    if policy_file is None:
        return TotpPolicy(window_steps=1 if window_steps is None else window_steps)
    if window_steps is not None:
        raise click.UsageError("--policy says what the window is: leave out --window-steps")
    from tokenkit.service.policy_file import policies

    return policies(policy_file, "https://localhost").totp


@contextmanager
def progress_in_words() -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what is under way, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    errors = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        console=errors,
        transient=True,
        disable=not sys.stderr.isatty() or errors.is_dumb_terminal,
    ) as line:
        task = line.add_task("", total=None)
        yield lambda text: line.update(task, description=text)


@contextmanager
def progress_of_rows() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    errors = Console(stderr=True)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        console=errors,
        transient=True,
        disable=not sys.stderr.isatty() or errors.is_dumb_terminal,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
