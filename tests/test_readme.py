"""What README and docs show works as shown."""

import re
import shlex
import typing
from pathlib import Path

import click
import msgspec
import pytest

from firmware_sim.fido.algorithms import KNOWN
from firmware_sim.fido.commands import (
    all_commands,
    bio_enrollment,
    client_pin,
    config,
    credential_management,
)
from firmware_sim.fido.commands.get_info import MEMBERS
from firmware_sim.fido.extensions import all_extensions
from firmware_sim.link.faults.plan import AnyFault, parse_plan
from firmware_sim.port import PORTS
from firmware_sim.profiles.check import OPTIONS, VERSIONS
from firmware_sim.vendor_commands import VENDOR_COMMANDS
from tokenkit.cli import main, root
from tokenkit.scenario import parse, run
from tokenkit.scenario.outcomes import Expectation
from tokenkit.scenario.steps import AnyStep
from tokenkit.verifier import OutOfWindow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SCENARIOS = (ROOT / "docs/scenarios.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found
    return [str(block) for block in found]


def test_the_first_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = blocks(README, "python")[0]
    [promised] = re.findall(r"print\(device\.offset_s\)  # (-?[\d.]+): ", code)
    names: dict[str, typing.Any] = {}
    exec(compile(code, "README", "exec"), names)
    assert capsys.readouterr().out.split() == [promised]
    # "a sign-in would have been refused": the same again without the resynchronisation
    before = code[: code.index("device = ")]
    exec(compile(before, "README", "exec"), names)
    with pytest.raises(OutOfWindow):
        names["verifier"].sign_in("root", names["token"].code())


def test_the_example_for_python_fido2(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(README, "python")[3], "README", "exec"), {})
    assert "FIDO_2_0" in capsys.readouterr().out


def test_the_example_of_models_and_fingers(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(README, "python")[4], "README", "exec"), {})
    assert capsys.readouterr().out == "OPERATION_DENIED\n"


def test_the_example_for_iam(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(blocks(README, "python")[1])
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_example_for_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(blocks(README, "python")[2])
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


@pytest.mark.parametrize("text", blocks(README, "toml") + blocks(SCENARIOS, "toml"))
def test_the_scenarios(text: str) -> None:
    record = run(parse(text, "example.toml"))
    assert record.held, [(step.text, step.outcomes) for step in record.steps]


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, since one shows what another made."""
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^tokenkit (.*?)(?:  +#.*)?$", README, re.MULTILINE)
    assert len(commands) >= 9
    for command in commands:
        with pytest.raises(SystemExit) as caught:
            main(shlex.split(command))
        assert caught.value.code == 0, (command, capsys.readouterr().err)
        assert capsys.readouterr().out


WIRES = (ROOT / "docs/wires.md").read_text("utf-8")


def test_the_commands_for_wires_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their options and arguments are known; there may be no kernel here to run them."""
    monkeypatch.chdir(tmp_path)
    Path("seal.key").write_text("00" * 32)
    command = r"(?:sudo )?tokenkit (.*?)(?:  +#.*)?$"
    lines = re.findall(rf"^\$ {command}", README, re.MULTILINE)
    lines += re.findall(rf"^{command}", WIRES, re.MULTILINE)
    assert len(lines) > 15
    for line in lines:
        called: click.Command = root
        arguments = shlex.split(line)
        while isinstance(called, click.Group):
            found = called.get_command(click.Context(called), arguments.pop(0))
            assert found is not None, line
            called = found
        called.make_context("tokenkit", arguments)  # UsageError for what it does not know


def test_every_fault_and_its_members_are_documented() -> None:
    table = WIRES[WIRES.index("| kind | parameters") :]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)$", table, re.MULTILINE))
    kinds = {each.__struct_config__.tag: each for each in typing.get_args(AnyFault)}
    assert rows.keys() == kinds.keys()
    common = {"direction", "command", "packet", "at", "every", "probability", "count"}
    for kind, struct in kinds.items():
        for field in msgspec.structs.fields(struct):
            assert field.name in common or f"`{field.name}`" in rows[kind], (kind, field.name)


def test_the_fault_plan_is_one() -> None:
    plan = parse_plan("wires.md", blocks(WIRES, "toml")[0])
    assert [fault.kind for fault in plan.fault] == ["drop", "delay"]


def test_every_port_is_documented() -> None:
    for name in PORTS:
        assert f"--port {name}" in WIRES or f"`{name}:" in WIRES, name


def test_the_links() -> None:
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", file.read_text("utf-8")):
            if not link.startswith("http"):
                assert (file.parent / link).exists(), (file.name, link)


def test_the_make_targets_and_extras() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
    extras = re.findall(r"pip install '\.\[(\w+)\]'", README)
    assert extras
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in extras:
        assert f"\n{extra} = [" in project


def test_every_step_and_its_members_are_documented() -> None:
    rows = {
        name: row
        for row in SCENARIOS.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    }
    for step in typing.get_args(AnyStep):
        row = rows[step.__struct_config__.tag]
        for field in msgspec.structs.fields(step):
            if field.name != "expect":
                assert f"`{field.encode_name}`" in row or f"`{field.encode_name} " in row, row


def test_every_outcome_is_documented() -> None:
    for outcome in typing.get_args(Expectation):
        assert f"`{outcome}`" in SCENARIOS or f'`"{outcome}"`' in SCENARIOS


def test_what_ctap_md_says_is_tested_and_complete() -> None:
    text = (ROOT / "docs/ctap.md").read_text("utf-8")
    files = re.findall(r"`((?:fido|link|profiles)/[\w/]+\.py|test_\w+\.py)`", text)
    assert len(files) > 25
    for file in files:
        assert (ROOT / "tests/firmware_sim" / file).exists(), file
    for identifier in all_extensions():
        assert f"extension {identifier} " in text
    for code in all_commands():
        assert f"| 0x{code:02X} " in text
    for number in KNOWN:
        assert re.search(rf"(?<![\w-]){number}(?!\w)", text), number
    for name in [*OPTIONS, *MEMBERS]:
        assert f"`{name}`" in text
    for version in VERSIONS:
        assert version in text
    for name in VENDOR_COMMANDS:
        assert f"`{name}`" in text


def test_every_file_of_the_authenticator_was_reviewed() -> None:
    text = (ROOT / "docs/ctap.md").read_text("utf-8")
    review = text[text.index("## Review") :]
    fido = ROOT / "firmware_sim/fido"
    for file in [*fido.glob("*.py"), *(fido / "commands").glob("*.py")]:
        if file.name != "__init__.py":
            assert f"`{file.relative_to(fido).as_posix()}`" in review, file


def test_every_subcommand_is_listed() -> None:
    text = (ROOT / "docs/ctap.md").read_text("utf-8")
    rows = {row[2:6]: row for row in text.splitlines() if row.startswith("| 0x")}
    for module in (client_pin, bio_enrollment, credential_management, config):
        row = rows[f"0x{module.COMMAND.code:02X}"]
        for number in module._SUBCOMMANDS:
            assert f"0x{number:02X} " in row, (row, number)
