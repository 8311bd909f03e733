"""The command itself: version, help, exit statuses."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tokenkit.cli import COMMANDS, main


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenkit", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"tokenkit, version {version('tokenkit')}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"Usage: tokenkit {name} ")


def test_an_unknown_command_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["rum"])
    assert caught.value.code == 2
    assert "No such command 'rum'" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["completion", shell])
    assert caught.value.code == 0
    assert "_TOKENKIT_COMPLETE" in capsys.readouterr().out
