"""junit.xml, as a CI server reads it."""

from dataclasses import replace
from xml.etree import ElementTree

from tokenkit.scenario import RunRecord
from tokenkit.scenario.report.junit import junit_report


def test_a_suite_a_scenario_a_case_a_step(record: RunRecord) -> None:
    root = ElementTree.fromstring(junit_report(record))
    assert [suite.get("name") for suite in root] == ["odd", "again"]
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("24", "2", "1")
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("12", "1", "1")
    cases = suite.findall("testcase")
    assert len({case.get("name") for case in cases}) == len(cases) == 12


def test_a_failure_says_what_was_expected_and_where(record: RunRecord) -> None:
    [failure, _] = ElementTree.fromstring(junit_report(record)).iter("failure")
    assert failure.get("message") == "expected out-of-window, got accepted"
    assert failure.text == "odd.toml:22: expected out-of-window, got accepted"


def test_files_of_the_same_name_are_told_apart(record: RunRecord) -> None:
    names = ["mine", "mine", "mine-2", "mine"]
    run = RunRecord(3, [replace(record.scenarios[0], name=name) for name in names])
    root = ElementTree.fromstring(junit_report(run))
    assert [suite.get("name") for suite in root] == ["mine", "mine-3", "mine-2", "mine-4"]
    assert [case.get("classname") for suite in root for case in suite.findall("testcase[1]")] == [
        "tokenkit.mine",
        "tokenkit.mine-3",
        "tokenkit.mine-2",
        "tokenkit.mine-4",
    ]


def test_what_xml_cannot_hold_is_replaced(record: RunRecord) -> None:
    [skipped] = ElementTree.fromstring(junit_report(record)).iter("skipped")
    assert skipped.get("message") == "no � key & no <finger>"
