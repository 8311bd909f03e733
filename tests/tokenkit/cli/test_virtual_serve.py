"""``tokenkit keys virtual serve`` and ``ctl``, as programs of their own."""

import json
import os
import pty
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

from tokenkit.cli import main, root
from tokenkit.keys.trace.reports import read_trace
from tokenkit.virtual import PORTS, inspect_state

TOKENKIT = [sys.executable, "-m", "tokenkit", "keys", "virtual"]
TIMEOUT_S = 60


class Socket(CtapHidConnection):
    """python-fido2's connection over a stream of raw reports."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(path.removeprefix("unix:"))

    def write_packet(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_packet(self) -> bytes:
        data = self._socket.recv(64, socket.MSG_WAITALL)
        if not data:
            raise OSError("the key is gone")
        return data

    def close(self) -> None:
        self._socket.close()


def connect(where: str) -> CtapHidDevice:
    return CtapHidDevice(HidDescriptor(where, 1, 1, 64, 64, None, None), Socket(where))


@contextmanager
def served(
    folder: Path, *options: str, largest_file: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A program that serves one key, and what it said of it."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    control = str(folder / "control")
    command = [*TOKENKIT, "serve", "--port", f"unix:{folder / 'key'}", "--json", *options]
    with subprocess.Popen(
        [*command, "--control", control],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


def ctl(folder: Path, *arguments: str) -> str:
    command = ["keys", "virtual", "ctl", "--control", str(folder / "control"), *arguments]
    done = CliRunner().invoke(root, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_serves_until_it_is_told_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    with served(tmp_path, "--key", "yubikey-5.4?seed=1") as (process, key):
        assert (key["profile"], key["where"]) == ("yubikey-5.4", f"unix:{tmp_path / 'key'}")
        with connect(key["where"]) as device:
            assert Ctap2(device).info.versions == ["U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE"]
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_a_file_lives_on(tmp_path: Path) -> None:
    state = tmp_path / "my.key"
    with served(tmp_path, "--state", str(state)) as (_, key):
        serial = key["serial_number"]
    with served(tmp_path, "--profile", f"?state={state}") as (_, key):
        assert key["serial_number"] == serial
    assert inspect_state(state).identity.serial_number == serial


def fill(ctap: Ctap2) -> None:
    """Store credentials for as long as there is room."""
    user, parameters = {"id": b"user", "name": "user"}, [{"type": "public-key", "alg": -7}]
    for number in range(100):
        rp = {"id": f"{number}.example.com", "name": "x" * 60}
        ctap.make_credential(bytes(32), rp, user, parameters, options={"rk": True})


def test_a_disk_that_fills_up_is_a_log_line_and_the_key_serves_on(tmp_path: Path) -> None:
    state = tmp_path / "my.key"
    with served(tmp_path, "--state", str(state)):
        pass
    before = state.read_bytes()
    with (
        served(tmp_path, "--state", str(state), largest_file=len(before)) as (process, key),
        connect(key["where"]) as device,
    ):
        with pytest.raises(CtapError, match="OTHER"):
            fill(Ctap2(device))
        assert device.ping(b"still there") == b"still there"
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read()
    assert f"{state}: " in said
    assert "Traceback" not in said
    assert inspect_state(state).identity.serial_number == key["serial_number"]


def test_ctl(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "drop"\ncommand = "WINK"\n')
    with served(tmp_path, "--touch", "ask") as (_, key):
        serial = key["serial_number"]
        listed = json.loads(ctl(tmp_path, "list", "--json"))
        assert listed == [key]
        assert "reference" in ctl(tmp_path, "list")
        assert ctl(tmp_path, "power", "off") == f"{serial} has no power\n"
        assert ctl(tmp_path, "power", "on") == f"{serial} has power\n"
        assert ctl(tmp_path, "unplug", "--serial", serial) == f"{serial} is unplugged\n"
        assert not (tmp_path / "key").exists()
        assert ctl(tmp_path, "plug") == f"{serial} is at {key['where']}\n"
        assert "as it is now" in ctl(tmp_path, "snapshot", str(tmp_path / "copy.key"))
        assert "things go wrong as" in ctl(tmp_path, "faults", str(plan))
        assert "nothing goes wrong" in ctl(tmp_path, "faults", "--clear")
        assert ctl(tmp_path, "touch", "at-once") == f"{serial} is touched by itself\n"
        with connect(key["where"]) as device:
            Ctap2(device).selection()
        assert json.loads(ctl(tmp_path, "metrics"))[serial]["touches_asked"] == 1
    assert inspect_state(tmp_path / "copy.key").identity.serial_number == serial


@pytest.mark.parametrize(("action", "done"), [("tap", "touched"), ("hold", "held")])
def test_a_touch_that_was_asked_for(tmp_path: Path, action: str, done: str) -> None:
    with served(tmp_path, "--touch", "ask") as (_, key), connect(key["where"]) as device:
        said = []

        def press(status: int) -> None:
            if not said:
                said.append(ctl(tmp_path, "touch", action, "--seconds", "1"))

        Ctap2(device).selection(on_keepalive=press)
        assert said == [f"{done} {key['serial_number']} to select this key\n"]


def test_orders_that_cannot_be_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path, "--touch", "ask"):
        for arguments, message in {
            ("touch",): "waits for no touch",
            ("touch", "--placement", "askew"): "placement is one of good",
            ("unplug", "--serial", "7"): "no key with serial number 7",
            ("snapshot", "/nonexistent/copy.key"): "No such file",
        }.items():
            with pytest.raises(SystemExit) as ended:
                main(["keys", "virtual", "ctl", "--control", str(tmp_path / "control"), *arguments])
            assert ended.value.code == 2
            [line] = capsys.readouterr().err.splitlines()
            assert message in line


def test_ctl_finds_the_only_program_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("TOKENKIT_CONTROL", raising=False)
    folder = tmp_path / "tokenkit"

    def ask() -> str:
        with pytest.raises(SystemExit):
            main(["keys", "virtual", "ctl", "list"])
        return "".join(capsys.readouterr())

    assert "no keys are served; start with" in ask()
    gone = folder / "4194304.control"  # a process id that Linux gives to none
    gone.write_text("{}")
    assert "no keys are served" in ask()
    assert not gone.exists()
    (folder / f"{os.getpid()}.control").write_text("{}")
    assert "it is no control file" in ask()
    (folder / f"{os.getppid()}.control").write_text("{}")
    assert "several programs serve keys; say which" in ask()
    folder.chmod(0o755)
    assert "it is not yours alone" in ask()


def test_a_command_finds_key_and_control_and_its_status_is_returned(tmp_path: Path) -> None:
    program = f"""
