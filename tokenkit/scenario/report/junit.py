"""The run as JUnit XML, for CI: a suite a scenario, a case a step."""

import re
from collections.abc import Sequence
from itertools import count
from xml.etree import ElementTree

from tokenkit.scenario.record import RunRecord, ScenarioRecord, StepRecord
from tokenkit.scenario.report.words import outcomes_text

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(run: RunRecord, unfinished: Sequence[str] = ()) -> str:
    """An XML document; without times, which would differ between runs.

    Each scenario that is ``unfinished`` is an error.
    """
    root = ElementTree.Element("testsuites", name="tokenkit run")
    names = _different([*(scenario.name for scenario in run.scenarios), *unfinished])
    made = len(run.scenarios)
    root.extend(map(_suite, names[:made], run.scenarios))
    root.extend(map(_unfinished, names[made:]))
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ElementTree.indent(root)
    text = _NOT_XML.sub("\ufffd", ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _different(names: list[str]) -> list[str]:
    """A name for each suite: a CI server takes those of one name for one."""
    made: list[str] = []
    for name in names:
        others = (f"{name}-{number}" for number in count(2))
        free = (other for other in others if other not in names and other not in made)
        made.append(next(free) if name in made else name)
    return made


def _unfinished(name: str) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite", name=name, tests="1", failures="0", errors="1", skipped="0"
    )
    case = ElementTree.SubElement(suite, "testcase", classname=f"tokenkit.{name}", name="run")
    ElementTree.SubElement(case, "error", message="the run was cut short")
    return suite


def _suite(name: str, scenario: ScenarioRecord) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(scenario.steps)),
        failures=str(sum(not step.held for step in scenario.steps)),
        errors="0",
        skipped=str(sum(step.skipped is not None for step in scenario.steps)),
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="seed", value=str(scenario.seed))
    suite.extend(_case(name, scenario, step) for step in scenario.steps)
    return suite


def _case(suite: str, scenario: ScenarioRecord, step: StepRecord) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"tokenkit.{suite}",
        name=f"{step.number:02d} {step.text}",
        file=scenario.file,
        line=str(step.line),
    )
    if step.skipped is not None:
        ElementTree.SubElement(case, "skipped", message=step.skipped)
    elif not step.held:
        message = f"expected {step.expected}, got {outcomes_text(step)}"
        failure = ElementTree.SubElement(case, "failure", message=message)
        failure.text = "\n".join([f"{scenario.file}:{step.line}: {message}", *step.notes])
    elif step.notes:
        ElementTree.SubElement(case, "system-out").text = "\n".join(step.notes)
    return case
