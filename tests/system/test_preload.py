"""Real programs with virtual keys by ``tokenkit preload``, on this computer's own kernel."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .modules import load

TIMEOUT_S = 300
CLIENTS = Path(__file__).with_name("clients.py")
TOKENKIT = [sys.executable, "-m", "tokenkit", "preload"]


clients = load("clients")
_MISSING = clients.missing_packages() + ([] if shutil.which("cc") else ["gcc", "libc6-dev"])
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="hidraw is Linux's"),
    pytest.mark.skipif(bool(_MISSING), reason=f"apt-get install {' '.join(_MISSING)}"),
]


def preload(*args: str, keys: tuple[str, ...] = ("reference",)) -> str:
    """The output of a command that succeeds."""
    options = [part for key in keys for part in ("--key", key)]
    done = subprocess.run(
        [*TOKENKIT, *options, "--", *args],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(program: str, *args: str, keys: tuple[str, ...] = ("reference",)) -> str:
    return preload(sys.executable, "-c", program, *args, keys=keys)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str | None]]:
    """What every check of clients.py found, by profile; run when first asked for."""
    found: dict[str, dict[str, str | None]] = {}

    def of(profile: str) -> dict[str, str | None]:
        if profile not in found:
            out = tmp_path_factory.mktemp("clients") / "results.json"
            command = [*TOKENKIT, "--key", profile, "--", sys.executable, str(CLIENTS)]
            subprocess.run([*command, "--out", str(out)], timeout=TIMEOUT_S, check=False)
            found[profile] = json.loads(out.read_text())
        return found[profile]

    return of


# libfido2 1.12 manages credentials by the preview command alone, which this profile has not
NO_PREVIEW = {"managed", "ssh_resident"}


CASES = [
    (profile, name)
    for profile, without in {"yubikey-5.7": set[str](), "reference": NO_PREVIEW}.items()
    for name in clients.NAMES
    if name not in without
]


@pytest.mark.parametrize(("profile", "name"), CASES)
def test_client(profile: str, name: str, results: Callable[[str], dict[str, str | None]]) -> None:
    assert results(profile)[name] is None


def test_several_keys_and_what_each_says_of_itself() -> None:
    listed = preload("fido2-token", "-L", keys=("yubikey-5.7", "solokey-1", "u2f-only"))
    found = sorted(line.split(" (")[0] for line in listed.splitlines())
    assert [line.partition(": ")[2] for line in found] == [
        "vendor=0x1050, product=0x0407",
        "vendor=0x0483, product=0xa2ca",
        "vendor=0x1050, product=0x0120",
    ]


def test_the_toolkits_own_driver_layer_finds_it() -> None:
    listed = json.loads(preload(sys.executable, "-m", "tokenkit", "keys", "list", "--json"))
    [key] = [each for each in listed if each["selector"].startswith("hid:")]
    assert key["problem"] is None
    assert (key["vendor_id"], key["product_id"]) == (0x1209, 0x0001)
    assert "FIDO_2_1" in key["versions"]


def test_a_key_in_a_file_is_the_same_key_the_next_time(tmp_path: Path) -> None:
    key, private = (f"reference?state={tmp_path / 'key.db'}",), tmp_path / "id"
    preload("ssh-keygen", "-q", "-t", "ed25519-sk", "-f", str(private), "-N", "", keys=key)
    message = tmp_path / "message"
    message.write_text("hello")
    sign = ("ssh-keygen", "-Y", "sign", "-f", str(private), "-n", "file", str(message))
    preload(*sign, keys=key)
    assert (tmp_path / "message.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    failed = subprocess.run(
        [*TOKENKIT, "--", *sign], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S
    )
    assert failed.returncode != 0


def test_udev_knows_the_node() -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is not installed: apt-get install udev")
    said = preload("udevadm", "info", "--query=property", "--name=/dev/hidraw0")
    for line in ("DEVNAME=/dev/hidraw0", "SUBSYSTEM=hidraw", "ID_FIDO_TOKEN=1"):
        assert line in said.splitlines()
    assert ":security-device:" in said


HIDRAW = """
import fcntl, glob, os, select, struct, sys
def init(nonce):
    return b"\\0" + b"\\xff" * 4 + b"\\x86\\0\\x08" + nonce + bytes(49)
