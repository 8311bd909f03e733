"""The run as JSON, for programs."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from tokenkit.scenario.record import RunRecord, ScenarioRecord


def json_report(run: RunRecord, unfinished: Sequence[str] = ()) -> str:
    """All of ``run``, held only if nothing is ``unfinished``.

    Times are in seconds since the Unix epoch, UTC, to the millisecond.
    """
    report = {
        "seed": run.seed,
        "held": run.held and not unfinished,
        "unfinished": list(unfinished),
        "scenarios": [_scenario(scenario) for scenario in run.scenarios],
    }
    return json.dumps(_rounded(report), indent=1, ensure_ascii=False) + "\n"


def _scenario(scenario: ScenarioRecord) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(scenario)
    data["held"] = scenario.held
    for step, made in zip(data["steps"], scenario.steps, strict=True):
        step["held"] = made.held
    return data


def _rounded(value: Any) -> Any:
    """Milliseconds are far beyond what differs between libraries of mathematics."""
    if isinstance(value, float):
        return round(value, 3) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
