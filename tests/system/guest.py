"""What the scripts guest_*.py share: root on a throw-away kernel, real programs, JSON on stdout.

They are no tests but what a test runs in the guest: ``python tests/system/guest_usbip.py`` ends
with status 0 if all held, and otherwise with a traceback that says what did not.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice

from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import OsEntropy
from firmware_sim.world.finger import TouchAfter

TOUCH_S = 1.0
PINGS = 200


class Loop:
    """An asyncio loop in a thread, for the port and its keys."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


def run(*command: str, status: int = 0, stdin: str = "") -> str:
    """Output and errors of ``command``, which must end with ``status``."""
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        # udevadm does nothing where it thinks that it is in a chroot, as a guest's shell may be
        env=os.environ | {"SYSTEMD_IGNORE_CHROOT": "1"},
    )
    assert done.returncode == status, f"{command}: status {done.returncode}: {done.stdout}"
    return done.stdout


def start(*modules: str) -> None:
    """Load ``modules`` (with parameters after a blank) and have udev look after devices."""
    for module in modules:
        run("modprobe", *module.split())
    if subprocess.run(["pidof", "systemd-udevd"], stdout=subprocess.DEVNULL).returncode != 0:
        run("/lib/systemd/systemd-udevd", "--daemon")
    run("udevadm", "trigger")
    run("udevadm", "settle")


def wait_for(what: str, look: Callable[[], Any]) -> Any:
    """What ``look`` finds, as soon as it finds something."""
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within a minute"
        time.sleep(0.05)
    return found


def key_of(profile: str, serial_number: str, touch_s: float = 0.0) -> SecurityKey:
    return SecurityKey(
        load_profile(profile),
        clock=SystemClock(),
        entropy=OsEntropy(),
        serial_number=serial_number,
        finger=TouchAfter(touch_s),
    )


def nodes(key: SecurityKey) -> list[str]:
    """The hidraw nodes of devices with this key's vendor and product id."""
    wanted = f"HID_ID=0003:{key.profile.vendor_id:08X}:{key.profile.product_id:08X}"
    found = []
    for folder in Path("/sys/class/hidraw").glob("*"):
        with suppress(FileNotFoundError):  # it goes just now
            if wanted in (folder / "device/uevent").read_text().split("\n"):
                found.append(f"/dev/{folder.name}")
    return found


def appeared(key: SecurityKey) -> str:
    """The node of this key, once udev is done with it."""
    [path] = wait_for(f"a hidraw node for {key.profile.product_name}", lambda: nodes(key))
    run("udevadm", "settle")
    return path


def vanished(key: SecurityKey) -> bool:
    wait_for(f"{key.profile.product_name} to vanish", lambda: not nodes(key))
    return True


def use(key: SecurityKey, path: str) -> dict[str, Any]:
    """Use the key at ``path`` with udev, lsusb, libfido2 and python-fido2; what they saw."""
    profile = key.profile
    ids = f"{profile.vendor_id:04x}:{profile.product_id:04x}"
    listed = run("fido2-token", "-L")
    assert f"{path}: vendor=0x{ids[:4]}, product=0x{ids[5:]}" in listed, listed
    info = run("fido2-token", "-I", path)
    assert profile.aaguid.hex() in info, info
    udev = run("udevadm", "info", "--query=property", f"--name={path}").split("\n")
    assert "ID_FIDO_TOKEN=1" in udev, udev
    assert ids in run("lsusb")
    detail = run("lsusb", "-v", "-d", ids)
    assert profile.product_name in detail, detail
    assert (key.serial_number in detail) == profile.usb_serial_number, detail

    [device] = [each for each in CtapHidDevice.list_devices() if each.descriptor.path == path]
    data = bytes(range(250)) * 4  # many packets
    assert device.ping(data) == data
    begin = time.perf_counter()
    for _ in range(PINGS):
        device.ping(data[:57])
    pings_per_s = PINGS / (time.perf_counter() - begin)
    device.close()
    return {
        "fido2-token -L": listed.splitlines(),
        "lsusb": run("lsusb", "-d", ids).splitlines(),
        "keepalives": sign_in(path),
        "fido2-cred": _libfido2_makes_a_credential(path),
        "pings_per_s": round(pings_per_s),
    }


def sign_in(path: str) -> int:
    """Register and sign in by python-fido2; how often the key said that it waits for a touch."""
    keepalives: list[int] = []
    [device] = [each for each in CtapHidDevice.list_devices() if each.descriptor.path == path]
    ctap = Ctap2(device)
    made = ctap.make_credential(
        bytes(32),
        {"id": "example.com", "name": "Example"},
        {"id": b"user", "name": "user", "displayName": "User"},
        [{"type": "public-key", "alg": -7}],
        on_keepalive=keepalives.append,
    )
    credential = made.auth_data.credential_data
    assert credential is not None
    allowed = [{"type": "public-key", "id": credential.credential_id}]
    assertion = ctap.get_assertion("example.com", bytes(32), allowed)
    assertion.verify(bytes(32), credential.public_key)
    device.close()
    return len(keepalives)


def _libfido2_makes_a_credential(path: str) -> str:
    """Register by libfido2, which also checks what it got: packed, ES256."""
    parameters = [base64.b64encode(bytes(32)).decode(), "example.com", "user", "dXNlcg=="]
    with tempfile.TemporaryDirectory() as folder:
        made, checked = f"{folder}/made", f"{folder}/checked"
        run("fido2-cred", "-M", "-o", made, path, stdin="\n".join(parameters) + "\n")
        run("fido2-cred", "-V", "-i", made, "-o", checked)
        return Path(checked).read_text().split("\n")[0]  # the credential's id


def report(**facts: Any) -> None:
    print(json.dumps(facts, indent=1))