[path] = [each for each in glob.glob("/dev/hidraw*") if each == "/dev/hidraw0"]
"""


def test_each_open_file_gets_every_report_and_reads_one_at_a_time() -> None:
    out = python(
        HIDRAW
        + """
one, other = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR | os.O_NONBLOCK)
assert os.write(one, init(b"12345678")) == 65
for fd in (one, other):
    assert select.select([fd], [], [], 10)[0] == [fd]
select.poll()
reports = [os.read(fd, 4096) for fd in (one, other)]
assert reports[0] == reports[1] and len(reports[0]) == 64
assert os.write(one, init(b"12345678")) == os.write(one, init(b"12345678")) == 65
assert [len(os.read(one, 4096)) for _ in range(2)] == [64, 64]
late = os.open(path, os.O_RDWR | os.O_NONBLOCK)
assert select.select([late], [], [], 0)[0] == []
try:
    os.read(late, 64)
except BlockingIOError:
    print("ok")
"""
    )
    assert out == "ok\n"


def test_ioctls_answer_as_hidraw_does_on_duplicates_too() -> None:
    out = python(
        HIDRAW
        + """
fd = os.dup(os.open(path, os.O_RDWR))
def answer(number, size, direction=2):
    buffer = bytearray(size)
    if number == 2:
        buffer[:4] = struct.pack("<I", 4096 - 1)
    result = fcntl.ioctl(fd, direction << 30 | size << 16 | ord("H") << 8 | number, buffer)
    return result, bytes(buffer)
size = struct.unpack("<i", answer(1, 4)[1])[0]
assert answer(2, 4 + 4096)[1][4:][:size].startswith(bytes.fromhex("06d0f1"))
assert answer(3, 8) == (0, struct.pack("<IHH", 3, 0x1050, 0x0407))
length, name = answer(4, 256)
assert name[:length].startswith(b"Yubico YubiKey") and name[length - 1] == 0
assert answer(4, 4) == (4, b"Yubi")
assert answer(8, 64)[0] == 1  # no serial number over USB
try:
    answer(7, 64, 3)  # a feature report
except OSError as error:
    print(error.strerror)
""",
        keys=("yubikey-5.7",),
    )
    assert out == "Invalid argument\n"


def test_it_looks_like_a_character_device_everywhere() -> None:
    out = python(
        HIDRAW
        + """
fd = os.open(path, os.O_RDWR)
folder = os.open("/dev", os.O_RDONLY | os.O_DIRECTORY)
for status in (os.stat(path), os.lstat(path), os.fstat(fd), os.stat("hidraw0", dir_fd=folder)):
    print(oct(status.st_mode), os.major(status.st_rdev), os.minor(status.st_rdev))
number = open("/sys/class/hidraw/hidraw0/dev").read().strip()
assert os.path.realpath("/sys/dev/char/" + number).startswith("/sys/devices/virtual/misc/uhid/")
assert os.access(path, os.R_OK | os.W_OK)
assert "hidraw0" in os.listdir("/dev") and "null" in os.listdir("/dev")
"""
    )
    assert set(out.splitlines()) == {f"{stat.S_IFCHR | 0o600:#o} 240 0"}


def test_a_node_by_its_name_in_the_current_folder() -> None:
    script = "cd /dev && ls -l hidraw0 && exec 3<>hidraw0 && echo opened"
    said = preload("sh", "-c", script).splitlines()
    assert said[0].startswith("crw-------")
    assert said[1] == "opened"


def test_unplugged_it_is_nowhere_and_plugged_in_it_is_there_again() -> None:
    ctl = f"{sys.executable} -m tokenkit keys virtual ctl"
    look = "ls /dev/hidraw* /sys/class/hidraw 2>/dev/null | grep -c hidraw0; fido2-token -L"
    said = preload("sh", "-c", f"{ctl} unplug; {look}; {ctl} plug; {look}").splitlines()
    assert said[1] == "0"
    assert said[-2] == "2"
    assert said[-1].startswith("/dev/hidraw0: vendor=0x1209")


def test_shells_walk_about_in_sysfs() -> None:
    script = "cd /sys/class/hidraw/hidraw0/device && cat uevent && cd .. && ls /dev/hidraw*"
    said = preload("sh", "-c", script, keys=("reference", "titan")).splitlines()
    assert "HID_ID=0003:00001209:00000001" in said
    assert said[-2:] == ["/dev/hidraw0", "/dev/hidraw1"]
    listed = preload("ls", "-l", "/dev/hidraw0")
    assert listed.startswith("crw-------")


def test_the_rest_of_the_system_is_as_it_was() -> None:
    program = """
