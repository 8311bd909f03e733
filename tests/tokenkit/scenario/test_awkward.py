"""What goes wrong in a scenario ends as an outcome or as one line, never as something else."""

import pytest

from tokenkit.scenario import ScenarioError, ScenarioRecord, parse, run

TOKEN = """
[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["token"]
[[step]]
do = "ship-seeds"
prefix = "GAHT"
"""
BOB = '[[step]]\ndo = "create-user"\nuser = "bob"\n'
KEY = '[[step]]\ndo = "make-key"\ndevice = "key"\n'


def step(do: str, device: str = "token", **values: object) -> str:
    keys = "".join(
        f"{key.rstrip('_')} = {value if isinstance(value, int) else repr(value)}\n"
        for key, value in {"device": device, **values}.items()
    )
    return f'[[step]]\ndo = "{do}"\n{keys}'


def wait(time: str) -> str:
    return f'[[step]]\ndo = "wait"\nfor = "{time}"\n'


def expect_devices(user: str, *devices: str, **values: object) -> str:
    return f'[[step]]\ndo = "expect-devices"\nuser = "{user}"\ndevices = {list(devices)}\n' + (
        "".join(f"{key} = {value!r}\n" for key, value in values.items())
    )


def play(steps: str) -> ScenarioRecord:
    return run(parse(f'title = "test"\n{steps}', "test.toml"))


def assert_held(record: ScenarioRecord) -> None:
    assert record.held, [(made.text, made.outcomes, made.notes) for made in record.steps]


def test_an_empty_battery_is_an_outcome_of_every_step_that_reads_a_code() -> None:
    record = play(
        TOKEN
        + step("enrol")
        + wait("15 years")
        + step("sign-in", expect="battery-empty")
        + step("resync", expect="battery-empty")
        + step("remove")
        + step("enrol", expect="battery-empty")
    )
    assert_held(record)
    outcomes = [attempt.outcome for attempt in record.devices[0].attempts]
    assert outcomes == ["accepted", "battery-empty", "battery-empty", "battery-empty"]
    assert "stays dark" in record.steps[-1].notes[0]


@pytest.mark.parametrize(
    "event", [step("step-clock", by="1 min"), step("change-battery", outage="1 min")]
)
def test_what_cannot_happen_to_a_stuck_clock_is_told_with_its_line(event: str) -> None:
    text = TOKEN + step("stop-clock", for_="10 days") + event
    with pytest.raises(ScenarioError, match=r"^test\.toml:14: the clock of token stands still"):
        play(text)


def test_a_refused_enrolment_leaves_the_owner() -> None:
    assert_held(
        play(
            TOKEN
            + BOB
            + step("enrol")
            + step("enrol", user="bob", expect="entity-already-exists")
            + wait("1 min")
            + step("sign-in")
            + step("sign-in", user="bob", expect="no-such-entity")
            + expect_devices("root", "token")
            + expect_devices("bob")
        )
    )


def test_a_refused_registration_leaves_the_owner() -> None:
    assert_held(
        play(
            BOB
            + KEY
            + step("register", "key")
            + step("register", "key", user="bob", touch="refuse", expect="touch-refused")
            + step("assert", "key")
        )
    )


def test_two_users_register_one_key() -> None:
    assert_held(
        play(
            BOB
            + KEY
            + step("register", "key")
            + step("register", "key", user="bob")
            + expect_devices("root", "key")
            + expect_devices("bob", "key")
            + step("assert", "key", user="root")
            + step("assert", "key", user="bob")
            + step("remove", "key", user="root")
            + expect_devices("root")
            + expect_devices("bob", "key")
            + step("assert", "key", user="root", expect="no-such-entity")
            + step("assert", "key")
        )
    )


def test_two_phones_that_scanned_one_picture_are_one_device() -> None:
    scan = '[[step]]\ndo = "scan"\napp = "app"\ndevice = "{}"\n'
    text = (
        '[[step]]\ndo = "create-app"\napp = "app"\n'
        + scan.format("one")
        + scan.format("two")
        + step("enrol", "one")
        + wait("1 min")
        + expect_devices("root", "one")
        + expect_devices("root", "one", "two", expect="other-devices")
    )
    record = play(text)
    assert_held(record)
    assert record.steps[-1].notes == ["two of these names are one device to the verifier"]


def test_there_is_no_window_while_a_device_is_removed() -> None:
    record = play(
        TOKEN
        + step("enrol")
        + wait("1 h")
        + step("remove")
        + wait("1 h")
        + step("enrol")
        + wait("1 h")
    )
    first, second = record.devices[0].windows
    assert first.until_s == record.steps[4].end_s
    assert (second.from_s, second.until_s) == (record.steps[6].end_s, None)


def test_a_replay_of_nothing_fails() -> None:
    refused = step("step-clock", by="3 days") + step("enrol", expect="not-consecutive")
    record = play(TOKEN + refused + step("replay"))
    assert not record.held
    assert record.steps[-1].outcomes == {"no-code": 1}
    assert play(TOKEN + refused + step("replay", expect="no-code")).held


def test_ten_wrong_codes_lock_until_an_administrator_unlocks() -> None:
    record = play(
        TOKEN
        + step("enrol")
        + step("step-clock", by="10 min")
        + wait("1 min")
        + step("sign-in", every="5 min", for_="50 min", expect="out-of-window")
        + step("resync", expect="locked")
        + step("unlock")
        + step("resync")
        + wait("1 min")
        + step("sign-in")
    )
    assert_held(record)


def test_steps_read_as_sentences() -> None:
    text = TOKEN + wait("1 min") + wait("2 min") + step("move", to="5 °C") + step("move", to="car")
    assert [made.text for made in play(text).steps[2:]] == [
        "1 min passes",
        "2 min pass",
        "token goes to 5 °C",
        "token goes to the car",
    ]
