"""The run as one HTML page that needs nothing else: no script, no font, no network."""

from importlib.util import find_spec
from typing import Any

from tokenkit import __version__
from tokenkit.errors import MissingExtraError
from tokenkit.scenario.durations import clock_text, in_words
from tokenkit.scenario.record import ACCEPTED, DeviceRecord, RunRecord, ScenarioRecord
from tokenkit.scenario.report.words import date_text, outcomes_text, tally

# that many plots and more are drawn small, two in a row
_MANY = 3


def check_installed() -> None:
    """Raise MissingExtraError unless the packages for this report are there."""
    if find_spec("jinja2") is None or find_spec("matplotlib") is None:
        raise MissingExtraError("an HTML report", "report")


def html_report(run: RunRecord) -> str:
    """The page as text."""
    check_installed()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=PackageLoader("tokenkit.scenario.report", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(date=date_text, outcomes=outcomes_text)
    template = environment.get_template("template.html.j2")
    scenarios = [_scenario(number, each) for number, each in enumerate(run.scenarios, 1)]
    return template.render(run=run, scenarios=scenarios, version=__version__)


def _scenario(number: int, scenario: ScenarioRecord) -> dict[str, Any]:
    from markupsafe import Markup

    from tokenkit.scenario.report.plot import plot

    plotted = [device for device in scenario.devices if device.attempts]
    small = len(plotted) >= _MANY
    figures = []
    for index, device in enumerate(plotted):
        words = _in_words(device)
        svg = plot(device, scenario.end_s, small, f"{device.name}: {words}", f"f{number}-{index}")
        figures.append({"device": device, "words": words, "svg": Markup(svg)})
    return {
        "record": scenario,
        "figures": figures,
        "small": small,
        "rejected": any(a.outcome != ACCEPTED for d in plotted for a in d.attempts),
        "resynced": any(a.act == "resync" for d in plotted for a in d.attempts),
        "tally": tally(scenario),
        "length": in_words(round(scenario.end_s - scenario.start_s)),
        "keys": [device for device in scenario.devices if device.kind == "security key"],
    }


def _in_words(device: DeviceRecord) -> str:
    """What the plot shows, for those who cannot see it."""
    errors = [error_s for _, error_s in device.curve]
    accepted = sum(attempt.outcome == ACCEPTED for attempt in device.attempts)
    rejected = len(device.attempts) - accepted
    resyncs = sum(a.act == "resync" and a.outcome == ACCEPTED for a in device.attempts)
    parts = [
        f"clock error {clock_text(min(errors))} to {clock_text(max(errors))}",
        f"{accepted} accepted",
        f"{rejected} rejected",
    ]
    if resyncs:
        parts.append(f"{resyncs} resynchronised")
    return ", ".join(parts)
