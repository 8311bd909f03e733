"""Linux: FIDO keys whose hidraw node python-fido2 passes over because it may not be opened."""

import os
from collections.abc import Callable
from pathlib import Path

from fido2.hid.base import parse_report_descriptor

from tokenkit.keys.errors import PERMISSION_HINT, printable
from tokenkit.keys.found import FoundKey

_SYS = Path("/sys/class/hidraw")
_DEV = Path("/dev")


def _may_open(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK)


def locked_keys(
    sys_dir: Path = _SYS, dev_dir: Path = _DEV, may_open: Callable[[Path], bool] = _may_open
) -> list[FoundKey]:
    """Keys that the kernel knows (sysfs is readable by all) and this user cannot open."""
    keys = []
    for entry in sorted(sys_dir.glob("hidraw*")):
        node = dev_dir / entry.name
        try:
            parse_report_descriptor((entry / "device/report_descriptor").read_bytes())
            uevent = (entry / "device/uevent").read_text("utf-8", "replace")
        except (OSError, ValueError):
            continue  # gone again, or a mouse
        if not may_open(node):
            facts = dict(line.partition("=")[::2] for line in uevent.splitlines())
            keys.append(
                FoundKey(
                    f"hid:{node}",
                    printable(facts.get("HID_NAME", "unknown key")),
                    printable(facts.get("HID_UNIQ", "")) or None,
                    problem=PERMISSION_HINT if node.exists() else f"there is no {node} here",
                )
            )
    return keys
