"""Words that the guest's shell must not read otherwise than they were meant."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.errors import TokenkitError
from tokenkit.vm.job import Job, shared_environment

# what an argument of a program may hold: all but zero bytes
words = st.binary(max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))


def written(job: Job, folder: str) -> Path:
    job.check()
    job.write(Path(folder))
    return Path(folder)


@settings(max_examples=60)
@given(arguments=st.lists(words, max_size=4), value=words)
def test_any_words_reach_the_command_as_they_are(arguments, value):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "import os, sys; print([*sys.argv[1:], os.environ['V']])"]
        job = Job([*command, *arguments], {"V": value, "LC_ALL": "C.UTF-8"}, Path(folder))
        done = subprocess.run(
            ["env", "-i", "sh", written(job, folder) / "command"], capture_output=True, text=True
        )
    assert (done.stdout, done.stderr) == (f"{[*arguments, value]}\n", "")


def test_a_command_with_an_equals_sign_is_no_assignment(tmp_path):
    (tmp_path / "a=b").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "a=b").chmod(0o755)
    job = Job(["a=b"], {"PATH": f"{tmp_path}:/usr/bin:/bin"}, tmp_path)
    (tmp_path / "job").mkdir()
    done = subprocess.run(
        ["sh", written(job, str(tmp_path / "job")) / "command"], capture_output=True, text=True
    )
    assert done.stdout == "ran\n"


def test_keys_are_served_by_this_python_with_its_packages(tmp_path):
    command = ["sh", "-c", 'echo "$@"; exit 3', "sh", "a  b", "|"]
    keys = ["yubikey-5.4?seed=1", "reference"]
    job = Job(command, {"HOME": "/h"}, tmp_path, keys=keys)
    words = shlex.split((written(job, str(tmp_path)) / "command").read_text())
    python, option, program, *words = words[words.index("exec") + 1 :]
    assert (python, option) == (sys.executable, "-c")
    assert repr(sys.path) in program
    assert words[:5] == ["keys", "virtual", "serve", "--port", "uhid"]
    assert words[5:10] == ["--key", "yubikey-5.4?seed=1", "--key", "reference", "--"]
    # what it serves runs the command as it is
    done = subprocess.run(words[10:], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("a  b |\n", 3)


@pytest.mark.parametrize("key", ["no-such-key", "reference?no=1"])
def test_a_key_that_is_none_is_said_before_the_guest_starts(tmp_path, key):
    with pytest.raises(TokenkitError):
        Job(["true"], {}, tmp_path, keys=[key]).check()


def test_what_is_given_wins_over_the_hosts(monkeypatch):
    monkeypatch.setenv("LANG", "C")
    monkeypatch.delenv("HOME")
    assert shared_environment({"LANG": "de"}) == {"LANG": "de", "PATH": os.environ["PATH"]}