import json, os, socket
said = json.load(open(os.environ["TOKENKIT_CONTROL"]))
assert said["url"].startswith("http://127.0.0.1:")
socket.socket(socket.AF_UNIX).connect({str(tmp_path / "key")!r})
print("hello")
raise SystemExit(7)
"""
    port = f"unix:{tmp_path / 'key'}"
    command = [*TOKENKIT, "serve", "--port", port, sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "")


def test_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "session.pcapng"
    with served(tmp_path, "--trace", str(trace)) as (_, key):
        connect(key["where"]).close()
        ctl(tmp_path, "unplug")
    assert len(read_trace(trace).reports) >= 2


def test_two_signals_at_once_leave_nothing_either(tmp_path: Path) -> None:
    with served(tmp_path) as (process, _):
        process.terminate()
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
    assert list(tmp_path.iterdir()) == []


def test_an_address_of_ipv6_is_shown_as_it_is_written(tmp_path: Path) -> None:
    with served(tmp_path, "--port", "tcp:[::1]:0") as (_, key):
        assert key["where"].startswith("tcp:[::1]:")


def test_a_person_at_a_terminal(tmp_path: Path) -> None:
    command = [*TOKENKIT, "serve", "--port", f"unix:{tmp_path / 'key'}"]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["XDG_RUNTIME_DIR"] = str(tmp_path)
        os.execv(command[0], command)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            assert select.select([terminal], [], [], TIMEOUT_S)[0], shown
            shown += os.read(terminal, 1024).decode()

    until("ready unix:")
    results = []
    with connect(f"unix:{tmp_path / 'key'}") as device:
        for answer in (b"what?\n\n", b"n\n"):
            shown = ""
            answered = []

            def press(status: int, answer: bytes = answer, answered: list[int] = answered) -> None:
                if not answered:
                    until("touch to select this key [Enter to touch, n to refuse]")
                    os.write(terminal, answer)
                    answered.append(status)

            try:
                Ctap2(device).selection(on_keepalive=press)
                results.append("touched")
            except CtapError as error:
                results.append(str(error))
    assert results[0] == "touched"
    assert "OPERATION_DENIED" in results[1]
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "uhidd"], "did you mean uhid?"),
        (["--port", "tcp"], "write tcp:[HOST:]PORT"),
        (["--port", "tcp:none"], "write unix:PATH, tcp:PORT or tcp:HOST:PORT"),
        (["--port", "uhid:3"], "nothing may follow uhid"),
        (["--port", "usbip:70000"], "'70000' is no port number: write [HOST:]PORT"),
        (["--port", "usbip:localhost"], "'localhost' is no port number"),
        (["--port", "usbip::99"], "there is no host before the colon"),
        (["--port", "usbip:::1"], "an IPv6 address is written in brackets"),
        (["--port", "usbip:a..b:90"], "it is no name of a host"),
        (["--port", "tcp:a..b:90"], "it is no name of a host"),
        (["--port", "vpcd:x"], "'x' is no port number"),
        (["--key", "yubikey-9"], "no profile 'yubikey-9'"),
        (["--key", "titan", "--key", "opensk", "--state", "f"], "--state is for one key"),
        (["--trace", "/nonexistent/t.pcapng"], "/nonexistent/t.pcapng"),
        (["--control", "/nonexistent/control"], "/nonexistent/control"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    port = [] if "--port" in arguments else ["--port", f"unix:{tmp_path / 'key'}"]
    with pytest.raises(SystemExit) as ended:
        main(["keys", "virtual", "serve", *port, *arguments, "--", "true"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_help_names_each_port() -> None:
    shown = CliRunner().invoke(root, ["keys", "virtual", "serve", "--help"]).output
    for name in PORTS:
        assert f"\n    {name}" in shown
