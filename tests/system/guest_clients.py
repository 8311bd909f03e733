"""In the guest: what real programs do with keys at a port, and what udev makes of the rules.

``python guest_clients.py uhid|usbip FINGER`` prints JSON: what each part found. FINGER is the state
file of a key that knows its user's finger.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVE = [sys.executable, "-m", "tokenkit", "keys", "virtual", "serve"]
RULES = Path("/etc/udev/rules.d")
MODULES = {"uhid": "uhid", "usbip": "vhci-hcd"}
# the key that all the checks of clients.py fit
PROFILE = "yubikey-5.7"


def run(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def served(port: str, key: str, *command: str) -> str:
    """What ``command`` prints while ``key`` is plugged in."""
    attached = [sys.executable, __file__, "attached"] if port == "usbip" else []
    serve = [*SERVE, "--port", port, "--key", key, "--"]
    done = subprocess.run([*serve, *attached, *command], stdout=subprocess.PIPE, text=True)
    return done.stdout


def attached(*command: str) -> int:
    """Run ``command`` once the kernel has the key that usbip serves."""
    run("usbip", "attach", "-r", "127.0.0.1", "-b", "1-1")
    end_s = time.monotonic() + 60
    while not any(name.startswith("hidraw") for name in os.listdir("/dev")):
        if time.monotonic() > end_s:
            raise SystemExit("no /dev/hidraw* came of the attached key")
        time.sleep(0.05)
    run("udevadm", "settle")
    return subprocess.run(command).returncode


def clients(port: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/results.json"
        served(port, PROFILE, sys.executable, str(HERE / "clients.py"), "--out", out)
        return json.loads(Path(out).read_text())


def chromium(port: str, key: str, *options: str) -> Any:
    site = [sys.executable, str(HERE / "webauthn_site.py"), *options]
    return json.loads(served(port, key, *site))


def udev() -> dict[str, Any]:
    """The project's rules alone, without systemd's own for FIDO keys."""
    run("groupadd", "--system", "--force", "tokenkit")
    for rules in (ROOT / "udev").glob("7*-tokenkit-[fu]*.rules"):
        shutil.copy(rules, RULES)
    for name in ("60-fido-id.rules", "70-uaccess.rules"):
        (RULES / name).symlink_to("/dev/null")
    run("udevadm", "control", "--reload")
    run("udevadm", "trigger", "--name-match=uhid", "--settle")
    look = "udevadm settle; udevadm info --query=property --name=/dev/hidraw0"
    properties = dict(
        line.split("=", 1) for line in served("uhid", PROFILE, "sh", "-c", look).splitlines()
    )
    opened = "exec 3<>/dev/uhid && echo opened || echo refused"
    groups = {"member": "--groups=tokenkit", "stranger": "--clear-groups"}
    users = {
        name: run("setpriv", "--reuid=nobody", "--regid=nogroup", group, "bash", "-c", opened)
        for name, group in groups.items()
    }
    return {
        "uhid": run("stat", "--format=%U:%G %a", "/dev/uhid").strip(),
        "fido": properties.get("ID_FIDO_TOKEN"),
        "tags": properties.get("TAGS"),
        **{name: said.strip() for name, said in users.items()},
    }


def main(port: str, finger: str) -> None:
    run("modprobe", MODULES[port])
    found = {
        "clients": clients(port),
        "chromium": chromium(port, "reference"),
        "chromium by finger": chromium(port, f"?state={finger}", "--uv", "required", "--resident"),
    }
    if port == "uhid":
        found["udev"] = udev()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    if sys.argv[1] == "attached":
        sys.exit(attached(*sys.argv[2:]))
    main(*sys.argv[1:])
