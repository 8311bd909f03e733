"""What ``tokenkit preload`` says when it cannot, and how it ends."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tokenkit.cli import main

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="no C compiler: apt-get install gcc libc6-dev",
)
TOKENKIT = [sys.executable, "-m", "tokenkit", "preload"]
TIMEOUT_S = 60


@dataclass
class Done:
    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """In this process; what the command prints goes past Python, hence by file descriptor."""

    def run(*args: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(tempfile, "tempdir", None)  # TMPDIR is read once
        with pytest.raises(SystemExit) as caught:
            main(["preload", *args])
        out, err = capfd.readouterr()
        return Done(int(caught.value.code or 0), out, err)

    return run


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing argument"),
        (["--"], "Missing argument"),
        (["--key", "yubikey-5.9", "--", "true"], "yubikey-5.9"),
        (["--key", "reference?pin=1", "--", "true"], "only ?seed=VALUE, state=FILE"),
        (["--key", "?state=/nonexistent/key.db", "--", "true"], "it is not there yet"),
        (["--kye", "reference", "--", "true"], "No such option"),
        (["--touch", "soon", "--", "true"], "is not one of 'at-once', 'ask'"),
    ],
)
def test_what_is_wrong_is_one_line(args: list[str], message: str, run: Run) -> None:
    done = run(*args)
    assert done.status == 2
    assert message in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [("/nonexistent/command", 127, "no such command"), ("/etc/passwd", 126, "Permission denied")],
)
def test_what_cannot_be_run_counts_as_shells_count(
    command: str, status: int, message: str, run: Run
) -> None:
    done = run("--", command)
    assert done.status == status
    assert message in done.err.splitlines()[-1]


def test_a_state_file_serves_one_key_at_a_time(tmp_path: Path, run: Run) -> None:
    key = f"reference?state={tmp_path / 'key.db'}"
    assert run("--key", key, "--", "true").status == 0
    done = run("--key", key, "--key", key, "--", "true")
    assert done.status == 2
    assert "another key or program uses it" in done.err
    assert run("--key", f"?state={tmp_path / 'key.db'}", "--", "true").status == 0


def test_the_command_has_standard_streams_and_exit_status() -> None:
    done = subprocess.run(
        [*TOKENKIT, "sh", "-c", "cat; echo oops >&2; exit 7"],
        input="hello",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello", "oops\n")


def test_a_command_ended_by_a_signal_counts_as_shells_count(run: Run) -> None:
    assert run("sh", "-c", "kill -KILL $$").status == 128 + signal.SIGKILL


def test_touches_come_when_they_are_told(run: Run, tmp_path: Path) -> None:
    """Nobody is asked to touch here, so the client loses its patience."""
    program = """
import sys
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
[device] = [each for each in CtapHidDevice.list_devices() if each.product_name != ""]
seen = []
class Patience:
    def is_set(self):
        return bool(seen)
    def wait(self, timeout):
        return self.is_set()
try:
    Ctap2(device).selection(event=Patience(), on_keepalive=seen.append)
    print("touched")
except CtapError as error:
    print(error.code.name)
"""

    def touched(*options: str) -> str:
        return run(*options, "--", sys.executable, "-c", program).out

    assert touched("--touch", "ask") == "KEEPALIVE_CANCEL\n"
    assert touched() == "touched\n"


def test_options_after_the_command_are_its_own(run: Run) -> None:
    assert run("printf", "%s", "--key", "--help").out == "--key--help"


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
        env=os.environ | {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": "/run"},
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


def test_ctrl_c_reaches_the_command_once_and_it_decides() -> None:
    program = """
import signal
count = 0
def interrupted(number, frame):
    global count
    count += 1
    print("got", flush=True)
signal.signal(signal.SIGINT, interrupted)
print("started", flush=True)
input()
print("count", count)
"""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(TOKENKIT[0], [*TOKENKIT, "--", sys.executable, "-c", program])
    seen = ""
    with suppress(OSError), os.fdopen(terminal, "rb+", buffering=0) as typed:
        for awaited, keys in (("started", b"\x03"), ("got", b"\n"), ("no more", b"")):
            while awaited not in seen:
                seen += typed.read(1024).decode()
            typed.write(keys)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "count 1" in seen


def test_without_a_handler_a_signal_ends_both(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*TOKENKIT, "--", "sh", "-c", "echo started; exec cat"],
        env=os.environ | {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": "/run"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(TIMEOUT_S) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_another_preloaded_library_stays(run: Run) -> None:
    before = "/nonexistent/other.so"
    done = run("sh", "-c", 'printf "%s" "$LD_PRELOAD"', LD_PRELOAD=before)
    library, _, rest = done.out.partition(":")
    assert library.endswith("/hidraw.so")
    assert rest == before


def test_a_folder_that_preloading_cannot_name(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    done = run("true", TMPDIR=str(folder))
    assert done.status == 2
    assert "set TMPDIR to a folder without spaces" in done.err
    assert list(folder.iterdir()) == []


def test_a_folder_too_deep_for_a_socket(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    done = run("true", TMPDIR=str(folder))
    assert done.status == 2
    assert "choose a shorter one" in done.err
    assert list(folder.iterdir()) == []
