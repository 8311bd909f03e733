"""The files of ``tokenkit drift``: seeds under a password, and logs with faults."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tokenkit.cli import root
from tokenkit.errors import TokenkitError
from tokenkit.verifier.totp import CodeGenerator
from tokenkit.virtual import World, write_pskc

DAY_S = 86_400
START_S = 1_767_225_600.0


def log() -> str:
    """A code a month, from a clock that is right; and two faults."""
    [spec] = World(seed=1).make_batch("SHELF", 1).tokens
    generator = CodeGenerator(spec.seed)
    rows = ["serial;otp;time;result"]
    for month in range(6):
        at_s = START_S + 30 * DAY_S * month
        [code] = generator.codes([int(at_s // 30)])
        local = datetime.fromtimestamp(at_s + 5, UTC).strftime("%Y-%m-%d %H:%M:%S")
        rows.append(f"{spec.serial_number};{code.decode()};{local};accepted")
    return "\n".join([*rows, "SHELF00000001;12345;2026-07-01 12:00:00;no", "x;1\n"])


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    write_pskc(World(seed=1).make_batch("SHELF", 1).tokens, tmp_path / "s", password="open sesame")
    (tmp_path / "log").write_text(log())
    return ["--seeds", str(tmp_path / "s"), "--log", str(tmp_path / "log"), "--time-zone", "UTC"]


def test_faults_are_told_and_left_out_if_told_so(options: list[str]) -> None:
    secret = {"TOKENKIT_PSKC_PASSWORD": "open sesame"}
    result = CliRunner().invoke(root, ["drift", "diagnose", *options], env=secret)
    assert isinstance(result.exception, TokenkitError)
    first, *faults = str(result.exception).splitlines()
    assert first.endswith("log: 2 faults, nothing was read:")
    assert faults[0].startswith("  line 8, SHELF00000001: code '12345' has 5 digits, not 6")
    assert faults[1] == "  line 9: not as many fields as the first line names"
    result = CliRunner().invoke(root, ["drift", "diagnose", *options, "--skip-faulty"], env=secret)
    assert result.exit_code == 0, result.exception
    assert "log: 2 faults, left out:" in result.stderr
    assert "SHELF00000001" in result.stdout


def test_a_missing_password(options: list[str]) -> None:
    result = CliRunner().invoke(root, ["drift", "diagnose", *options])
    assert isinstance(result.exception, TokenkitError)
    assert "give the password: --pskc-password-file FILE" in str(result.exception)
