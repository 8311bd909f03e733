"""Runs of small scenarios: what came out, and that it comes out the same again."""

import pytest

from tokenkit.scenario import ScenarioRecord, StepRecord, parse, run, shipped
from tokenkit.scenario.check import load

START = """
[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["token"]
[[step]]
do = "ship-seeds"
prefix = "GAHT"
encrypted = true
[[step]]
do = "enrol"
device = "token"
[[step]]
do = "wait"
for = "10 min"
"""


def play(steps: str, seed: int = 1, keys: tuple[str, ...] = ()) -> ScenarioRecord:
    return run(parse(f'title = "test"\n{steps}', "test.toml"), seed, keys=keys)


def step(do: str, device: str = "token", **values: object) -> str:
    keys = "".join(
        f"{key.rstrip('_')} = {value if isinstance(value, int) else repr(value)}\n"
        for key, value in {"device": device, **values}.items()
    )
    return f'[[step]]\ndo = "{do}"\n{keys}'


def last(record: ScenarioRecord) -> StepRecord:
    return record.steps[-1]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_expectation_of_the_shipped_scenarios_holds(name: str) -> None:
    record = run(load(name))
    assert [step for step in record.steps if not step.held or step.skipped] == []
    assert record == run(load(name))


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_the_hardware_token_holds_whatever_the_crystal(seed: int) -> None:
    record = run(load("hardware-token"), seed)
    assert record.held
    daily = next(step for step in record.steps if "24 months" in step.text)
    assert daily.outcomes == {"accepted": 730}
    [token] = record.devices
    assert len(token.attempts) == 730 + 30 + 5
    assert abs(token.curve[-1][1]) > 60


WAIT = '[[step]]\ndo = "wait"\nfor = "100 days"\n'


def test_a_clock_without_whims() -> None:
    clock = 'tokens = ["token"]\nclock = { offset = "-40 s", rate_ppm = -14.5 }\n'
    text = START.replace('tokens = ["token"]\n', clock)
    record = play(
        text + WAIT + '[[step]]\ndo = "change-rate"\ndevice = "token"\nby_ppm = 24.5\n' + WAIT
    )
    [token] = record.devices
    assert "clock is -40.0 s off and gains -14.5 ppm" in record.steps[0].text
    assert token.curve[0][1] == -40.0
    changed_s = record.steps[-2].end_s
    before_s = 1e-6 * -14.5 * (changed_s - record.start_s)
    assert token.curve[-1][1] == pytest.approx(-40.0 + before_s + 10.0 * 8.64)


def test_a_code_arrives_after_it_was_read() -> None:
    record = play(START + step("sign-in", entry="25 s") + step("sign-in", entry="65 s"))
    assert record.steps[-1].outcomes == {"accepted": 1}  # two steps later: learned the one before
    assert record.steps[-1].end_s - record.steps[-1].start_s == 65.0
    late = play(START + step("sign-in", entry="2 min", expect="out-of-window"))
    assert late.held


def test_seeds_differ() -> None:
    text = START + step("sign-in", every="1 day", for_="30 days")
    one, two = play(text), play(text, seed=2)
    assert [a.at_s for a in one.devices[0].attempts] != [a.at_s for a in two.devices[0].attempts]
    assert one.devices[0].curve != two.devices[0].curve


def test_steps_go_on_after_a_failed_expectation() -> None:
    record = play(START + step("sign-in", expect="rejected") + step("replay"))
    failed, replayed = record.steps[-2:]
    assert not failed.held
    assert failed.unexpected == 1
    assert replayed.outcomes == {"replayed": 1}
    assert not record.held


def test_repeated_sign_ins_keep_to_their_hours_and_the_step_to_its_time() -> None:
    record = play(START + step("sign-in", every="1 day", for_="20 days"))
    made = last(record)
    assert made.end_s - made.start_s == pytest.approx(20 * 86_400)
    times_s = [a.at_s - made.start_s for a in record.devices[0].attempts if a.act == "sign-in"]
    assert len(times_s) == 20
    for number, time_s in enumerate(times_s):
        assert abs(time_s - (number + 0.5) * 86_400) <= 3600


