"""``tokenkit vm``, with a QEMU that plays the guest without booting one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def host(fake_host):
    return fake_host


def tokenkit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tokenkit", "vm", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(Path("../temporary").resolve())},
    )


def test_the_commands_output_and_status_are_its_own():
    done = tokenkit("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_options_after_the_command_are_the_commands():
    show = "import json, sys; print(json.dumps(sys.argv[1:]))"
    done = tokenkit("run", sys.executable, "-c", show, "--key", "-h", "--", "")
    assert json.loads(done.stdout) == ["--key", "-h", "--", ""]


def test_more_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("HERE", "a=b c")
    done = tokenkit("run", "--env", "HERE", "--env", "NOT_HERE", "--env", "GIVEN=x=y", "env")
    assert {"HERE=a=b c", "GIVEN=x=y"} <= set(done.stdout.splitlines())
    assert "NOT_HERE" not in done.stdout


def test_what_is_brought_lies_in_the_named_folder():
    done = tokenkit("run", "--bring", "made", "--out", "out", "touch", "made")
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir("out") == ["made"]


@pytest.mark.parametrize(("status", "ends"), [("0", 2), ("5", 5)])
def test_what_cannot_be_brought_is_said_and_hides_no_failure(status, ends):
    done = tokenkit("run", "--bring", "no", "--bring", "nay", "sh", "-c", f"exit {status}")
    assert done.returncode == ends
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        " no could not be brought",
        " nay could not be brought",
    ]


def test_too_long_is_124_and_says_so(monkeypatch):
    monkeypatch.setenv("FAKE", "hangs")
    done = tokenkit("run", "--timeout", "0.5", "true")
    assert done.returncode == 124
    assert done.stderr == (
        "tokenkit: the guest's start took longer than 0.5 seconds, and was ended: "
        "--timeout allows more\n"
    )


@pytest.mark.parametrize("arguments", [["run"], ["run", "--timeout", "0", "true"], ["no"]])
def test_wrong_usage_is_2(arguments):
    assert tokenkit(*arguments).returncode == 2


def test_a_guest_that_cannot_start_is_one_error_and_2(monkeypatch):
    monkeypatch.setenv("FAKE", "trouble")
    done = tokenkit("run", "true")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tokenkit: the guest cannot mount\n"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_leaves_no_process_and_no_file(monkeypatch, tmp_path, number, status):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    running = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", "vm", "run", "sh", "-c", "echo $PPID; exec sleep 1000"],
        stdout=subprocess.PIPE,
    )
    with running:
        assert running.stdout is not None
        qemu = int(running.stdout.readline())
        running.send_signal(number)
        assert running.wait(60) == status
    assert not Path(f"/proc/{qemu}").exists()
    assert os.listdir(tmp_path / "temporary") == []


def test_who_reads_no_more_ends_the_guest():
    running = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", "vm", "run", "yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"y\n"
        running.stdout.close()
        assert running.wait(60) == 141


def test_sigterm_while_it_unpacks_leaves_nothing(fakes, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    os.mkfifo(tmp_path / "unpacks")
    name = "linux-image-6.1.0-56-amd64"
    fakes("apt-cache", f"#!/bin/sh\necho {name}\n")
    fakes("apt-get", "#!/bin/sh\ntouch a.deb\n")
    # as dpkg's tar does, it has a child that writes on
    child = 'n=0; while :; do n=$((n+1)); mkdir -p "$1/$n"; done'
    fakes(
        "dpkg",
        f"#!/bin/sh\nsh -c '{child}' sh \"$3\" &\necho begun >{tmp_path}/unpacks\nwait\n",
    )
    fakes("depmod", "#!/bin/sh\n")
    with subprocess.Popen([sys.executable, "-m", "tokenkit", "vm", "prepare"]) as running:
        assert (tmp_path / "unpacks").read_text() == "begun\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 128 + signal.SIGTERM
    assert os.listdir(tmp_path / "other/tokenkit/vm") == ["lock"]


def test_prepare_says_what_it_fetches_and_where_it_is(fakes):
    fakes("apt-cache", "#!/bin/sh\n")
    done = tokenkit("prepare")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("6.1.0 in ")


def test_prepare_without_apts_lists_says_what_to_do(fakes, monkeypatch, tmp_path):
    fakes("apt-cache", "#!/bin/sh\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    done = tokenkit("prepare")
    assert done.returncode == 2
    assert "apt-get update" in done.stderr
    assert done.stderr.count("\n") == 1
