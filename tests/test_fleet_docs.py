"""What docs/fleet.md and docs/drift.md say of studies and clocks is so, and is all."""

import re
import shlex
from datetime import UTC
from pathlib import Path

import click
import msgspec
import pytest

from firmware_sim.otp.grade import GRADES
from firmware_sim.world.environment import PLACES, DailyCycle
from firmware_sim.world.oscillator import Crystal
from tokenkit.cli.fleet import command
from tokenkit.fleet.export import SUMMARY, TOKENS
from tokenkit.fleet.habits import HABITS
from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.rules import Policy, peers
from tokenkit.fleet.study import Batch, BatteryChange, Person, Study, parse, shipped
from tokenkit.fleet.tally import MEASURES
from tokenkit.verifier import TotpPolicy

ROOT = Path(__file__).parents[1]
FLEET = (ROOT / "docs/fleet.md").read_text("utf-8")
DRIFT = (ROOT / "docs/drift.md").read_text("utf-8")


def rows_of(table: str) -> str:
    """The rows of one table of a study file."""
    [found] = re.findall(rf"^\| {re.escape(table)} \|.*\n(?:\| \|.*\n)*", FLEET, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize(
    ("table", "struct"),
    [("the file", Study), ("`[person]`", Person), ("`[[batch]]`", Batch)],
)
def test_every_member_of_a_study_is_documented(table: str, struct: type[msgspec.Struct]) -> None:
    text = rows_of(table)
    members = {field.name: field for field in msgspec.structs.fields(struct)}
    tables = {"batch", "policy", "person", "server"}
    for name, field in members.items():
        if name in tables:
            assert f"[{name}]" in FLEET
        elif field.required:
            assert f"`{name}`" in text, name
        else:
            assert f"[`{name}`" in text, name
    assert (
        set(re.findall(r"\[?`([a-z_]+)`[ ,|\]]", text.replace("|", "| ")))
        >= members.keys() - tables
    )


def test_members_of_tables_within_tables() -> None:
    for field in msgspec.structs.fields(BatteryChange):
        assert f"`{field.name}`" in rows_of("`[[batch]]`")


def test_defaults_are_those_of_the_code() -> None:
    person, batch = Person(), Batch(name="x", tokens=1)
    assert (person.attempts, person.entry, person.help) == (3, (3.0, 12.0), 86_400.0)
    assert (batch.grade, batch.period, batch.habit, batch.places) == (
        "token",
        30,
        "daily",
        ["desk"],
    )
    assert batch.months_in_stock == (0, 24)
    assert [each / 86_400 for each in batch.stay] == [20, 120]
    for said in (
        "[`attempts` = 3]", "[`entry` = 3 s to 12 s]", "[`help` = 1 day]", "[`grade` = token]",
        "[`period` = 30]", "[`months_in_stock` = 0 to 24]", "[`places` = desk]",
        "[`stay` = 20 days to 120 days]", "[`habit` = daily]", "[`seed` = 1]",
    ):  # fmt: skip
        assert said in FLEET


def test_every_habit_and_grade_is_documented() -> None:
    table = FLEET[FLEET.index("| `habit` |") :].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", table)) - {"habit"} == set(HABITS)
    row = rows_of("`[[batch]]`")
    [named] = re.findall(r"of the crystals: (.*?): all are in", row)
    assert {"token", "perfect"} < set(re.findall(r"`([\w-]+)`", named)) <= GRADES.keys()


def test_the_study_shown_is_one() -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```$", FLEET, re.DOTALL | re.MULTILINE)
    study = parse(text, "study.toml").study
    assert study.tokens == 7000
    assert study.start.tzinfo == UTC


def test_every_rule_of_a_policy_is_documented() -> None:
    table = FLEET[FLEET.index("| `[[policy]]` | what") :].partition("\n\n")[0]
    assert set(re.findall(r"[|\[ ]`([a-z_]+)`", table)) >= {*Policy.__struct_fields__}
    policy = TotpPolicy()
    for said in (
        f"[`window_steps` = {policy.window_steps}]",
        f"[`max_window_steps` = {policy.max_window_steps}]",
        f"[`max_rate_ppm` = {policy.max_rate_ppm:g}]",
        f"[`entry` = {policy.entry_s:g} s]",
        f"[`resync_range` = {policy.resync_range_s / 3600:g} h]",
        f"[`enrol_range` = {policy.enrol_range_s / 3600:g} h]",
        f"[`delay` = {policy.delay_s:g} s]",
        f"[`lock_after` = {policy.lock_after}]",
    ):
        assert said in table


def test_every_peer_is_documented() -> None:
    table = FLEET[FLEET.index("| `peer` |") :].partition("\n\n")[0]
    found = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", table, re.MULTILINE))
    assert found.keys() - {"peer"} == peers().keys()
    for name, peer in peers().items():
        title, learns, window, _ = found[name].split(" | ")
        assert (title, learns) == (peer.title, peer.learn)
        reach = peer.window_steps if peer.window is None else f"{peer.window:g} s"
        assert window.startswith(f"±{reach}")


def test_the_commands_are_there() -> None:
    lines = re.findall(r"^tokenkit fleet (\w+)(.*?)(?:  +#.*)?$", FLEET, re.MULTILINE)
    assert len(lines) > 5
    for name, rest in lines:
        called = command.get_command(click.Context(command), name)
        assert called is not None
        called.make_context(name, shlex.split(rest))  # UsageError for what it does not know


def test_every_shipped_study_is_documented() -> None:
    for name in shipped():
        assert f"`{name}`" in FLEET, name


def test_every_column_is_documented() -> None:
    table = FLEET[FLEET.index("| column of") :]
    assert SUMMARY in table
    assert TOKENS in table
    for name in (*(COUNTS.names or ()), *MEASURES):
        assert f"`{name}`" in table, name


def test_what_crystals_are_like() -> None:
    """The tables of docs/drift.md, from the code."""
    crystal, spreads = GRADES["token"].crystal, GRADES["token"].spreads
    assert isinstance(crystal, Crystal)
    said = {
        name: (each.mean, each.standard_deviation, each.limit) for name, each in spreads.items()
    }
    assert said == {
        "tolerance_ppm": (0.0, 3.0, 10.0),
        "parabola_ppm_per_c2": (-0.034, pytest.approx(0.005 / 3), 0.005),
        "turnover_c": (25.0, pytest.approx(5 / 3), 5.0),
        "ageing_ppm_first_year": (0.0, 1.0, 3.0),
    }
    assert "| 3 ppm (standard deviation), none beyond ±10 |" in DRIFT
    assert "| −0.034 ± 0.005 ppm/°C² |" in DRIFT
    assert "| 25 ± 5 °C |" in DRIFT
    assert "| 1 ppm (standard deviation), none beyond ±3 |" in DRIFT
    assert (crystal.ageing_tau_s, crystal.random_walk_adev_1day) == (30 * 86_400.0, 2e-8)
    assert (crystal.white_adev_1s) == 1e-8


def test_what_places_cost() -> None:
    for name, place in PLACES.items():
        assert isinstance(place, DailyCycle)
        ppm = 0.034 * ((place.mean_c - 25) ** 2 + place.swing_c**2 / 2)
        row = (
            f"| `{name}` | {place.mean_c:g} ± {place.swing_c:g} | {ppm:.1f} |"
            f" {ppm * 365.25 * 0.0864:.0f} |"
        )
        assert row in DRIFT
