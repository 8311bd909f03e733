"""Scenarios from logs: they show what the log showed, with little else."""

import errno
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tokenkit.cli import root
from tokenkit.drift.diagnose import Options, diagnose
from tokenkit.drift.diagnosis import (
    Change,
    Dated,
    Diagnosis,
    Estimate,
    Placed,
    ServerFault,
    TokenDiagnosis,
    Unplaced,
)
from tokenkit.drift.observations import Observation
from tokenkit.drift.reproduce import Reproduction, reproduce
from tokenkit.drift.trials import ReproduceError
from tokenkit.errors import TokenkitError
from tokenkit.scenario import parse, run
from tokenkit.server_clock import ServerClock
from tokenkit.server_clock import Step as ServerStep
from tokenkit.verifier import TotpPolicy, Verifier, VerifierError
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import step
from tokenkit.virtual import (
    HardwareToken,
    SeededEntropy,
    SimulatedClock,
    Step,
    World,
    place,
    write_csv,
)

START_S = 1_767_225_600.0 + 8 * 3600.0  # 2026-01-01T08:00:00Z
DAY_S = 86_400.0
ENTRY_S = 12.0


def exactly(value: float) -> Estimate:
    return Estimate(value, 0.1, value - 0.2, value + 0.2)


@dataclass
class Log:
    """One token that is enrolled and signs in; its holder takes ``entry_s`` to type.

    What is true of it is its diagnosis, as if that were perfect.
    """

    policy: TotpPolicy = field(default_factory=TotpPolicy)
    server: ServerClock = field(default_factory=ServerClock)
    serial: int = 1
    entry_s: float = 4.0
    observations: list[Observation] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: list[ServerFault] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = World(1, START_S)
        assert isinstance(world.clock, SimulatedClock)
        self.clock = world.clock
        self.token: HardwareToken = world.token(
            world.make_batch("GAHT", first=self.serial).tokens[0]
        )
        spec = self.token.spec
        self.seeds = [
            Seed(spec.serial_number, spec.seed, spec.algorithm, spec.digits, spec.period_s)
        ]
        self.verifier = Verifier(
            now=lambda: self.server.read(self.clock.now()),
            random_bytes=world.child_entropy("verifier").bytes,
            totp=self.policy,
        )
        self.verifier.add_tokens(self.seeds)
        self.verifier.enable("root", spec.serial_number, *self.token.two_codes())

    def wait(self, days: float) -> None:
        self.clock.advance(days * DAY_S)

    def sign_in(self) -> bool:
        """Whether it was accepted."""
        counter = step(self.token.token_clock.read(self.clock.now()), 30)
        code = self.token.code()
        self.clock.advance(self.entry_s)
        return self._show(code, counter)

    def replay(self) -> bool:
        code, counter = self.observations[-1].code, self.placed[-1].counter
        self.clock.advance(2.0)
        return self._show(code, counter, replayed=True)

    def daily(self, days: int) -> list[bool]:
        came = []
        for number in range(days):
            self.clock.advance(DAY_S + 61.7 * (number % 7 - 3))
            came.append(self.sign_in())
        return came

    def resync(self) -> None:
        self.verifier.resync("root", self.token.serial_number, *self.token.two_codes())

    def _show(self, code: str, counter: int, replayed: bool = False) -> bool:
        try:
            self.verifier.sign_in("root", code, serial_number=self.token.serial_number)
            accepted = True
        except VerifierError:
            accepted = False
        true_s = self.clock.now()
        server_s = round(self.server.read(true_s), 3)
        line = len(self.observations) + 2
        self.observations.append(
            Observation(line, self.token.serial_number, code, server_s, accepted)
        )
        if replayed:
            self.unplaced.append(Unplaced(line, server_s, accepted, "replayed", counter))
        else:
            low_s = counter * 30.0 - true_s
            self.placed.append(
                Placed(line, server_s, counter, accepted, low_s, low_s + 30.0 + ENTRY_S)
            )
        return accepted

    def changed(self, by_s: float, at_s: float) -> None:
        """The token's clock was seen to jump."""
        when = Dated(at_s - 100.0, at_s + 100.0, at_s)
        self.changes.append(Change("step", when, exactly(by_s), None, "jump", 50.0))

    def diagnosis(self) -> Diagnosis:
        token = TokenDiagnosis(
            serial_number=self.token.serial_number,
            period_s=30,
            rows=len(self.observations),
            from_s=self.observations[0].server_s,
            until_s=self.observations[-1].server_s,
            offset_s=None,
            rate_ppm=None,
            mean_rate_ppm=None,
            changes=self.changes,
            leaves_window=None,
            track=[],
            placed=self.placed,
            unplaced=self.unplaced,
            sentences=["All rows tell of it.", "It lost minutes."],
        )
        return Diagnosis([token], self.faults, [], [])


