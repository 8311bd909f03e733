"""The run as one HTML page that needs nothing else: no script, no font, no network."""

from collections.abc import Sequence
from typing import Any

from tokenkit import __version__
from tokenkit.report.html import environment
from tokenkit.scenario.durations import clock_text, in_words
from tokenkit.scenario.record import ACCEPTED, DeviceRecord, RunRecord, ScenarioRecord
from tokenkit.scenario.report.words import date_text, outcomes_text, tally

# that many plots and more are drawn small alone, two in a row
_MANY = 3


def html_report(run: RunRecord, unfinished: Sequence[str] = ()) -> str:
    """The page as text; it says so if scenarios are ``unfinished``."""
    templates = environment("tokenkit.scenario.report")
    templates.filters.update(date=date_text, outcomes=outcomes_text)
    template = templates.get_template("template.html.j2")
    scenarios = [_scenario(number, each) for number, each in enumerate(run.scenarios, 1)]
    return template.render(run=run, scenarios=scenarios, unfinished=unfinished, version=__version__)


def _scenario(number: int, scenario: ScenarioRecord) -> dict[str, Any]:
    from tokenkit.scenario.report.plot import leaves_picture

    plotted = [device for device in scenario.devices if device.attempts]
    attempts = [attempt for device in plotted for attempt in device.attempts]
    accepted = {attempt.act for attempt in attempts if attempt.outcome == ACCEPTED}
    many = len(plotted) >= _MANY
    return {
        "record": scenario,
        "figures": [
            _figure(device, scenario, many, f"f{number}-{index}")
            for index, device in enumerate(plotted)
        ],
        "many": many,
        # what the legend has to explain
        "windows": any(device.windows for device in plotted),
        "accepted": bool(accepted - {"resync"}),
        "rejected": any(attempt.outcome != ACCEPTED for attempt in attempts),
        "resynced": "resync" in accepted,
        "leaves": any(
            leaves_picture(device, scenario.server_curve, scenario.end_s) for device in plotted
        ),
        "server": _server_in_words(scenario),
        "tally": tally(scenario),
        "length": in_words(round(scenario.end_s - scenario.start_s)),
        "keys": [device for device in scenario.devices if device.kind == "security key"],
    }


def _figure(
    device: DeviceRecord, scenario: ScenarioRecord, many: bool, prefix: str
) -> dict[str, Any]:
    """One device; of few there is a large picture, too, for screens that have the room."""
    from markupsafe import Markup

    from tokenkit.scenario.report.plot import plot

    words = _in_words(device)
    label = f"{device.name}: {words}"
    sizes = ["small"] if many else ["small", "large"]
    pictures = {
        size: Markup(
            plot(
                device,
                scenario.server_curve,
                scenario.end_s,
                size == "small",
                label,
                f"{prefix}-{size}",
            )
        )
        for size in sizes
    }
    return {"device": device, "words": words, "pictures": pictures}


def _server_in_words(scenario: ScenarioRecord) -> str:
    """How far the server's clock was off; nothing of a perfect one."""
    errors = [error_s for _, error_s in scenario.server_curve]
    if not errors:
        return ""
    return f"server time minus true time {clock_text(min(errors))} to {clock_text(max(errors))}"


def _in_words(device: DeviceRecord) -> str:
    """What the plot shows, for those who cannot see it."""
    errors = [error_s for _, error_s in device.curve]
    accepted = sum(attempt.outcome == ACCEPTED for attempt in device.attempts)
    rejected = len(device.attempts) - accepted
    resyncs = sum(a.act == "resync" and a.outcome == ACCEPTED for a in device.attempts)
    parts = [f"{accepted} accepted", f"{rejected} rejected"]
    if errors:
        parts.insert(0, f"clock error {clock_text(min(errors))} to {clock_text(max(errors))}")
    if resyncs:
        parts.append(f"{resyncs} resynchronised")
    return ", ".join(parts)
