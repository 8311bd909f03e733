"""Keys in a real kernel, used by programs that have never heard of this toolkit."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.vm import cache_folder, fetch_kernel, run_in_guest
from tokenkit.vm.tools import TO_PREPARE, TO_RUN, find_tools

from .modules import load

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TIMEOUT_S = 900
clients = load("clients")
SIGNED_IN = {"registration", "assertion"}


def _missing() -> list[str]:
    programs = {"usbip": "usbip", "lsusb": "usbutils", "chromium": "chromium"}
    absent = {package for program, package in programs.items() if clients.find(program) is None}
    return sorted({*clients.missing_packages(), *absent})


pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(bool(_missing()), reason=f"apt-get install {' '.join(_missing())}"),
]


@pytest.fixture(scope="module", autouse=True)
def kernel() -> None:
    try:
        find_tools({*TO_PREPARE, *TO_RUN})
        fetch_kernel(cache_folder())
    except TokenkitError as error:
        pytest.skip(str(error))


def in_guest(script: str, *arguments: str) -> dict[str, Any]:
    """What ``script`` of this folder prints as JSON."""
    command = [sys.executable, str(HERE / script), *arguments]
    packages = {"PYTHONPATH": ":".join([str(ROOT), *filter(None, sys.path)])}
    done = run_in_guest(command, env=packages, cwd=ROOT, timeout_s=TIMEOUT_S)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def finger(tmp_path: Path) -> str:
    """The state file of a key that knows its user's finger."""
    state = tmp_path / "finger.key"
    pin = {"TOKENKIT_PIN": "1234", "TOKENKIT_NEW_PIN": "1234"}
    for command in (["pin", "set"], ["bio", "enroll"]):
        tokenkit = [sys.executable, "-m", "tokenkit", "keys", *command]
        selector = f"virtual:yubikey-bio?state={state}"
        subprocess.run([*tokenkit, selector], env=pin, check=True, stdout=subprocess.DEVNULL)
    return str(state)


@pytest.mark.parametrize("port", ["uhid", "usbip"])
def test_real_programs(port: str, finger: str) -> None:
    found = in_guest("guest_clients.py", port, finger)
    assert found["clients"] == dict.fromkeys(clients.NAMES)
    assert "signed_in" in found["chromium"].get("assertion", {}), found["chromium"]
    by_finger = found["chromium by finger"]
    assert by_finger.get("assertion", {}).get("user_verified") is True, by_finger
    if port == "uhid":
        udev = found["udev"]
        assert (udev["uhid"], udev["member"], udev["stranger"]) == (
            "root:tokenkit 660",
            "opened",
            "refused",
        )
        assert udev["fido"] == "1"
        assert ":uaccess:" in udev["tags"]


@pytest.mark.skipif(find_spec("playwright") is None, reason="pip install playwright")
def test_the_console_takes_a_key() -> None:
    said = in_guest("guest_console.py")
    assert "Last used\nnever" in said["assigned"]
    assert "Last used\nnever" not in said["signed_in"]


@pytest.mark.parametrize("script", ["guest_usbip.py", "guest_gadget.py"])
def test_usb(script: str) -> None:
    found = in_guest(script)
    for profile in ("reference", "yubikey-5.7"):
        assert found[profile]["keepalives"] >= 0
        assert found[profile]["lsusb"]
