"""Times at which clocks of other makes break: real digits from token to verifier, scenario, log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest

from tokenkit.drift.diagnose import diagnose
from tokenkit.drift.observations import ObservationsError, read_observations
from tokenkit.drift.server_time import time_zone
from tokenkit.scenario import RunRecord, parse, run
from tokenkit.scenario.report.html import html_report
from tokenkit.scenario.report.json import json_report
from tokenkit.server_clock import LeapSecond, ServerClock, Step
from tokenkit.verifier import Drift, InvalidAuthenticationCode, TotpPolicy, Verifier
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import step
from tokenkit.virtual import Crystal, HardwareToken, SimulatedClock, TokenSpec, World
from tokenkit.virtual import Step as TokenStep

SECRET = bytes(range(20))
PERFECT = Crystal(0.0, 0.0, ageing_ppm_first_year=0.0, random_walk_adev_1day=0.0, white_adev_1s=0.0)
SERIAL = "EDGE00000001"


def moment_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Rig:
    """One token of perfect quartz, enrolled half an hour before ``at_s``."""

    clock: SimulatedClock
    server: ServerClock
    token: HardwareToken
    verifier: Verifier
    seed: Seed

    def at(self, true_s: float) -> None:
        self.clock.set(true_s)

    def sign_in(self, entry_s: float = 0.0) -> int:
        """The verifier's learned offset, in steps."""
        code = self.token.code()
        self.clock.advance(entry_s)
        return self.verifier.sign_in("root", code, serial_number=SERIAL).device.offset_steps


@pytest.fixture
def rigs() -> Iterator["Rigs"]:
    made = Rigs()
    yield made
    made.close()


class Rigs:
    """Makes them, and closes their databases."""

    def __init__(self) -> None:
        self._verifiers: list[Verifier] = []

    def __call__(
        self,
        at_s: float,
        *,
        window_steps: int = 1,
        drift: Drift = "offset",
        server: ServerClock | None = None,
        period_s: int = 30,
        token_behind_s: float = 0.0,
    ) -> Rig:
        start_s = at_s - 1800.0
        clock, server = SimulatedClock(start_s), server or ServerClock()
        spec = TokenSpec(SERIAL, SECRET, period_s=period_s, crystal=PERFECT, made_s=start_s)
        token = World(1, clock=clock).token(spec)
        if token_behind_s:
            token.token_clock.add(TokenStep(start_s, -token_behind_s))
        verifier = Verifier(
            now=lambda: server.read(clock.now()),
            totp=TotpPolicy(window_steps=window_steps, drift=drift),
        )
        self._verifiers.append(verifier)
        seed = Seed(SERIAL, SECRET, "SHA1", 6, period_s)
        verifier.add_tokens([seed])
        verifier.enable("root", SERIAL, *token.two_codes())
        return Rig(clock, server, token, verifier, seed)

    def close(self) -> None:
        for verifier in self._verifiers:
            verifier.close()


# the last second before a clock of so many bits wraps around, and such like
WRAPS = {
    "31 bits": "2038-01-19T03:14:07Z",
    "32 bits": "2106-02-07T06:28:15Z",
    "century without a leap day": "2100-02-28T23:59:59Z",
    "leap day": "2028-02-29T23:59:59Z",
    "counter of 31 bits, of 30 s": "4011-01-27T01:36:59Z",
    "year 9998": "9998-12-31T23:59:59Z",
}


@pytest.mark.parametrize("drift", ["offset", "rate"])
@pytest.mark.parametrize("text", WRAPS.values(), ids=WRAPS)
def test_nothing_wraps_around(rigs: Rigs, text: str, drift: Drift) -> None:
    last_s = moment_s(text)
    rig = rigs(last_s, drift=drift)
    for true_s in (last_s - 60.0, last_s, last_s + 1.0, last_s + 31.0):
        rig.at(true_s)
        if true_s == last_s + 1.0 and step(last_s, 30) == step(true_s, 30):
            continue  # the same code, which was used
        assert pyotp.TOTP("AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT").at(int(true_s)) == rig.token.code()
        assert rig.sign_in() == 0


def test_the_last_minute_of_the_year_9999(rigs: Rigs) -> None:
    last_s = moment_s("9999-12-31T23:59:59Z")
    rig = rigs(last_s)
    rig.at(last_s)
    assert rig.sign_in() == 0
    assert rig.verifier.devices()[0].last_used_s == last_s


