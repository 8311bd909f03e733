"""report.json: all that happened, and the same bytes for the same seed."""

import json
import math

from tokenkit.scenario import RunRecord
from tokenkit.scenario.report.json import json_report


def test_holds_the_run(record: RunRecord) -> None:
    report = json.loads(json_report(record))
    assert (report["seed"], report["held"]) == (3, False)
    scenario = report["scenarios"][0]
    assert (scenario["name"], scenario["file"], scenario["held"]) == ("odd", "odd.toml", False)
    failed = [step for step in scenario["steps"] if not step["held"]]
    assert [(step["do"], step["line"], step["expected"]) for step in failed] == [
        ("sign-in", 22, "out-of-window")
    ]
    assert failed[0]["outcomes"] == {"accepted": 1}
    [token, key] = scenario["devices"]
    assert (token["serial_number"], token["kind"]) == ("GAHT00000001", "token")
    assert key["kind"] == "security key"
    assert [attempt["outcome"] for attempt in token["attempts"]] == [
        "accepted",
        "accepted",
        "replayed",
        "out-of-window",
        "accepted",
    ]
    assert token["curve"][0][0] == scenario["start_s"]
    assert token["curve"][-1][0] == scenario["end_s"]


def test_is_the_same_again_and_other_for_another_seed(record: RunRecord) -> None:
    first, second = (json.loads(json_report(RunRecord(3, [made]))) for made in record.scenarios)
    assert first["scenarios"][0]["devices"] == second["scenarios"][0]["devices"]


def test_has_no_negative_zero(record: RunRecord) -> None:
    record.scenarios[0].devices[0].curve[0] = (0.0, -0.0001)
    [_, error_s] = json.loads(json_report(record))["scenarios"][0]["devices"][0]["curve"][0]
    assert math.copysign(1, error_s) == 1
