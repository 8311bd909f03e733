"""Completion in the real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def run(*command: str, **environment: str) -> str:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    return done.stdout


def need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")


def test_bash_completes_commands_and_options():
    need("bash")
    script = """
        eval "$(tokenkit completion bash)"
        complete -p tokenkit
        COMP_WORDS=(tokenkit {words}) COMP_CWORD={count}
        _tokenkit_completion tokenkit {last} ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    out = run("bash", "-c", script.format(words="ke", count=1, last="ke"))
    assert out.split("\n")[-2] == "keys"
    out = run("bash", "-c", script.format(words="keys li", count=2, last="li"))
    assert out.split("\n")[-2] == "list"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_is_valid_and_asks_the_command(shell, tmp_path):
    need(shell)
    script = tmp_path / f"completion.{shell}"
    script.write_text(run("tokenkit", "completion", shell))
    run(shell, "-n", str(script))
    words = {"zsh": {"COMP_CWORD": "1"}, "fish": {"COMP_CWORD": "ke"}}[shell]
    out = run("tokenkit", _TOKENKIT_COMPLETE=f"{shell}_complete", COMP_WORDS="tokenkit ke", **words)
    assert "keys" in out


def test_an_unknown_shell_is_a_usage_error():
    done = subprocess.run([BIN / "tokenkit", "completion", "tcsh"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "bash" in done.stderr
