"""The run as JUnit XML, for CI: a suite a scenario, a case a step."""

import re
from xml.etree import ElementTree

from tokenkit.scenario.record import RunRecord, ScenarioRecord, StepRecord
from tokenkit.scenario.report.words import outcomes_text

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(run: RunRecord) -> str:
    """An XML document; without times, which would differ between runs."""
    root = ElementTree.Element("testsuites", name="tokenkit run")
    for scenario in run.scenarios:
        suite = _suite(scenario)
        root.append(suite)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    text = _NOT_XML.sub("\ufffd", ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _suite(scenario: ScenarioRecord) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        name=scenario.name,
        tests=str(len(scenario.steps)),
        failures=str(sum(not step.held for step in scenario.steps)),
        errors="0",
        skipped=str(sum(step.skipped is not None for step in scenario.steps)),
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="seed", value=str(scenario.seed))
    suite.extend(_case(scenario, step) for step in scenario.steps)
    return suite


def _case(scenario: ScenarioRecord, step: StepRecord) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"tokenkit.{scenario.name}",
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
