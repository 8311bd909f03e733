"""The bridge: scenarios that drive devices into the verifier under one simulated clock."""

from tokenkit.scenario.check import Loaded, ScenarioError, load, parse, shipped
from tokenkit.scenario.record import RunRecord, ScenarioRecord, StepRecord
from tokenkit.scenario.runner import run

__all__ = [
    "Loaded",
    "RunRecord",
    "ScenarioError",
    "ScenarioRecord",
    "StepRecord",
    "load",
    "parse",
    "run",
    "shipped",
]
