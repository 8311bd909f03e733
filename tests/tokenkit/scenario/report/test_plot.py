"""The plot of one token, also of one with which little or much went wrong."""

import re

import pytest

from tokenkit.scenario import RunRecord, parse, run
from tokenkit.scenario.record import Attempted, DeviceRecord, ScenarioRecord, Stay, Window
from tokenkit.scenario.report.html import html_report
from tokenkit.scenario.report.plot import leaves_picture, plot

START_S = 1_767_225_600.0
DAY_S = 86_400.0
END_S = START_S + 100 * DAY_S

NEVER_ACCEPTED = """
title = "Two days off"
[[step]]
do = "create-app"
app = "app"
[[step]]
do = "scan"
app = "app"
device = "phone"
clock_error = "2 days"
[[step]]
do = "enrol"
device = "phone"
expect = "not-consecutive"
"""


def picture(device: DeviceRecord, end_s: float = END_S) -> str:
    small, large = (plot(device, [], end_s, small, "label", "p") for small in (True, False))
    assert small.count("<svg") == large.count("<svg") == 1
    return large


def device(*attempts: Attempted, error_s: float = 0.0) -> DeviceRecord:
    """Enrolled at the start; from day 1 on its clock is ``error_s`` off."""
    made = DeviceRecord("token", "token", "GAHT00000001")
    made.stays.append(Stay(START_S, "desk"))
    made.windows.append(Window(START_S, 0))
    made.attempts = [Attempted(START_S, "enrol", "accepted", 0.0), *attempts]
    made.curve = [(START_S + n * DAY_S, error_s if n else 0.0) for n in range(101)]
    return made


def test_a_device_that_never_was_accepted() -> None:
    record = run(parse(NEVER_ACCEPTED, "never.toml"))
    assert not record.devices[0].windows
    text = html_report(RunRecord(1, [record]))
    assert "0 accepted, 1 rejected" in text
    assert "clock error, h" in text  # beside true time
    assert 'var(--window)"' not in text


def test_a_window_that_follows_the_token() -> None:
    made = device(error_s=-200.0)
    fixed = picture(made)
    made.reaches = [(START_S, -20.0, 20.0), (START_S + 99 * DAY_S, -280.0, -100.0)]
    followed = picture(made)
    assert "var(--window)" in followed
    assert followed != fixed
    assert not leaves_picture(made, [], END_S)
    made.reaches += [
        (START_S + 100 * DAY_S, -220.0, -180.0),
        (START_S + 101 * DAY_S, -220.0, -180.0),
    ]
    joined = picture(made)
    made.windows[0].until_s = START_S + 99.5 * DAY_S  # removed, and enrolled again
    assert picture(made) != joined


@pytest.mark.parametrize("lacking", ["windows", "stays", "curve", "all"])
@pytest.mark.parametrize("length_s", [0.0, 0.5, 1.0, 1000 * DAY_S])
def test_little_is_known(lacking: str, length_s: float) -> None:
    made = device()
    made.curve = [(START_S + n / 600 * length_s, 0.0) for n in range(601)]
    for name in ("windows", "stays", "curve") if lacking == "all" else (lacking,):
        getattr(made, name).clear()
    picture(made, START_S + length_s)
    scenario = ScenarioRecord("x", "x.toml", "x", "", 1, START_S, START_S + length_s)
    scenario.devices.append(made)
    assert "1 accepted, 0 rejected" in html_report(RunRecord(1, [scenario]))


@pytest.mark.parametrize("length_s", [1.9**n for n in range(37)])
def test_any_length_of_time_has_dates(length_s: float) -> None:
    picture(device(), START_S + length_s)  # matplotlib warns if it finds none


def test_many_marks_have_no_rims() -> None:
    at_once = [Attempted(START_S + n, "sign-in", "locked", 90.0) for n in range(142)]
    assert "stroke: var(--paper)" not in picture(device(*at_once)).partition("var(--bad)")[2]
    assert "stroke: var(--paper)" in picture(device(at_once[0])).partition("var(--bad)")[2]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_is_years_off_leaves_the_picture(sign: int) -> None:
    late = Attempted(START_S + 50 * DAY_S, "sign-in", "out-of-window", sign * 700 * DAY_S)
    gone = device(late, error_s=sign * 700 * DAY_S)
    text = picture(gone)
    assert leaves_picture(gone, [], END_S)
    assert "clock error, min" in text
    ticks = re.findall(r">([+−]?[\d.]+)</text>", text)
    assert max(abs(float(tick.replace("−", "-"))) for tick in ticks if tick[0] in "+−") < 15
    page = ScenarioRecord("x", "x.toml", "x", "", 1, START_S, START_S + 100 * DAY_S)
    page.devices.append(gone)
    assert "too far off for the picture" in html_report(RunRecord(1, [page]))


def test_minutes_off_are_shown_whole() -> None:
    late = Attempted(START_S + 50 * DAY_S, "sign-in", "out-of-window", -300.0)
    assert not leaves_picture(device(late, error_s=-300.0), [], END_S)


def test_there_is_a_gap_while_a_device_is_removed() -> None:
    held, removed = device(), device()
    removed.removed(START_S + 30 * DAY_S)
    removed.learned(START_S + 60 * DAY_S, 0)
    assert picture(held).count("fill: var(--window)") == 1
    assert picture(removed).count("fill: var(--window)") == 2


def test_the_window_goes_with_the_server() -> None:
    made = device()
    jump_s = START_S + 50 * DAY_S
    server = [(START_S, 0.0), (jump_s, 0.0), (jump_s, 300.0), (END_S, 300.0)]
    right = picture(made)
    wrong = plot(made, server, END_S, False, "label", "p")
    assert "var(--server)" in wrong
    assert "var(--server)" not in right
    assert "clock error, s" in right
    # there is room for the window around the server's wrong time
    assert "clock error, min" in wrong
    made.reaches = [(START_S, -20.0, 20.0), (END_S, -40.0, 40.0)]
    assert plot(made, server, END_S, True, "label", "p") != plot(
        made, [], END_S, True, "label", "p"
    )