@pytest.mark.parametrize("by", ["3 min", "-3 min"])
def test_a_clock_that_jumps_is_found_by_resync(by: str) -> None:
    record = play(
        START
        + step("step-clock", by=by)
        + step("sign-in", expect="out-of-window")
        + '[[step]]\ndo = "wait"\nfor = "1 h"\n'
        + step("resync")
        + '[[step]]\ndo = "wait"\nfor = "1 min"\n'
        + step("sign-in")
    )
    assert record.held
    assert abs(record.devices[0].windows[-1].offset_steps) in (5, 6, 7)


def test_a_battery_change_stops_the_clock_meanwhile() -> None:
    record = play(START + step("change-battery", outage="2 min"))
    assert last(record).end_s - last(record).start_s == pytest.approx(120)
    assert record.devices[0].curve[-1][1] == pytest.approx(-120, abs=1)


def test_a_stuck_clock_shows_one_code_for_ever() -> None:
    record = play(
        START
        + step("stop-clock")
        + step("sign-in")
        + '[[step]]\ndo = "wait"\nfor = "20 s"\n'
        + step("sign-in", expect="replayed")
    )
    assert record.held


def test_a_clock_stuck_for_a_while_is_late_by_that_while() -> None:
    record = play(START + step("stop-clock", for_="1 min") + '[[step]]\ndo = "wait"\nfor = "1 h"\n')
    assert record.devices[0].curve[-1][1] == pytest.approx(-60, abs=1)


def test_an_empty_battery_shows_no_code() -> None:
    record = play(
        START + '[[step]]\ndo = "wait"\nfor = "6 years"\n' + step("sign-in", expect="battery-empty")
    )
    assert record.held


def test_cold_slows_the_clock() -> None:
    year = '[[step]]\ndo = "wait"\nfor = "1 year"\n'
    here = play(START + year).devices[0]
    cold = play(START + step("move", to="5 °C") + year).devices[0]
    assert here.curve[-1][1] - cold.curve[-1][1] > 300
    assert [stay.place for stay in cold.stays] == ["desk", "5 °C"]


def test_the_policy_is_the_verifiers() -> None:
    text = START + step("step-clock", by="3 min") + step("sign-in")
    assert not play(text).held
    assert play("[policy]\nwindow_steps = 8\n" + text).held


def test_a_window_that_follows_the_rate() -> None:
    """A year in the cold after some months of use there; the same without the rate fails."""
    text = START + step("move", to="warehouse")
    text += step("sign-in", every="1 weeks", for_="26 weeks")
    text += '[[step]]\ndo = "wait"\nfor = "1 years"\n' + step("sign-in")
    assert not play(text).held
    record = play('[policy]\ndrift = "rate"\nmax_rate_ppm = 30\n' + text)
    assert record.held
    reaches = record.devices[0].reaches
    assert all(low_s < high_s for _, low_s, high_s in reaches)
    widths = [high_s - low_s for _, low_s, high_s in reaches]
    assert widths[-3] > 3 * widths[-4]  # before the code after a year, and the one before that
    assert widths[-2] < widths[-3]
    assert play(START + step("sign-in")).devices[0].reaches == []


def test_the_expected_devices_are_those_held_and_no_other() -> None:
    expect = '[[step]]\ndo = "expect-devices"\ndevices = {}\n'
    assert play(START + expect.format('["token"]')).held
    missing = last(play(START + expect.format("[]")))
    assert missing.outcomes == {"other-devices": 1}
    assert missing.notes == ["root holds token, too"]
    removed = last(play(START + step("remove") + expect.format('["token"]')))
    assert removed.notes == ["root does not hold token"]


def test_a_user_cannot_sign_in_with_the_token_of_another() -> None:
    user = '[[step]]\ndo = "create-user"\nuser = "eve"\n'
    assert play(START + user + step("sign-in", user="eve", expect="rejected")).held


def test_what_the_verifier_cannot_import_is_told_with_its_line() -> None:
    text = START + '[[step]]\ndo = "ship-seeds"\nprefix = "GAHT"\nformat = "csv"\n'
    from tokenkit.scenario import ScenarioError

    with pytest.raises(ScenarioError, match=r"test\.toml:19: "):
        play(text)


def test_progress_is_told() -> None:
    seen: list[tuple[str, int, int]] = []
    text = 'title = "test"\n' + START + step("sign-in", every="1 h", for_="3 h")
    run(parse(text, "test.toml"), progress=lambda *args: seen.append(args))
    assert [(made, of) for _, made, of in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0][0] == "sign in with token every hour for 3 h"