def reproduced(log: Log, **options: object) -> Reproduction:
    made = reproduce(log.diagnosis(), log.observations, log.seeds, log.policy, **options)  # type: ignore[arg-type]
    record = run(parse(made.text, "made.toml"))
    assert record.held
    assert log.token.spec.seed.hex() not in made.text
    return made


def steps(made: Reproduction) -> list[str]:
    return [step.do for step in run(parse(made.text, "made.toml")).steps]


def warehouse(policy: TotpPolicy | None = None) -> Log:
    log = Log(policy or TotpPolicy())
    assert all(log.daily(40))
    log.token.environment.move(log.clock.now(), place("warehouse"))
    log.wait(240)
    assert not log.sign_in()
    log.wait(0.001)
    return log


def test_a_token_from_the_warehouse() -> None:
    log = warehouse()
    made = reproduced(log)
    assert made.lines == made.kept == [42]
    assert made.missing == {}
    assert len(made.outcomes) == 41
    assert steps(made) == ["make-batch", "ship-seeds", "enrol", "wait-until", "sign-in"]
    assert "rate_ppm = -1" in made.text  # 14 ppm and what the crystal is off by itself
    assert 'expect = "out-of-window"' in made.text
    assert reproduced(log) == made


def test_what_came_after_is_resynchronised() -> None:
    log = warehouse()
    log.resync()
    log.wait(1)
    assert all(log.daily(5))
    whole = reproduced(log, whole=True)
    assert len(whole.kept) == len(whole.outcomes) == 46
    assert "it was resynchronised before line 43" in whole.assumed
    assert reproduced(log).kept == [42]


def test_a_battery_change() -> None:
    log = Log()
    log.daily(20)
    log.clock.advance(3600.0)
    log.token.replace_battery(300.0)
    log.changed(-300.0, log.clock.now())
    log.clock.advance(3600.0)
    assert not log.sign_in()
    made = reproduced(log)
    assert made.kept == [22]
    assert steps(made)[2:] == ["enrol", "wait-until", "step-clock", "wait-until", "sign-in"]
    assert 'by = "-300 s"' in made.text


def test_a_jump_that_the_diagnosis_missed() -> None:
    log = Log()
    log.daily(20)
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 400.0))
    log.clock.advance(3600.0)
    assert not log.sign_in()
    assert "step-clock" in steps(reproduced(log))


def test_a_jump_that_has_nothing_to_do_with_it_is_left_out() -> None:
    log = Log()
    log.daily(3)
    log.token.token_clock.add(Step(log.clock.now() + 3600.0, 20.0))
    log.changed(20.0, log.clock.now() + 3600.0)
    log.daily(20)
    log.token.environment.move(log.clock.now(), place("warehouse"))
    log.wait(240)
    assert not log.sign_in()
    assert "step-clock" not in steps(reproduced(log))


def server_fault(by_s: float) -> Log:
    """From the 20th day on the server is off for two days."""
    begin_s = START_S + 20 * DAY_S
    log = Log(server=ServerClock(events=(ServerStep(begin_s, by_s, 2 * DAY_S),)))
    log.daily(30)
    shown = [(30.0 * row.counter - row.low_s, row.server_s) for row in log.placed]
    before = [server_s for true_s, server_s in shown if true_s < begin_s]
    after = [server_s for true_s, server_s in shown if true_s >= begin_s + 2 * DAY_S]
    within = [server_s for _, server_s in shown if server_s not in before + after]
    log.faults.append(
        ServerFault(
            Dated(before[-1], within[0], begin_s),
            Dated(within[-1], after[0], begin_s + 2 * DAY_S),
            exactly(by_s),
            [log.token.serial_number],
        )
    )
    return log


