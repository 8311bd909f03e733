"""Commands in a real QEMU guest: few boots, for each takes seconds."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.keys import open_key
from tokenkit.vm import cache_folder, fetch_kernel, find_kernel, run_in_guest
from tokenkit.vm.tools import TO_PREPARE, TO_RUN, find_tools

ODD = ["", "a b", "it's", '"', "$HOME", "`id`", "a\nb", "ü", "\\", "*", "-x", "\udcff"]

SERVED = ["LC_CTYPE", "OLDPWD", "PWD", "TOKENKIT_CONTROL"]

# runs in the guest
LOOK = """
import json, os, socket, subprocess, sys
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice

def run(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout

nodes = ["/dev/hidraw0", "/dev/hidraw1"]
properties = [run("udevadm", "info", "--query=property", node).splitlines() for node in nodes]
keys = {each.descriptor.path: Ctap2(each).info for each in CtapHidDevice.list_devices()}
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
open("/written-in-the-guest", "w").close()
with open(sys.argv[1], "a") as file:
    file.write(" and the guest")
subprocess.Popen(["sleep", "1000"])  # left running
os.makedirs("results/deep")
with open("results/deep/file", "w") as file:
    file.write("brought")
with open("/dev/stderr", "w") as again:
    again.write("by another way\\n")
print(json.dumps({
    "uid": os.getuid(),
    "cwd": os.getcwd(),
    "odd": sys.argv[2:],
    "stdin": sys.stdin.read(),
    "environment": dict(os.environ),
    "uhid": os.path.exists("/dev/uhid"),
    "nodes": sorted(os.listdir("/dev")),
    "properties": properties,
    "versions": {path: info.versions for path, info in keys.items()},
    "modules": run("sh", "-c", "modprobe vhci-hcd && ls -d /sys/devices/platform/vhci_hcd.0"),
    "written": open(sys.argv[1]).read(),
    "kernel": os.uname().release,
}))
"""


@pytest.fixture(scope="module", autouse=True)
def cache() -> Path:
    """With a kernel in it: the user's own, for to fetch one takes a while."""
    cache = cache_folder()
    try:
        find_tools({*TO_PREPARE, *TO_RUN})
        fetch_kernel(cache)
    except TokenkitError as error:
        pytest.skip(str(error))
    return cache


def test_a_guest_is_a_machine_with_the_hosts_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("look.py").write_text(LOOK)
    shared = tmp_path / "shared"
    shared.write_text("the host")
    done = run_in_guest(
        [sys.executable, "look.py", str(shared), *ODD],
        keys=["yubikey-5.4?seed=1", "reference?state=my.key"],
        env={"TOKENKIT_ODD": "a 'b' $c\nd", "HOME": "/elsewhere"},
        bring=["results", "shared", "my.key", "no-such-file"],
        out=tmp_path / "out",
    )
    assert (done.returncode, done.stderr) == (0, b"by another way\n")
    seen = json.loads(done.stdout)
    assert seen["uid"] == 0
    assert seen["cwd"] == str(tmp_path)
    assert seen["odd"] == ODD
    assert seen["stdin"] == ""
    assert seen["environment"]["TOKENKIT_ODD"] == "a 'b' $c\nd"
    assert seen["environment"]["HOME"] == "/elsewhere"
    assert set(seen["environment"]) <= {"TOKENKIT_ODD", "HOME", "PATH", "LANG", *SERVED}
    assert {"uhid", "fd", "ptmx"} <= set(seen["nodes"])
    for properties in seen["properties"]:
        assert {"ID_FIDO_TOKEN=1", "ID_SECURITY_TOKEN=1"} <= set(properties)
    assert set(seen["versions"]) == {"/dev/hidraw0", "/dev/hidraw1"}
    assert "FIDO_2_1" in seen["versions"]["/dev/hidraw1"]
    assert seen["modules"] == "/sys/devices/platform/vhci_hcd.0\n"
    assert seen["kernel"] == find_kernel(cache_folder()).version
    # what it wrote, it saw, and the host only what came back
    assert seen["written"] == "the host and the guest"
    assert not Path("/written-in-the-guest").exists()
    assert shared.read_text() == "the host"
    assert (tmp_path / "out/shared").read_text() == "the host and the guest"
    assert (tmp_path / "out/results/deep/file").read_text() == "brought"
    assert list(done.missing) == ["no-such-file"]
    assert "No such file" in done.missing["no-such-file"]
    assert sorted(os.listdir(tmp_path / "out")) == ["my.key", "results", "shared"]
    with open_key(f"virtual:?state={tmp_path / 'out/my.key'}") as key:
        assert key.serial_number


@pytest.fixture
def ordinary_user(cache) -> Iterator[dict[str, Any]]:
    """How subprocess runs a program as a user who is not root, and who has fetched a kernel."""
    python, user = sys.executable, None
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        (home / ".cache/tokenkit").mkdir(parents=True)
        shutil.copytree(
            cache, home / ".cache/tokenkit/vm", symlinks=True, copy_function=link_or_copy
        )
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            for path in (home, *home.rglob("*")):
                if path.is_dir():
                    os.chown(path, user.pw_uid, user.pw_gid)
            # where Python is in root's home, the distribution's own has to do
            pythons = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
            runs = (each for each in pythons if runnable(each, user))
            if (found := next(runs, None)) is None:
                pytest.skip(f"{user.pw_name} cannot run {sys.executable}: apt-get install python3")
            python = found
        yield {
            "executable": python,
            "cwd": home,
            "env": {
                "HOME": str(home),
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            **as_user(user),
        }


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def runnable(python: str, user: pwd.struct_passwd) -> bool:
    try:
        return subprocess.run([python, "-c", "pass"], **as_user(user)).returncode == 0
    except OSError:
        return False


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def test_an_ordinary_user_needs_no_root(ordinary_user):
    script = "cat /etc/shadow; id -u; touch made /root/mine; echo x >&2; exit 3"
    done = subprocess.run(
        ["python", "-m", "tokenkit", "vm", "run", "--bring", "made", "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=600,
        **ordinary_user,
    )
    assert done.stdout == "0\n"
    assert done.stderr.splitlines() == ["cat: /etc/shadow: Permission denied", "x"]
    assert done.returncode == 3
    assert sorted(os.listdir(ordinary_user["cwd"])) == [".cache", "made"]


def test_output_comes_as_it_is_written_and_sigterm_leaves_nothing(tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", "vm", "run", "sh", "-c", "echo up; exec sleep 1000"],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        assert list(tmp_path.iterdir())
        [qemu] = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert b"qemu" in Path(f"/proc/{qemu}/cmdline").read_bytes()
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{qemu}").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_takes_too_long_is_ended(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tokenkit", "vm", "run", "--timeout", "2", "sleep", "1000"],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 124
    assert "took longer than 2 seconds" in done.stderr
    assert list(tmp_path.iterdir()) == []
