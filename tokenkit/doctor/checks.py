"""What each way to a key needs, looked at one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tokenkit.doctor.finding import Finding
from tokenkit.doctor.system import System

_RULES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
# a wheel has none: there they are those of the source
_SOURCE = Path(__file__).parents[2] / "udev"
_SHIPPED = _SOURCE if _SOURCE.is_dir() else Path("udev")
_GROUP = "tokenkit"
_PCSCD = "/run/pcscd/pcscd.comm"
_VPCD_PORT = 35963
_VPCD = ("/etc/reader.conf.d/vpcd", "/usr/local/etc/reader.conf.d/vpcd")


def examine(system: System, ways: tuple[str, ...] = ()) -> dict[str, list[Finding]]:
    """The findings for ``ways``, by default all, in the order of :data:`CHECKS`."""
    return {
        way: list(check(system)) for way, (_, check) in CHECKS.items() if not ways or way in ways
    }


def _rule(system: System, file: str) -> str | None:
    return system.first(f"{folder}/{file}" for folder in _RULES)


def _module(system: System, name: str) -> Finding:
    found, mend = {
        "loaded": ("loaded", ""),
        "loadable": ("loadable", f"sudo modprobe {name}"),
        "missing": ("this kernel has none", "take: tokenkit vm run"),
        "unknown": (
            "cannot be seen from here",
            f"modprobe {name} on the host of this container, or take: tokenkit vm run",
        ),
    }[system.module(name)]
    return Finding(f"module {name}", not mend, found, mend)


def _program(system: System, name: str, package: str) -> Finding:
    where = system.program(name)
    mend = "" if where else f"sudo apt-get install {package}"
    return Finding(name, where is not None, where or "not installed", mend)


def _keys(system: System) -> Iterator[Finding]:
    """Opening physical keys on USB."""
    # systemd's own, of 244 and later, or ours
    rule = _rule(system, "60-fido-id.rules") or _rule(system, "70-tokenkit-fido.rules")
    mend = "" if rule else f"sudo cp {_SHIPPED}/70-tokenkit-fido.rules /etc/udev/rules.d/"
    yield Finding("udev rule", rule is not None, rule or "none for FIDO keys", mend)
    from tokenkit.keys.hidraw import locked_keys

    locked = locked_keys(system.path("/sys/class/hidraw"), system.path("/dev"))
    for key in locked:
        yield Finding(key.selector, False, key.name, key.problem or "")
    if not locked:
        yield Finding("keys", True, "none that is plugged in is locked")


def _uhid(system: System) -> Iterator[Finding]:
    """Virtual keys as /dev/hidrawN of this kernel."""
    if not system.exists("/dev/uhid"):
        yield _module(system, "uhid")
        mend = "modprobe uhid; into a container: docker run --device /dev/uhid"
        yield Finding("/dev/uhid", False, "is not there", mend)
        return
    problem = system.opening("/dev/uhid")
    mend = "be in its group, see below" if problem == "Permission denied" else "modprobe uhid"
    yield Finding("/dev/uhid", not problem, problem or "may be opened", mend if problem else "")
    if not system.is_root:
        yield from _uhid_group(system)


def _uhid_group(system: System) -> Iterator[Finding]:
    rule = _rule(system, "71-tokenkit-uhid.rules")
    mend = "" if rule else f"sudo cp {_SHIPPED}/71-tokenkit-uhid.rules /etc/udev/rules.d/"
    yield Finding("udev rule", rule is not None, rule or "none for /dev/uhid", mend)
    member = system.group(_GROUP)
    if member is None:
        yield Finding("group", False, f"no group {_GROUP}", f"sudo groupadd --system {_GROUP}")
    else:
        found = f"you are {'' if member else 'not '}in {_GROUP}"
        mend = "" if member else f"sudo usermod -aG {_GROUP} $USER, then log in again"
        yield Finding("group", member, found, mend)


def _usbip(system: System) -> Iterator[Finding]:
    """Virtual keys as USB devices, of this computer or of another."""
    yield _module(system, "vhci_hcd")
    yield _program(system, "usbip", "usbip")


def _gadget(system: System) -> Iterator[Finding]:
    """This computer as a physical key, as a Raspberry Pi Zero can be."""
    udc = system.path("/sys/class/udc")
    ports = sorted(each.name for each in udc.iterdir()) if udc.is_dir() else []
    mend = "" if ports else "a board with USB device mode; on a Raspberry Pi: dtoverlay=dwc2"
    yield Finding("USB device port", bool(ports), ", ".join(ports) or "none", mend)
    yield _module(system, "libcomposite")
    configfs = system.exists("/sys/kernel/config/usb_gadget")
    found = "there" if configfs else "not there"
    mend = "" if configfs else "sudo mount -t configfs none /sys/kernel/config, with libcomposite"
    yield Finding("configfs", configfs, found, mend)
    root = system.is_root
    yield Finding("root", root, "yes" if root else "no", "" if root else "sudo")


def _pcsc(system: System) -> Iterator[Finding]:
    """Keys on smart-card readers, physical and virtual."""
    package = system.python_package("smartcard")
    mend = "" if package else "sudo apt-get install gcc swig libpcsclite-dev; pip install '.[pcsc]'"
    yield Finding("pyscard", package, "installed" if package else "not installed", mend)
    start = "sudo systemctl start pcscd.socket, or without systemd: sudo pcscd"
    runs = system.answers(_PCSCD)
    if runs:
        yield Finding("pcscd", True, f"answers at {_PCSCD}")
    elif system.program("pcscd"):
        yield Finding("pcscd", False, "is not running", start)
    else:
        yield Finding("pcscd", False, "not installed", "sudo apt-get install pcscd")
    if system.first(_VPCD):
        listens = runs and system.listens(_VPCD_PORT)
        found = f"listens at port {_VPCD_PORT}" if listens else "does not listen"
        mend = "" if listens else "start pcscd again, which loads it"
        yield Finding("vpcd", listens, found, mend)
    else:
        yield Finding("vpcd", False, "not installed", "sudo apt-get install vsmartcard-vpcd")


def _vm(system: System) -> Iterator[Finding]:
    """A kernel of one's own, without root: tokenkit vm run."""
    from tokenkit.vm.tools import PACKAGES, TO_PREPARE, TO_RUN

    for program in sorted({*TO_PREPARE, *TO_RUN}):
        yield _program(system, program, PACKAGES[program])


def _preload(system: System) -> Iterator[Finding]:
    """Keys for one command, without kernel or root: tokenkit preload."""
    yield _program(system, "cc", "gcc libc6-dev")


# way to a key: (what it is for, its check)
CHECKS: dict[str, tuple[str, Callable[[System], Iterator[Finding]]]] = {
    "keys": ("physical keys on USB", _keys),
    "uhid": ("serve --port uhid", _uhid),
    "usbip": ("serve --port usbip", _usbip),
    "gadget": ("serve --port gadget", _gadget),
    "pcsc": ("smart-card readers, and serve --port vpcd", _pcsc),
    "vm": ("tokenkit vm run", _vm),
    "preload": ("tokenkit preload", _preload),
}