@pytest.mark.parametrize("by_s", [3600.0, -300.0])
def test_a_server_whose_clock_was_wrong(by_s: float) -> None:
    log = server_fault(by_s)
    refused = [row.line for row in log.observations if row.accepted is False]
    assert len(refused) == 2
    made = reproduced(log)
    assert made.missing == {}
    assert made.kept == refused[-1:]
    assert "[[server.event]]" in made.text
    assert f'step = "{by_s:g} s"' in made.text
    both = reproduced(log, lines=refused)
    assert both.kept == refused


def test_a_replay() -> None:
    log = Log()
    log.daily(5)
    assert not log.replay()
    made = reproduced(log)
    assert made.kept == [6, 7]
    assert steps(made)[-3:] == ["sign-in", "wait-until", "replay"]


def test_a_token_that_was_locked_and_unlocked() -> None:
    log = Log()
    log.daily(3)
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 300.0))
    log.changed(300.0, log.clock.now() + 600.0)
    log.clock.advance(3600.0)
    assert not any(log.daily(12))
    log.verifier.unlock(log.token.serial_number)
    log.resync()
    assert all(log.daily(3))
    made = reproduced(log, whole=True)
    assert made.missing == {}
    assert made.assumed[1:] == [
        "it was unlocked before line 17",
        "it was resynchronised before line 17",
    ]
    assert made.outcomes[16] == "locked"
    assert made.lines == [16]
    assert made.first_refused == 5
    assert reproduced(log, lines=[5]).first_refused is None


def test_a_refused_code_that_is_tried_again() -> None:
    log = Log(entry_s=1.0)
    log.daily(3)
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 300.0))
    log.changed(300.0, log.clock.now() + 600.0)
    log.clock.advance(3600.0)
    assert not log.sign_in()
    assert not log.replay()
    made = reproduced(log, whole=True)
    assert made.kept == [2, 3, 4, 5, 6]
    log.wait(0.01)
    assert not log.replay()  # its display has long shown another one
    last = reproduced(log)
    assert last.lines == [6]
    assert last.missing == {7: "the code was not the last one that was accepted"}


def test_a_window_that_follows_the_token() -> None:
    log = Log(TotpPolicy(drift="rate", max_window_steps=3))
    log.daily(30)
    log.token.environment.move(log.clock.now(), place("warehouse"))
    log.wait(300)
    assert not log.sign_in()
    made = reproduced(log)
    assert 'drift = "rate"' in made.text
    assert len(made.kept) < 5


def test_a_log_that_begins_with_refusals() -> None:
    log = Log()
    log.token.token_clock.add(Step(log.clock.now() + 10.0, -200.0))
    log.wait(30)
    assert log.daily(3) == [False, False, False]
    made = reproduced(log)
    assert made.missing == {}
    assert "the clock was right when the token was enrolled, and -20" in made.assumed[1]
    assert made.kept == [4]
    assert reproduced(log, whole=True).kept == [2, 3, 4]


def test_the_server_had_other_rules() -> None:
    log = warehouse()
    with pytest.raises(ReproduceError, match="line 42 cannot be shown again: refused in the log,"):
        reproduce(log.diagnosis(), log.observations, log.seeds, TotpPolicy(window_steps=30))


def test_rows_that_come_out_otherwise_are_said() -> None:
    log = Log(TotpPolicy(window_steps=8))
    log.daily(5)
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 100.0))
    log.changed(100.0, log.clock.now() + 3600.0)
    assert log.daily(1) == [True]  # by so wide a window
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 500.0))
    log.changed(500.0, log.clock.now() + 3600.0)
    assert log.daily(1) == [False]
    made = reproduce(log.diagnosis(), log.observations, log.seeds, TotpPolicy())
    assert made.assumed[1:] == [] or "resynchronised" in made.assumed[1]
    assert made.lines == [8]


