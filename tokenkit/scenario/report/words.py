"""Phrases that several reports use."""

from datetime import UTC, datetime

from tokenkit.keys.errors import printable
from tokenkit.scenario.record import ScenarioRecord, StepRecord


def outcomes_text(step: StepRecord) -> str:
    """``accepted``, or ``728 accepted, 2 out-of-window``."""
    if step.skipped is not None:
        return "skipped"
    if sum(step.outcomes.values()) == 1:
        return next(iter(step.outcomes))
    return ", ".join(f"{count} {outcome}" for outcome, count in step.outcomes.items())


def date_text(true_s: float) -> str:
    """``2026-01-01 08:00:00`` UTC."""
    return f"{datetime.fromtimestamp(true_s, UTC):%Y-%m-%d %H:%M:%S}"


def tally(scenario: ScenarioRecord) -> str:
    """How many expectations there were and how they went."""
    expecting = [step for step in scenario.steps if step.expected and step.skipped is None]
    skipped = sum(step.skipped is not None for step in scenario.steps)
    failed = sum(not step.held for step in expecting)
    parts = [f"{len(expecting) - failed} of {len(expecting)} expectations held"]
    if skipped:
        parts.append(f"{skipped} step{'s' if skipped > 1 else ''} skipped")
    return ", ".join(parts)


def on_one_line(text: str) -> str:
    """``text`` from a file or a device without what could drive a terminal."""
    return printable(" ".join(text.splitlines()))