@pytest.mark.parametrize("drift", ["offset", "rate"])
def test_before_1970(rigs: Rigs, drift: Drift) -> None:
    """A server and a token whose clocks were never set: both begin at 0, and go back from there."""
    at_s = moment_s("1970-01-01T02:00:00Z")
    back = ServerClock(events=(Step(at_s - 7200.0, -86_400.0),))
    rig = rigs(at_s, server=back, token_behind_s=86_400.0, drift=drift)
    for minute in range(1, 4):
        rig.at(at_s + 60.0 * minute)
        assert rig.server.read(rig.clock.now()) < 0
        assert rig.sign_in() == 0
    assert rig.verifier.latest_s() == at_s - 86_400.0 + 180.0


def test_across_1970(rigs: Rigs) -> None:
    """From counter -1 to counter 0, a millisecond to either side."""
    at_s = moment_s("1970-01-02T00:00:00Z")
    back = ServerClock(events=(Step(at_s - 7200.0, -86_400.0),))
    rig = rigs(at_s, server=back, token_behind_s=86_400.0, window_steps=0)
    rig.at(at_s - 0.001)
    assert step(rig.server.read(rig.clock.now()), 30) == -1
    assert rig.sign_in() == 0
    rig.at(at_s + 0.001)
    assert step(rig.server.read(rig.clock.now()), 30) == 0
    assert rig.sign_in() == 0


BOUNDARIES = ["2026-06-01T12:00:00Z", "2038-01-19T03:14:30Z", "9998-12-31T23:59:30Z"]


@pytest.mark.parametrize("period_s", [30, 60])
@pytest.mark.parametrize("text", BOUNDARIES)
def test_the_edge_of_a_step_to_the_millisecond(rigs: Rigs, text: str, period_s: int) -> None:
    edge_s = moment_s(text) // period_s * period_s
    rig = rigs(edge_s, window_steps=0, period_s=period_s)
    rig.at(edge_s - 0.001)
    before = rig.token.code()
    assert rig.sign_in() == 0
    rig.at(edge_s)
    assert rig.token.code() != before
    rig.at(edge_s + 0.001)
    assert rig.sign_in() == 0


def test_a_code_that_arrives_a_millisecond_too_late(rigs: Rigs) -> None:
    edge_s = moment_s(BOUNDARIES[0])
    rig = rigs(edge_s, window_steps=0)
    rig.at(edge_s - 0.001)
    with pytest.raises(InvalidAuthenticationCode):
        rig.sign_in(entry_s=0.001)
    rig = rigs(edge_s, window_steps=1)
    rig.at(edge_s - 0.001)
    assert rig.sign_in(entry_s=0.001) == -1


def test_89_seconds_back(rigs: Rigs) -> None:
    """The farthest that RFC 6238 section 6 names: two steps back, at the end of the third."""
    edge_s = moment_s(BOUNDARIES[0])
    for late_s, accepted in ((89.999, True), (90.0, False)):
        rig = rigs(edge_s, window_steps=2)
        rig.at(edge_s)
        if accepted:
            assert rig.sign_in(late_s) == -2
        else:
            with pytest.raises(InvalidAuthenticationCode):
                rig.sign_in(late_s)


def test_a_leap_second_at_the_edge_of_a_step(rigs: Rigs) -> None:
    midnight_s = moment_s("2027-01-01T00:00:00Z")
    stepped = ServerClock(events=(LeapSecond(midnight_s),))
    rig = rigs(midnight_s, server=stepped)
    rig.at(midnight_s - 0.001)
    assert rig.sign_in() == 0
    rig.at(midnight_s + 0.001)  # the server shows 23:59:59.001 again
    assert rig.sign_in() == 1
    rig.at(midnight_s + 30.5)
    assert rig.sign_in() == 1
    rig.at(midnight_s + 61.5)
    assert rig.sign_in() == 0


@pytest.mark.parametrize("smeared", [False, True])
def test_a_day_with_a_leap_second(rigs: Rigs, smeared: bool) -> None:
    midnight_s = moment_s("2027-01-01T00:00:00Z")
    rig = rigs(midnight_s - 86_400.0, server=ServerClock(events=(LeapSecond(midnight_s, smeared),)))
    for number in range(1, 2 * 96):
        rig.at(midnight_s - 86_400.0 + number * 900.0 + number / 10.0)
        assert rig.sign_in() in (0, 1)


SCENARIO = """
title = "Across an edge"
start = {start}
[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["token"]
clock = {{ offset = "0 s" }}
[[step]]
do = "ship-seeds"
prefix = "GAHT"
[[step]]
do = "enrol"
device = "token"
[[step]]
do = "wait-until"
at = {before}
[[step]]
do = "sign-in"
device = "token"
[[step]]
do = "wait-until"
at = {after}
[[step]]
do = "sign-in"
device = "token"
"""


