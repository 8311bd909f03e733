"""Programs of the host, in the shape that tests want them to have."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# plays a guest that FAKE describes, and really runs the job's scripts
QEMU = """
import os, re, socket, subprocess, sys, time

line = " ".join(sys.argv)
mode = os.environ["FAKE"]
if mode == "kvm dies" and "-accel kvm" in line or mode == "dies":
    sys.exit("qemu: no such machine")
channels = {
    name: socket.socket(fileno=int(number))
    for name, number in re.findall(r"id=(\\w+),fd=(\\d+)", line)
}
control = channels["control"]
if mode in ("hangs", "kvm hangs") and ("-accel kvm" in line or mode == "hangs"):
    time.sleep(1000)
control.sendall(b"ali")
control.sendall(b"ve\\n")
if mode == "trouble":
    control.sendall(b"trouble the guest cannot mount\\n")
    time.sleep(1000)
if mode == "panics":
    console = re.search(r"-serial file:(\\S+)", line)[1]
    with open(console, "w") as file:
        file.write("\\n[ 1.0] Kernel panic - not syncing\\n" + "[ 1.1] trace\\n" * 30)
    sys.exit()
control.sendall(b"running\\n")
job = re.search(r"path=([^,]+),mount_tag=job", line)[1]
if mode == "takes long":
    channels["stdout"].sendall(b"so far")
    time.sleep(1000)
done = subprocess.run(
    ["env", "-i", "sh", f"{job}/command"],
    stdout=channels["stdout"],
    stderr=channels["stderr"],
    stdin=subprocess.DEVNULL,
)
script = open(f"{job}/bring").read().replace("/run/tokenkit/job", job)
subprocess.run(["env", "-i", "sh", "-c", script])
control.sendall(b"what is this?\\xff\\nstatus %d\\n" % done.returncode)
time.sleep(1000)
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a program before all others on the path."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, source: str) -> Path:
        program = folder / name
        program.write_text(source)
        program.chmod(0o755)
        return program

    return put


@pytest.fixture
def fake_host(
    fakes: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A host with all tools, none of them real, and a kernel in the cache."""
    fakes("qemu-system-x86_64", f"#!{sys.executable}\n{QEMU}")
    fakes("setpriv", '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n')
    fakes("modprobe", "#!/bin/sh\necho builtin\n")
    fakes("busybox", "#!/bin/sh\ncat\n")
    fakes("udevadm", "#!/bin/sh\n")
    monkeypatch.setattr("tokenkit.vm.accelerator.DEVICE", str(tmp_path / "no-kvm"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("FAKE", "obeys")
    cache = tmp_path / "xdg/tokenkit/vm"
    (cache / "current/lib/modules/6.1.0").mkdir(parents=True)
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(work)
    return work
