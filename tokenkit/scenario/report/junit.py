"""The run as JUnit XML, for CI: a suite a scenario, a case a step."""

import re
from itertools import count
from xml.etree import ElementTree

from tokenkit.scenario.record import RunRecord, ScenarioRecord, StepRecord
from tokenkit.scenario.report.words import outcomes_text

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(run: RunRecord) -> str:
    """An XML document; without times, which would differ between runs."""
    root = ElementTree.Element("testsuites", name="tokenkit run")
    for name, scenario in zip(_names(run), run.scenarios, strict=True):
        root.append(_suite(name, scenario))
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ElementTree.indent(root)
    text = _NOT_XML.sub("\ufffd", ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _names(run: RunRecord) -> list[str]:
    """A name for each suite: a CI server takes those of one name for one."""
    given = {scenario.name for scenario in run.scenarios}
    names: list[str] = []
    for scenario in run.scenarios:
        others = (f"{scenario.name}-{number}" for number in count(2))
        free = (name for name in others if name not in given and name not in names)
        names.append(next(free) if scenario.name in names else scenario.name)
    return names


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
