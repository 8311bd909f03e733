"""The files by which programs find a hidraw device: /dev, sysfs and udev's database, as uhid's are.

They lie in a folder over the real ones. Its folders list what is really there, too, as absolute
symbolic links, which the preloaded library takes for "look at the real one".
"""

import os
from contextlib import suppress
from pathlib import Path

from tokenkit import virtual

_BUS_USB = 3
# no real device has it: what Linux leaves for experiments (Documentation/admin-guide/devices.txt)
_MAJOR = 240


class Tree:
    """The folder ``root``; add nodes, then put the real things beside them with ``finish``."""

    def __init__(self, root: Path, real: Path = Path("/")) -> None:
        self.root = root
        self._real = real
        self._taken = set[str]()
        for folder in ("dev", "sys/class/hidraw"):
            with suppress(OSError):
                self._taken.update(os.listdir(real / folder))
        self._made: dict[Path, None] = {}
        self._ways: dict[Path, dict[str, str]] = {}

    def add(self, key: virtual.SecurityKey) -> Path:
        """All files for ``key`` but the node itself, whose path this is: the first free number."""
        number = 0
        while f"hidraw{number}" in self._taken:
            number += 1
        name = f"hidraw{number}"
        self._taken.add(name)
        profile = key.profile
        vendor, product = profile.vendor_id, profile.product_id
        hid = f"{_BUS_USB:04X}:{vendor:04X}:{product:04X}.{number + 1:04X}"
        device = f"sys/devices/virtual/misc/uhid/{hid}"
        hidraw = f"{device}/hidraw/{name}"
        devt = f"{_MAJOR}:{number}"
        serial_number = key.serial_number if profile.usb_serial_number else ""
        self._write(
            f"{device}/uevent",
            "DRIVER=hid-generic\n"
            f"HID_ID={_BUS_USB:04X}:{vendor:08X}:{product:08X}\n"
            f"HID_NAME={profile.manufacturer} {profile.product_name}\n"
            f"HID_PHYS=\nHID_UNIQ={serial_number}\n"
            f"MODALIAS=hid:b{_BUS_USB:04X}g0001v{vendor:08X}p{product:08X}\n",
        )
        self._write(f"{device}/report_descriptor", virtual.REPORT_DESCRIPTOR)
        self._write(f"{hidraw}/uevent", f"MAJOR={_MAJOR}\nMINOR={number}\nDEVNAME={name}\n")
        self._write(f"{hidraw}/dev", f"{devt}\n")
        self._link(f"{device}/subsystem", "sys/bus/hid")
        self._link(f"{hidraw}/subsystem", "sys/class/hidraw")
        self._link(f"{hidraw}/device", device)
        node = self.root / "dev" / name
        self._ways[node] = {
            f"sys/bus/hid/devices/{hid}": device,
            f"sys/class/hidraw/{name}": hidraw,
            f"sys/dev/char/{devt}": hidraw,
        }
        self.show(node)
        # what systemd's fido_id finds out
        self._write(
            f"run/udev/data/c{devt}",
            "I:1\nE:ID_FIDO_TOKEN=1\nE:ID_SECURITY_TOKEN=1\n"
            "G:security-device\nG:uaccess\nQ:security-device\nQ:uaccess\nV:1\n",
        )
        self._folder(node.parent)
        return node

    def show(self, node: Path) -> None:
        """Let programs that look for devices find that of ``node``."""
        for link, target in self._ways[node].items():
            with suppress(FileExistsError):
                self._link(link, target)

    def hide(self, node: Path) -> None:
        """Let them find it no longer: it is unplugged."""
        for link in self._ways[node]:
            (self.root / link).unlink(missing_ok=True)

    def finish(self) -> None:
        """Show in each folder what else is there in reality."""
        for folder in self._made:
            inside = folder.relative_to(self.root)
            if inside == Path() or inside == Path("run"):
                continue
            with suppress(OSError):  # it may not be there, or not be for us
                for name in os.listdir(self._real / inside):
                    with suppress(FileExistsError):
                        os.symlink(self._real / inside / name, folder / name)

    def _folder(self, path: Path) -> None:
        if path not in self._made and path.is_relative_to(self.root):
            self._folder(path.parent)
            path.mkdir(exist_ok=True)
            self._made[path] = None

    def _write(self, name: str, content: str | bytes) -> None:
        path = self.root / name
        self._folder(path.parent)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _link(self, name: str, target: str) -> None:
        path = self.root / name
        self._folder(path.parent)
        path.symlink_to(os.path.relpath(self.root / target, path.parent))
