"""Run a scenario: a pure function of the checked file and the seed."""

from collections.abc import Sequence

from tokenkit.errors import TokenkitError
from tokenkit.scenario.check import Loaded, ScenarioError
from tokenkit.scenario.outcomes import SkippedError
from tokenkit.scenario.person import Person
from tokenkit.scenario.record import ScenarioRecord, StepRecord
from tokenkit.scenario.stage import Progress, Stage
from tokenkit.scenario.steps.base import Attempt, Step


def run(
    loaded: Loaded,
    seed: int = 1,
    *,
    keys: Sequence[str] = (),
    progress: Progress | None = None,
    person: Person | None = None,
) -> ScenarioRecord:
    """Make every step of ``loaded`` in order, whether or not expectations hold.

    ``keys`` are selectors of those that play the scenario's first security keys; the others, and
    all else, are made of software. Raises TokenkitError with file and line if a step cannot be
    made at all.
    """
    scenario = loaded.scenario
    record = ScenarioRecord(
        loaded.name, loaded.path.name, scenario.title, scenario.summary, seed, scenario.start_s
    )
    with Stage(record, scenario, keys, person or Person(), progress) as stage:
        for number, step in enumerate(scenario.step):
            line = loaded.step_lines[number]
            made = _step_record(number + 1, line, step, stage.now())
            record.steps.append(made)
            try:
                for outcome in step.run(stage):
                    made.saw(outcome)
            except SkippedError as reason:
                made.skipped = str(reason)
            except TokenkitError as error:
                raise ScenarioError(f"{loaded.path}:{line}: {error}") from error
            made.end_s = stage.now()
        record.end_s = stage.now()
        record.server_curve = stage.server_curve()
        for device in stage.code_devices():
            device.draw_curve(record.end_s)
            stage.measure_window(device)
    return record


def _step_record(number: int, line: int, step: Step, now_s: float) -> StepRecord:
    kind = str(step.__struct_config__.tag)
    expected = step.expect if isinstance(step, Attempt) else None
    return StepRecord(number, line, kind, step.text(), now_s, expected=expected)