import os
for folder in ("/sys", "/sys/class", "/sys/bus", "/sys/devices/virtual", "/dev", "/run"):
    print(folder, sorted(set(os.listdir(folder)) - {"hidraw", "hidraw0", "hid", "udev"}))
print(os.readlink("/dev/stdin"), os.stat("/dev/null").st_rdev, os.path.realpath("/sys/class/mem"))
print(sorted(os.listdir("/sys/class/net")), open("/proc/self/comm").read())
"""
    plain = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    seen = python(program).splitlines()
    for before, after in zip(plain, seen, strict=True):
        name = before.partition(" ")[0]
        if name in ("/dev", "/sys/devices/virtual"):  # where others come and go, or misc is new
            assert "null" in after or "mem" in after
        else:
            assert before == after


def test_programs_that_lock_the_node_wait_for_each_other() -> None:
    out = python(
        HIDRAW
        + """
one, other = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(os.dup(one), fcntl.LOCK_EX | fcntl.LOCK_NB)
try:
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("busy")
os.closerange(one, other)
os.close(other + 1)
fcntl.flock(other, fcntl.LOCK_EX)
print("free")
"""
    )
    assert out == "busy\nfree\n"


def test_many_programs_at_once(tmp_path: Path) -> None:
    script = """
for number in 1 2 3 4 5 6; do
    # libfido2 locks the node, and waits for the lock no longer than so many times
    for try in 1 2 3 4 5; do
        fido2-token -I /dev/hidraw0 >"$1/$number" 2>&1 && break
    done &
done
wait
grep -l '^aaguid: ' "$1"/* | wc -l
"""
    assert preload("sh", "-c", script, "sh", str(tmp_path)).strip() == "6"


def test_clients_that_leave_in_the_middle_disturb_nobody() -> None:
    """One before the end of its message, one before that of the answer."""
    out = python(
        HIDRAW
        + """
from fido2.hid import CtapHidDevice
watcher = os.open(path, os.O_RDWR)
def report(wanted):
    while select.select([watcher], [], [], 10)[0]:
        if wanted(read := os.read(watcher, 64)):
            return read
    raise SystemExit("it never came")
def leave(rest):
    fd = os.open(path, os.O_RDWR)
    os.write(fd, init(b"leaving!"))
    channel = report(lambda read: read[7:15] == b"leaving!")[15:19]
    os.write(fd, b"\\0" + channel + b"\\x81\\x1d\\xb9" + bytes(57))
    for number in range(rest):
        os.write(fd, b"\\0" + channel + bytes((number,)) + bytes(59))
    os.close(fd)
    return channel
first = leave(100)
report(lambda read: read[:5] == first + b"\\xbf")  # the key has waited long enough
second = leave(128)
report(lambda read: read[:5] == second + b"\\x7f")  # the last report of the answer
[device] = CtapHidDevice.list_devices()
data = bytes(range(256)) * 29
assert device.ping(data) == data
device.close()
print("ok")
"""
    )
    assert out == "ok\n"


def test_without_the_environment_the_library_changes_nothing() -> None:
    out = preload("env", "-u", "TOKENKIT_PRELOAD", "fido2-token", "-L")
    assert "vendor=0x1209, product=0x0001" not in out