def test_what_there_is_to_reproduce() -> None:
    log = Log()
    log.daily(3)
    with pytest.raises(ReproduceError, match="no refusal in the log"):
        reproduce(log.diagnosis(), log.observations, log.seeds, log.policy)
    refused = warehouse()
    for options, said in (
        ({"lines": [5]}, "there is no refusal|no refusal of this token"),
        ({"serial_number": "nobody"}, "nobody: the log has no such token"),
        ({"serial_number": "GAHT00000001", "lines": [5]}, "line 5 cannot be shown again"),
    ):
        with pytest.raises(ReproduceError, match=said):
            reproduce(
                refused.diagnosis(), refused.observations, refused.seeds, refused.policy, **options
            )
    with pytest.raises(ReproduceError, match="the seed file has no such token"):
        reproduce(refused.diagnosis(), refused.observations, [], refused.policy)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["drift", "reproduce", "--range", "2 h", *arguments])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One token goes into the cold, one gets a new battery, and the server is wrong once."""
    folder = tmp_path_factory.mktemp("fleet")
    server = ServerClock(events=(ServerStep(START_S + 10.3 * DAY_S, 1200.0, DAY_S),))
    logs = [Log(server=server, serial=number) for number in range(1, 5)]
    for number, log in enumerate(logs):
        log.clock.advance(600.0 * number)
        log.daily(25)
        if number == 2:
            log.token.environment.move(log.clock.now(), place("warehouse"))
            log.wait(240)
            log.sign_in()
        if number == 3:
            log.clock.advance(3600.0)
            log.token.replace_battery(480.0)
            log.clock.advance(3600.0)
            log.sign_in()
            log.wait(0.01)
            log.resync()
            log.daily(8)
    rows = sorted((row for log in logs for row in log.observations), key=lambda row: row.server_s)
    lines = [f"{r.serial_number},{r.code},{r.server_s:.3f},{r.accepted}" for r in rows]
    (folder / "log.csv").write_text("\n".join(["serial,code,unix,accepted", *lines]))
    write_csv([log.token.spec for log in logs], folder / "seeds.csv")
    return folder


def test_the_command_and_all_before_it(fleet: Path, tmp_path: Path) -> None:
    files = "--seeds", str(fleet / "seeds.csv"), "--log", str(fleet / "log.csv")
    out = tmp_path / "scenario.toml"
    done = command(*files, "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "GAHT00000003, line " in done.output
    assert "refused as in the log" in done.output
    ran = CliRunner().invoke(root, ["run", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    text = out.read_text()
    assert text.count("sign-in") == 1
    assert "rate_ppm = -1" in text


def test_the_command_tells_what_led_to_a_lock(tmp_path: Path) -> None:
    log = Log()
    log.daily(20)
    log.token.token_clock.add(Step(log.clock.now() + 10.0, 300.0))
    assert not any(log.daily(12))
    rows = [f"{r.serial_number},{r.code},{r.server_s},{r.accepted}" for r in log.observations]
    (tmp_path / "log.csv").write_text("\n".join(["serial,code,unix,accepted", *rows]))
    write_csv([log.token.spec], tmp_path / "seeds.csv")
    files = "--seeds", str(tmp_path / "seeds.csv"), "--log", str(tmp_path / "log.csv")
    out = "--out", str(tmp_path / "scenario.toml")
    done = command(*files, *out)
    assert done.exit_code == 0, done.output
    assert "line 33: locked, refused as in the log" in done.output
    first = "the first refusal after the last accepted code is line 22: --line 22 shows it"
    assert first in done.output
    assert json.loads(command(*files, *out, "--json").stdout)["first_refused"] == 22
    done = command(*files, *out, "--line", "22")
    assert "line 22: out-of-window, refused as in the log" in done.output
    assert "the first refusal" not in done.output


def test_no_file_that_is_read_is_replaced(fleet: Path, tmp_path: Path) -> None:
    seeds, log = tmp_path / "seeds.csv", tmp_path / "log.csv"
    seeds.write_bytes((fleet / "seeds.csv").read_bytes())
    log.write_bytes((fleet / "log.csv").read_bytes())
    before = seeds.read_bytes(), log.read_bytes()
    for out in (seeds, log, Path(tmp_path, "..", tmp_path.name, "seeds.csv"), Path("/dev/null")):
        done = command("--seeds", str(seeds), "--log", str(log), "--out", str(out))
        assert isinstance(done.exception, TokenkitError)
        assert "replaced" in str(done.exception)
    assert (seeds.read_bytes(), log.read_bytes()) == before
    done = command("--seeds", str(seeds), "--log", str(log), "--out", str(tmp_path / "no" / "s"))
    assert "there is no directory" in str(done.exception)


def test_a_scenario_is_written_whole_or_not_at_all(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scenario.toml"
    out.write_text("the one before")

    replace_file = os.replace

    def full(written: str, to: str | Path) -> None:
        if Path(to) == out:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(written, to)

    monkeypatch.setattr(os, "replace", full)
    files = "--seeds", str(fleet / "seeds.csv"), "--log", str(fleet / "log.csv")
    done = command(*files, "--out", str(out), "--serial", "GAHT00000004")
    assert str(done.exception) == f"cannot write {out}: No space left on device"
    assert [each.name for each in tmp_path.iterdir()] == ["scenario.toml"]
    assert out.read_text() == "the one before"


def test_a_battery_found_by_diagnosis(fleet: Path, tmp_path: Path) -> None:
    files = "--seeds", str(fleet / "seeds.csv"), "--log", str(fleet / "log.csv")
    out = tmp_path / "scenario.toml"
    done = command(*files, "--out", str(out), "--serial", "GAHT00000004", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["kept"] == told["lines"]
    assert "step-clock" in out.read_text()
    assert CliRunner().invoke(root, ["run", str(out)]).exit_code == 0


def test_a_fault_of_the_server_found_by_diagnosis(fleet: Path, tmp_path: Path) -> None:
    files = "--seeds", str(fleet / "seeds.csv"), "--log", str(fleet / "log.csv")
    out = tmp_path / "scenario.toml"
    done = command(*files, "--out", str(out), "--serial", "GAHT00000001")
    assert done.exit_code == 0, done.output
    assert 'step = "1200 s"' in out.read_text()
    assert CliRunner().invoke(root, ["run", str(out)]).exit_code == 0


def test_a_server_that_was_set_wrong_for_good() -> None:
    server = ServerClock(events=(ServerStep(START_S + 10.3 * DAY_S, -7200.5),))
    logs = [Log(server=server, serial=number) for number in range(1, 4)]
    for number, log in enumerate(logs):
        log.clock.advance(600.0 * number)
        assert log.daily(11) == [True] * 10 + [False]
        log.wait(0.001)
        log.resync()
        log.daily(3)
    rows = sorted((row for log in logs for row in log.observations), key=lambda row: row.server_s)
    rows = [replace(row, line=number) for number, row in enumerate(rows, 2)]
    seeds = [seed for log in logs for seed in log.seeds]
    found = diagnose(seeds, rows, Options(range_s=2.0 * DAY_S))
    made = reproduce(found, rows, seeds, TotpPolicy())
    assert run(parse(made.text, "made.toml")).held
    assert len(made.kept) == 1
    assert 'step = "-7200 s"\n\n' in made.text  # never mended
    assert "step-clock" not in made.text


def test_the_command_says_what_cannot_be(fleet: Path, tmp_path: Path) -> None:
    files = "--seeds", str(fleet / "seeds.csv"), "--log", str(fleet / "log.csv")
    out = tmp_path / "scenario.toml"
    for options in (["--window-steps", "100"], ["--serial", "NOBODY"], ["--line", "2"]):
        done = command(*files, "--out", str(out), *options)
        assert isinstance(done.exception, ReproduceError)
    assert not out.exists()


@pytest.mark.parametrize("number", range(4))
def test_any_history_of_a_token(number: int) -> None:
    """By the real diagnosis: what is written holds, and each row is shown or said to be missing."""
    draw = SeededEntropy(number)

    def below(limit: int) -> int:
        return int.from_bytes(draw.bytes(4), "big") % limit

    log = Log(TotpPolicy(drift="rate") if number % 2 else TotpPolicy(), serial=number + 1)
    for _ in range(4):
        log.daily(5 + below(10))
        log.clock.advance(3600.0)
        log.token.token_clock.add(Step(log.clock.now(), float(below(601) - 300)))
        log.token.environment.move(log.clock.now(), place(["drawer", "pocket", "car"][below(3)]))
        log.clock.advance(3600.0)
        if not log.sign_in():
            log.wait(0.001)
            log.resync()
    found = diagnose(log.seeds, log.observations, Options(range_s=7200.0, policy=log.policy))
    made = reproduce(found, log.observations, log.seeds, log.policy)
    assert run(parse(made.text, "made.toml")).held
    logged = {row.line: row.accepted for row in log.observations}
    assert made.outcomes.keys() | made.missing.keys() == logged.keys()
    assert made.outcomes.keys().isdisjoint(made.missing)
    for line, outcome in made.outcomes.items():
        assert (outcome == "accepted") == logged[line]
    assert set(made.lines) <= set(made.kept) <= set(made.outcomes)
