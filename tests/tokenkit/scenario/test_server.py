"""A server whose clock is wrong: what the verifier makes of it, and what reports show."""

import pytest

from tokenkit.scenario import RunRecord, ScenarioError, ScenarioRecord, parse, run
from tokenkit.scenario.report.html import html_report
from tokenkit.scenario.report.json import json_report

START = """
title = "test"
start = 2026-01-05T08:00:15Z
{server}
[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["token"]
[[step]]
do = "ship-seeds"
prefix = "GAHT"
[[step]]
do = "enrol"
device = "token"
[[step]]
do = "wait-until"
at = 2026-01-05T09:00:10Z
"""
SIGN_IN = '[[step]]\ndo = "sign-in"\ndevice = "token"\n'
MINUTE = '[[step]]\ndo = "wait"\nfor = "1 min"\n'
REFUSED = SIGN_IN + 'expect = "out-of-window"\n'


def play(steps: str, server: str = "") -> ScenarioRecord:
    return run(parse(START.format(server=server) + steps, "test.toml"))


def step(do: str, **values: object) -> str:
    keys = "".join(f"{key.rstrip('_')} = {value!r}\n" for key, value in values.items())
    return f'[[step]]\ndo = "{do}"\n{keys}'


def test_a_perfect_clock_is_not_shown() -> None:
    record = play(SIGN_IN)
    assert record.held
    assert record.server_curve == []
    assert "server time" not in html_report(RunRecord(1, [record]))


@pytest.mark.parametrize("clock", ['clock = "ntp"', 'clock = "free-running"\nrate_ppm = 50'])
def test_what_is_usual_of_servers_matters_to_nobody(clock: str) -> None:
    record = play(SIGN_IN, f"[server]\n{clock}\n")
    assert record.held
    errors = [error_s for _, error_s in record.server_curve]
    assert 0 < max(map(abs, errors)) < 0.3
    assert "server time minus true time" in html_report(RunRecord(1, [record]))


def test_a_step_moves_the_window_until_it_is_mended() -> None:
    record = play(
        step("step-server", by="-3 min", mended_after="5 min") + REFUSED + 6 * MINUTE + SIGN_IN
    )
    assert record.held
    refused, accepted = record.devices[0].attempts[-2:]
    assert (refused.outcome, refused.server_error_s) == ("out-of-window", -180.0)
    assert (accepted.outcome, accepted.server_error_s) == ("accepted", 0.0)
    assert "the server's clock jumps by -3 min, and is mended after 5 min" in [
        each.text for each in record.steps
    ]
    assert '"server_error_s": -180.0' in json_report(RunRecord(1, [record]))


def test_a_slew_takes_its_time() -> None:
    # 90 s at 500 ppm take 50 hours
    wait = step("wait", for_="25 h")
    record = play(step("slew-server", by="90 s") + wait + REFUSED + step("resync", device="token"))
    assert record.steps[-2].outcomes == {"accepted": 1}  # a step back is in the window
    assert record.devices[0].attempts[-1].server_error_s == pytest.approx(45.0, abs=0.1)


@pytest.mark.parametrize(
    ("resumes", "mended", "after"),
    [("right", {}, SIGN_IN), ("behind", {}, REFUSED), ("behind", {"mended_after": "1 s"}, REFUSED)],
)
def test_a_pause(resumes: str, mended: dict[str, str], after: str) -> None:
    record = play(step("pause-server", for_="10 min", resumes=resumes, **mended) + after)
    assert record.held
    assert record.end_s - record.steps[-2].start_s == 600.0
    later = play(
        step("pause-server", for_="10 min", resumes=resumes, **mended)
        + MINUTE
        + (REFUSED if after == REFUSED and not mended else SIGN_IN)
    )
    assert later.held


def test_a_restored_server_has_forgotten() -> None:
    second = (
        step("make-batch", prefix="GAKT", tokens=["other"])
        + step("ship-seeds", prefix="GAKT")
        + step("enrol", device="other")
    )
    record = play(
        step("snapshot-server")
        + SIGN_IN
        + second
        + step("restore-server", mended_after="1 min")
        + step("sign-in", device="other", expect="no-such-entity")
        + step("replay", device="token", expect="accepted")
        + 2 * MINUTE
        + SIGN_IN
    )
    assert [each.text for each in record.steps if not each.held] == []


def test_a_snapshot_may_be_restored_twice() -> None:
    restored = step("wait", for_="10 min") + step("restore-server", mended_after="1 min")
    record = play(step("snapshot-server") + 2 * restored + 2 * MINUTE + SIGN_IN)
    assert record.held
    assert min(error_s for _, error_s in record.server_curve) == pytest.approx(-1200.0)


def test_one_event_at_a_time() -> None:
    twice = 2 * step("step-server", by="1 s", mended_after="1 min")
    with pytest.raises(ScenarioError, match="not over yet: that takes 60 s more"):
        play(twice)


def test_a_time_that_only_running_shows_to_be_past() -> None:
    early = 'title = "x"\nstart = 2026-01-05T08:00:15Z\n' + START.split("{server}")[1]
    with pytest.raises(ScenarioError, match="s later already"):
        run(parse(early.replace("09:00:10", "08:00:16"), "test.toml"))


def test_events_of_the_file_and_of_steps_come_together() -> None:
    leap = '[[server.event]]\nat = 2026-01-05T09:30:00Z\nleap = "step"\n'
    record = play(step("step-server", by="1 min") + step("wait", for_="1 h"), leap)
    assert record.server_curve[-1][1] == 59.0


def test_a_smear_never_matters_to_a_window_of_a_step() -> None:
    leap = '[[server.event]]\nat = 2026-01-06T00:00:00Z\nleap = "smear"\n'
    record = play(step("sign-in", device="token", every="20 min", for_="2 days"), leap)
    assert record.held
    assert record.server_curve[-1][1] == -1.0


def test_a_window_that_follows_the_token_moves_with_the_server() -> None:
    rate = '[policy]\ndrift = "rate"\n'
    moved = play(SIGN_IN + step("step-server", by="10 min") + step("wait", for_="1 h"), rate)
    page = html_report(RunRecord(1, [moved]))
    assert "server time minus true time 0 s to +10 min" in page


def test_it_is_the_same_again() -> None:
    server = '[server]\nclock = "ntp"\nresidual = "100 ms"\n'
    assert play(SIGN_IN, server) == play(SIGN_IN, server)
