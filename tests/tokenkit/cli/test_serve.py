"""``tokenkit serve`` and ``tokenkit ctl``, as programs of their own."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tokenkit import virtual
from tokenkit.cli import main
from tokenkit.service.http_server import listen, port_of

TOKENKIT = [sys.executable, "-m", "tokenkit"]
TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("TOKENKIT_ROOT_PASSWORD", "TOKENKIT_ROOT_ACCESS_KEY", "TOKENKIT_SERVICE"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def served(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A service, and what it says of itself."""
    command = [*TOKENKIT, "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield process, json.loads(line)
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


def ctl(*arguments: str) -> str:
    done = subprocess.run(
        [*TOKENKIT, "ctl", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_two_years_pass_and_a_code_is_still_right(tmp_path: Path) -> None:
    """A stock client assigns a virtual token; a program moves the clock meanwhile."""
    with served("--tokens", "1", "--clock", "simulated") as (process, said):
        environment = said["environment"]
        keys = {
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            "region_name": environment["AWS_DEFAULT_REGION"],
            "endpoint_url": said["url"],
        }
        iam, sts = (boto3.client(name, **keys) for name in ("iam", "sts"))
        iam.create_user(UserName="ann")
        code1, code2 = ctl("two-codes").split()
        [serial_number] = said["tokens"]
        iam.enable_mfa_device(
            UserName="ann",
            SerialNumber=serial_number,
            AuthenticationCode1=code1,
            AuthenticationCode2=code2,
        )
        assert serial_number in ctl("devices")
        ctl("clock", "advance", "2 years")
        code1, code2 = ctl("two-codes").split()
        iam.resync_mfa_device(
            UserName="ann",
            SerialNumber=serial_number,
            AuthenticationCode1=code1,
            AuthenticationCode2=code2,
        )
        assert sts.get_caller_identity()["Arn"].endswith(":root")
        assert '"event":"resync' in ctl("audit").replace(" ", "")
        assert stat.S_IMODE(Path(said["control"]).stat().st_mode) == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not Path(said["control"]).exists()
    assert "no service is running; start one with: tokenkit serve" in ctl("clock")
    assert "--control FILE" in ctl("clock")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    with served() as (process, said):
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0
    assert not Path(said["control"]).exists()


def test_ctrl_c_in_a_terminal_ends_the_line() -> None:
    ours, theirs = pty.openpty()
    command = [*TOKENKIT, "serve", "--port", "0"]
    shown = b""
    try:
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as process:
            while b"AWS_DEFAULT_REGION" not in shown:
                shown = shown[-100:] + os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 0
        shown += os.read(ours, 4096)
    finally:
        os.close(theirs)
        os.close(ours)
    assert b"us-east-1\r\n\r\n" in shown


def test_a_command_has_it_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    monkeypatch.setenv("TOKENKIT_ROOT_ACCESS_KEY", "AKIAROOTROOTROOTROOT:secret")
    program = (
        "import os, boto3; e = os.environ; assert 'AWS_SESSION_TOKEN' not in e;"
        "assert e['AWS_SECRET_ACCESS_KEY'] == 'secret';"
        "assert len(e['TOKENKIT_ROOT_PASSWORD']) == 16;"
        "print(boto3.client('sts').get_caller_identity()['Arn'], e['AWS_ACCESS_KEY_ID']);"
        "raise SystemExit(7)"
    )
    done = subprocess.run(
        [*TOKENKIT, "serve", "--port", "0", "--", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == "arn:aws:iam::123456789012:root AKIAROOTROOTROOTROOT\n"


def test_what_is_printed_can_be_pasted() -> None:
    command = [*TOKENKIT, "serve", "--port", "0", "--tokens", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("export AWS_DEFAULT_REGION"):
            lines.append(process.stdout.readline())
        process.terminate()
    assert lines[0].startswith("# console: http://localhost:")
    assert "# sign in as root with the password" in lines[1]
    script = "".join(lines) + "env"
    shown = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"AWS_SESSION_TOKEN": "of another", "AWS_PROFILE": "another"},
    ).stdout
    assert "AWS_ENDPOINT_URL_IAM=http://localhost:" in shown
    assert "another" not in shown


def test_a_database_stays_and_root_keeps_password_and_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("00" * 32)
    options = ("--db", f"sqlite:///{tmp_path / 'mfa.db'}", "--sealing-key-file", str(key))
    with served(*options) as (_, first):
        ctl("make-user", "ann", "--password", "long enough")
    with served(*options) as (_, second):
        assert "user/ann" in ctl("users")
        assert "a minimum length of 8" in ctl("make-user", "bob", "--password", "x")
        assert "user/bob" not in ctl("users")
        control = json.loads(Path(second["control"]).read_text())
        other = tmp_path / "other"
        for change, message in (
            ({"token": "x"}, "the token of the control file is wrong"),
            ({"url": second["url"]}, "is this a control file of tokenkit?"),
        ):
            other.write_text(json.dumps(control | change))
            assert message in ctl("--control", str(other), "clock")
    assert first["root_password"]
    assert second["root_password"] is None
    command = [*TOKENKIT, "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        line = process.stdout.readline()
        process.terminate()
    assert line == "# root has a password; TOKENKIT_ROOT_PASSWORD sets another\n"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert [first["environment"][name] for name in names] == (
        [second["environment"][name] for name in names]
    )


def test_a_control_file_of_one_that_was_killed_is_replaced(tmp_path: Path) -> None:
    """Also where its port is the new one's by now."""
    control = tmp_path / "service.control"
    with served("--control", str(control)) as (process, said):
        port = said["url"].rpartition(":")[2]
        process.kill()
        process.wait(TIMEOUT_S)
    assert control.exists()
    for options in (("--port", port), ()):
        with served("--control", str(control), *options):
            assert "running" in ctl("--control", str(control), "clock")
            assert "it is there already" in refused("--control", str(control))


def refused(*options: str) -> str:
    done = subprocess.run(
        [*TOKENKIT, "serve", "--port", "0", *options, "--", "true"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    return line


def test_several_services_are_told_apart() -> None:
    with served() as (_, first), served("--clock", "simulated"):
        assert "several services are running; say which: --control FILE" in ctl("clock")
        assert "running" in ctl("--control", first["control"], "clock")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--db", "sqlite:////nonexistent/mfa.db"], "/nonexistent/mfa.db"),
        (["--db", "sqlite:///mfa.db"], "sealing"),
        (["--db", "nonsense"], "that is no database URL"),
        (["--policy", "/nonexistent.toml"], "/nonexistent.toml"),
        (["--seeds", "/nonexistent.csv"], "/nonexistent.csv"),
        (["--sealing-key-file", "/nonexistent"], "/nonexistent"),
        (["--control", "/nonexistent/control"], "/nonexistent/control"),
        (["--start", "2026-01-01T00:00:00Z"], "--start is for --clock simulated"),
        *(
            (["--clock", "simulated", "--start", f"{day}T00:00:00Z"], "of the years 1970 to 9998")
            for day in ("1960-01-01", "9999-12-31")
        ),
        (["--db", "mysql://localhost/x"], "only SQLite and PostgreSQL"),
        (["--db", "sqlite:///mfa.db"], "--sealing-key-file FILE or TOKENKIT_SEALING_KEY; openssl"),
        (["--pskc-key-file", "/dev/null"], "/dev/null: a pre-shared key is 32, 48 or 64 hex"),
        (["--clock", "simulated", "--start", "soon"], "no ISO 8601 time"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "nonexistent" in options[1]:
        monkeypatch.setenv("TOKENKIT_SEALING_KEY", "00" * 32)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", *options, "--", "true"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with listen(0) as listener:
        port = port_of(listener)
        with pytest.raises(SystemExit) as ended:
            main(["serve", "--port", str(port), "--", "true"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"tokenkit: port {port} is in use: choose another by --port, or 0 for any that is free\n"
    )


def test_a_wrong_sealing_key_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'mfa.db'}"
    codes = []
    for key in ("00" * 32, "11" * 32):
        monkeypatch.setenv("TOKENKIT_SEALING_KEY", key)
        with pytest.raises(SystemExit) as ended:
            main(["serve", "--port", "0", "--db", url, "--", "true"])
        codes.append(ended.value.code)
    assert codes == [0, 2]
    [line] = capsys.readouterr().err.splitlines()
    assert "by --sealing-key-file FILE or TOKENKIT_SEALING_KEY" in line


def ends(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[Any, list[str]]:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", *options, "--", "true"])
    return ended.value.code, capsys.readouterr().err.splitlines()


def test_an_encrypted_seed_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bytes(range(16))
    virtual.write_pskc(virtual.World(seed=1).make_batch("SHELF", 2).tokens, tmp_path / "s", key)
    options = ("--seeds", str(tmp_path / "s"))
    status, [line] = ends(capsys, *options)
    assert status == 2
    assert "give the pre-shared key: --pskc-key-file FILE or TOKENKIT_PSKC_KEY" in line
    (tmp_path / "key").write_text(key.hex() + "\n")
    assert ends(capsys, *options, "--pskc-key-file", str(tmp_path / "key")) == (0, [])
    monkeypatch.setenv("TOKENKIT_PSKC_KEY", key.hex())
    assert ends(capsys, *options) == (0, [])
    monkeypatch.setenv("TOKENKIT_PSKC_KEY", bytes(16).hex())
    status, [line] = ends(capsys, *options)
    assert (status, "wrong pre-shared key?" in line) == (2, True)


def test_a_seed_file_under_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = virtual.World(seed=1).make_batch("SHELF", 1).tokens
    virtual.write_pskc(tokens, tmp_path / "s", password="open sesame")
    options = ("--seeds", str(tmp_path / "s"))
    status, [line] = ends(capsys, *options)
    assert status == 2
    assert "give the password: --pskc-password-file FILE or TOKENKIT_PSKC_PASSWORD" in line
    (tmp_path / "password").write_bytes(b"open sesame\r\n")
    assert ends(capsys, *options, "--pskc-password-file", str(tmp_path / "password")) == (0, [])
    monkeypatch.setenv("TOKENKIT_PSKC_PASSWORD", "open says me")
    status, [line] = ends(capsys, *options)
    assert (status, "wrong password?" in line) == (2, True)


@pytest.mark.parametrize("contents", [b"", b"\n", b"two\nlines", b"\xff"])
def test_a_password_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contents: bytes
) -> None:
    (tmp_path / "p").write_bytes(contents)
    status, [line] = ends(capsys, "--pskc-password-file", str(tmp_path / "p"))
    assert (status, "p: a password is one line of UTF-8 that is not empty" in line) == (2, True)


def test_a_seed_file_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"TOKEN00000{n},{n}0\n" for n in (1, 2, "x", 3)) + "short,00\n"
    (tmp_path / "s").write_text("serial number,secret hex\n" + rows)
    options = ("--seeds", str(tmp_path / "s"))
    status, lines = ends(capsys, *options)
    assert (status, len(lines)) == (2, 3)
    assert lines[0].endswith("/s: 2 faults, nothing was imported:")
    assert lines[1] == "  line 4, TOKEN00000x: the secret key is not hexadecimal ('X' is in it)"
    status, lines = ends(capsys, *options, "--skip-faulty")
    assert (status, len(lines)) == (0, 3)
    assert lines[0].endswith("/s: 2 faults, left out:")


def test_options_are_checked_before_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    with listen(0) as listener:
        port = str(port_of(listener))
        for option, value in (("--db", "mysql://h/x"), ("--policy", "/no"), ("--seeds", "/no")):
            _, [line] = ends(capsys, "--port", port, option, value)
            assert "in use" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKENKIT_ROOT_PASSWORD", "x"), ("TOKENKIT_ROOT_ACCESS_KEY", "x:y")],
)
def test_a_variable_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    status, [line] = ends(capsys)
    assert (status, line.startswith(f"tokenkit: {name}: ")) == (2, True)


def test_a_start_before_the_end_of_the_log_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENKIT_SEALING_KEY", "00" * 32)
    options = ("--db", f"sqlite:///{tmp_path / 'mfa.db'}", "--clock", "simulated")
    assert ends(capsys, *options, "--start", "2030-01-01T00:00:00Z") == (0, [])
    status, [line] = ends(capsys, *options, "--start", "2027-01-01T00:00:00Z")
    assert status == 0
    assert line == (
        "tokenkit: the clock starts at 2030-01-01T00:00:00.000Z, where the database's log ends,"
        " not at 2027-01-01T00:00:00.000Z"
    )


def test_a_command_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", "--", f"nothing-{os.getpid()}"])
    assert ended.value.code == 127
    assert "there is no such command" in capsys.readouterr().err


def test_the_rest_of_ctl() -> None:
    with served("--tokens", "1", "--clock", "simulated", "--start", "2026-01-01T00:00:00Z"):
        assert ctl("clock").endswith("2026-01-01T00:00:00.000Z standing\n")
        assert ctl("clock", "set", "2026-06-01T00:00:00Z").startswith("2026-06-01")
        assert ctl("move", "5 °C").endswith("lies at 5 °C\n")
        assert "did you mean warehouse" in ctl("move", "warehose")
        assert len(ctl("press").strip()) == 6
        assert ctl("move", "-5 °C").endswith("lies at -5 °C\n")
        ctl("move", "5 °C")
        until = "2026-06-01T01:00:00"
        assert f"is without power until {until}.000Z; then" in ctl("battery", "--outage", "1 h")
        dark = ctl("press")
        assert dark.startswith("tokenkit: the display of TKTEST00000001 stays dark: it has no")
        assert f"until {until}Z" in dark
        assert f"none until {until}" in ctl("tokens")
        assert ctl("make-tokens", "2", "--prefix", "DRAWER").split() == (
            ["DRAWER00000001", "DRAWER00000002"]
        )
        assert "DRAWER00000002" in ctl("tokens")
        assert json.loads(ctl("tokens", "--json"))[0]["place"] == "5 °C"
        assert "root has no MFA device" in ctl("findings")
        assert ctl("devices") == "none\n"
        assert "was not locked; wrong codes forgotten: 0" in ctl("unlock", "DRAWER00000001")
        assert "does not exist" in ctl("unlock", "DRAWER00000009")


def test_an_authenticator_app_of_iam(tmp_path: Path) -> None:
    """Its codes by the service's clock, from whatever IAM hands out."""
    with served("--clock", "simulated", "--start", "2030-01-01T00:00:00Z") as (process, said):
        keys = said["environment"]
        iam = boto3.client(
            "iam",
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            region_name=keys["AWS_DEFAULT_REGION"],
            endpoint_url=said["url"],
        )
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
        device = {"UserName": "root", "SerialNumber": made["SerialNumber"]}
        wrong = {"AuthenticationCode1": "000000", "AuthenticationCode2": "111111"}
        with pytest.raises(iam.exceptions.InvalidAuthenticationCodeException):
            iam.enable_mfa_device(**device, **wrong)
        ctl("clock", "advance", "1 min")
        (tmp_path / "qr.png").write_bytes(made["QRCodePNG"])
        (tmp_path / "seed").write_bytes(made["Base32StringSeed"])
        code1, code2 = ctl("app", "--two", str(tmp_path / "qr.png")).split()
        iam.enable_mfa_device(**device, AuthenticationCode1=code1, AuthenticationCode2=code2)
        seed = made["Base32StringSeed"].decode()
        assert ctl("app", seed) == ctl("app", str(tmp_path / "seed")) == f"{code2}\n"
        assert "it is no seed of an app" in ctl("app", "no seed!")
        assert "it is no picture" in ctl("app", sys.executable)
        assert "2030-01-01T00:01:45" in ctl("clock"), "an advance and half a step"
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)
        assert process.stderr is not None
        [line] = process.stderr.read().splitlines()
    assert line.startswith("tokenkit: iam:EnableMFADevice by arn:aws:iam::123456789012:root is ")
    assert "InvalidAuthenticationCode" in line


@pytest.mark.parametrize("verbose", [True, False])
def test_refusals_while_a_command_runs_are_told_if_asked_for(verbose: bool) -> None:
    options = ["--verbose"] if verbose else []
    program = "import boto3; boto3.client('iam').get_user(UserName='nobody')"
    done = subprocess.run(
        [*TOKENKIT, "serve", "--port", "0", *options, "--", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 1
    assert ("tokenkit: iam:GetUser by arn:" in done.stderr) == verbose


def test_an_advance_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENKIT_SEALING_KEY", "00" * 32)
    options = ("--db", f"sqlite:///{tmp_path / 'mfa.db'}", "--clock", "simulated")
    with served(*options):
        moved = ctl("clock", "advance", "1 year")
    with served(*options):
        assert ctl("clock") == moved


@pytest.mark.parametrize("group", ["ctl", "db", "audit"])
def test_what_help_says_of_a_command_ends(capsys: pytest.CaptureFixture[str], group: str) -> None:
    with pytest.raises(SystemExit):
        main([group, "--help"])
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_a_backup_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["db", "backup", "--db", "sqlite:///mfa.db", "-"])
    assert ended.value.code == 2
    assert "a backup is a file of its own" in capsys.readouterr().err
