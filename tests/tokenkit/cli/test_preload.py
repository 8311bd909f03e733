"""What ``tokenkit preload`` says when it cannot, and how it ends."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="no C compiler: apt-get install gcc libc6-dev",
)
TOKENKIT = [sys.executable, "-m", "tokenkit", "preload"]
TIMEOUT_S = 60


def run(*args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*TOKENKIT, *args],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing argument"),
        (["--"], "Missing argument"),
        (["--key", "yubikey-5.9", "--", "true"], "yubikey-5.9"),
        (["--key", "reference?pin=1", "--", "true"], "only ?seed=VALUE and state=FILE"),
        (["--key", "?state=/nonexistent/key.db", "--", "true"], "it is not there yet"),
        (["--kye", "reference", "--", "true"], "No such option"),
        (["--touch", "soon", "--", "true"], "write at-once, never or seconds"),
        (["--touch", "-1", "--", "true"], "write at-once, never or seconds"),
        (["--touch", "nan", "--", "true"], "write at-once, never or seconds"),
        (["--", "/nonexistent/command"], "there is no such command"),
        (["--", "/etc/passwd"], "it may not be run"),
    ],
)
def test_what_is_wrong_is_one_line(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


def test_a_state_file_serves_one_key_at_a_time(tmp_path: Path) -> None:
    key = f"reference?state={tmp_path / 'key.db'}"
    assert run("--key", key, "--", "true").returncode == 0
    done = run("--key", key, "--key", key, "--", "true")
    assert done.returncode == 2
    assert "another key or program uses it" in done.stderr
    assert run("--key", f"?state={tmp_path / 'key.db'}", "--", "true").returncode == 0


def test_the_command_has_standard_streams_and_exit_status() -> None:
    done = subprocess.run(
        [*TOKENKIT, "sh", "-c", "cat; echo oops >&2; exit 7"],
        input="hello",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello", "oops\n")
    assert run("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_options_after_the_command_are_its_own() -> None:
    assert run("printf", "%s", "--key", "--help").stdout == "--key--help"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on_and_nothing_stays(number: signal.Signals, tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
def end(number, frame):
    print("got", number)
    sys.exit(3)
signal.signal({number:d}, end)
print(os.environ["TOKENKIT_PRELOAD"], flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [*TOKENKIT, "--", sys.executable, "-c", program],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 3
        assert process.stdout.read() == f"got {number:d}\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_handler_a_signal_ends_both(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*TOKENKIT, "--", "sh", "-c", "echo started; exec cat"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(TIMEOUT_S) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_another_preloaded_library_stays() -> None:
    before = "/nonexistent/other.so"
    done = run("sh", "-c", 'printf "%s" "$LD_PRELOAD"', LD_PRELOAD=before)
    library, _, rest = done.stdout.partition(":")
    assert library.endswith("/hidraw.so")
    assert rest == before


def test_a_folder_that_preloading_cannot_name(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    done = run("true", TMPDIR=str(folder))
    assert done.returncode == 2
    assert "set TMPDIR to a folder without spaces" in done.stderr
    assert list(folder.iterdir()) == []


def test_a_folder_too_deep_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    done = run("true", TMPDIR=str(folder))
    assert done.returncode == 2
    assert "choose a shorter one" in done.stderr
    assert list(folder.iterdir()) == []