@pytest.mark.parametrize(
    "edge",
    [
        "2027-01-01T00:00:00Z",
        "2038-01-19T03:14:30Z",
        "2106-02-07T06:28:30Z",
        "9998-12-31T23:50:00Z",
    ],
)
def test_scenarios_and_their_reports(edge: str) -> None:
    edge_s = moment_s(edge)

    def text(true_s: float) -> str:
        return datetime.fromtimestamp(true_s, UTC).isoformat(timespec="milliseconds")

    times = {"start": text(edge_s - 600), "before": text(edge_s - 0.001)}
    policy = "[policy]\nwindow_steps = 0\n"
    toml = SCENARIO.format(**times, after=text(edge_s + 0.001))
    record = run(parse(toml.replace("[[step]]", policy + "[[step]]", 1), "edge.toml"))
    assert record.held
    for report in (html_report, json_report):
        assert report(RunRecord(1, [record])) == report(RunRecord(1, [record]))


def test_a_scenario_whose_server_is_before_1970() -> None:
    toml = SCENARIO.format(
        start="1970-01-02T00:00:00Z", before="1970-01-02T00:10:00Z", after="1970-01-02T00:11:00Z"
    )
    back = '[[step]]\ndo = "step-server"\nby = "-10 days"\n'
    sign_in = '[[step]]\ndo = "sign-in"\ndevice = "token"\n'
    refused = back + sign_in + 'expect = "out-of-window"\n'
    resync = '[[step]]\ndo = "resync"\ndevice = "token"\n'
    wait = '[[step]]\ndo = "wait"\nfor = "1 min"\n'
    ranges = '[policy]\nresync_range = "20 days"\n'
    toml = toml.replace("[[step]]", ranges + "[[step]]", 1)
    record = run(parse(toml + refused + wait + resync + wait + sign_in, "x.toml"))
    assert [each.text for each in record.steps if not each.held] == []
    assert record.start_s + record.server_curve[-1][1] < 0
    assert "server time minus true time -10 days" in html_report(RunRecord(1, [record]))


@pytest.mark.parametrize("text", list(WRAPS.values())[:4])
def test_the_verifiers_log_is_read_back(rigs: Rigs, text: str, tmp_path: Path) -> None:
    """What was shown is what the log is taken to say: code for code."""
    last_s = moment_s(text)
    rig = rigs(last_s)
    shown = []
    for number in range(-2, 3):
        rig.at(last_s + 60.0 * number)
        shown.append((rig.token.code(), last_s + 60.0 * number))
        rig.sign_in()
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{line}\n" for line in rig.verifier.export_audit()))
    rows = read_observations(log, seeds=[rig.seed])
    assert [(row.code, row.server_s) for row in rows] == shown


def test_a_log_in_local_time_across_the_end_of_summer_time(rigs: Rigs, tmp_path: Path) -> None:
    """Every code stays with its token although an hour is there twice, if the log says which."""
    at_s = moment_s("2026-10-25T00:30:00Z")  # half an hour before 03:00 is 02:00 again in Berlin
    zone = time_zone("Europe/Berlin")
    rig = rigs(at_s)
    rows, naive = ["serial,code,time,accepted"], ["serial,code,time,accepted"]
    for number in range(12):
        rig.at(at_s + 600.0 * number)
        code = rig.token.code()
        rig.sign_in()
        local = datetime.fromtimestamp(rig.clock.now(), zone)
        rows.append(f"{SERIAL},{code},{local.isoformat()},yes")
        naive.append(f"{SERIAL},{code},{local.replace(tzinfo=None).isoformat()},yes")
    log = tmp_path / "log.csv"
    log.write_text("\n".join(rows))
    [token] = diagnose([rig.seed], read_observations(log, seeds=[rig.seed])).tokens
    assert len(token.placed) == 12
    assert token.changes == []
    log.write_text("\n".join(naive))
    with pytest.raises(ObservationsError, match="line 2"):  # without a zone nothing is said
        read_observations(log, seeds=[rig.seed])
    with pytest.raises(ObservationsError, match="twice"):
        read_observations(log, seeds=[rig.seed], zone=zone)
    log.write_text("\n".join(row for row in naive if "T02:" not in row))
    assert len(read_observations(log, seeds=[rig.seed], zone=zone)) == 3  # from 03:00 on
