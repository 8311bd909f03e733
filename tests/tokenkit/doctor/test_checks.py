"""What is found on computers made of a folder."""

import platform
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from tokenkit.doctor import CHECKS, Finding, examine
from tokenkit.doctor.system import System


class Computer(System):
    """Files in a folder, programs by name; a user who is not root and in no group."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.programs: set[str] = set()
        self.member: bool | None = None
        self.root_user = False

    def add(self, name: str, text: str = "") -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def group(self, name: str) -> bool | None:
        return self.member

    @property
    def is_root(self) -> bool:
        return self.root_user

    def listens(self, port: int) -> bool:
        return False

    def findings(self, way: str) -> dict[str, Finding]:
        return {each.subject: each for each in examine(self, (way,))[way]}


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_all_ways_in_order(computer: Computer) -> None:
    assert list(examine(computer)) == list(CHECKS)
    assert list(examine(computer, ("vm", "keys"))) == ["keys", "vm"]


@pytest.mark.parametrize("way", list(CHECKS))
def test_what_is_missing_has_a_mend_and_what_is_good_has_none(computer: Computer, way: str) -> None:
    findings = computer.findings(way).values()
    assert findings
    for each in findings:
        assert each.good == (each.mend == ""), each


def test_rules_for_keys(computer: Computer) -> None:
    assert "70-tokenkit-fido.rules" in computer.findings("keys")["udev rule"].mend
    computer.add("/usr/lib/udev/rules.d/60-fido-id.rules")
    assert computer.findings("keys")["udev rule"].good


def test_a_locked_key(computer: Computer) -> None:
    device = computer.path("/sys/class/hidraw/hidraw0/device")
    device.mkdir(parents=True)
    (device / "report_descriptor").write_bytes(REPORT_DESCRIPTOR)
    (device / "uevent").write_text("HID_NAME=Some Key\n")
    [locked] = [each for each in computer.findings("keys").values() if each.found == "Some Key"]
    assert not locked.good
    assert locked.subject.endswith("/dev/hidraw0")


@pytest.mark.parametrize(
    ("files", "state"),
    [
        (["/sys/module/uhid/refcnt"], "loaded"),
        (["modules.builtin:kernel/drivers/hid/uhid.ko"], "loaded"),
        (["modules.dep:kernel/drivers/hid/uhid.ko.xz: kernel/drivers/hid/hid.ko.xz"], "loadable"),
        (["modules.dep:kernel/drivers/hid/nouhid.ko:"], "missing"),
        ([], "unknown"),
    ],
)
def test_a_module(computer: Computer, files: list[str], state: str) -> None:
    for each in files:
        name, _, text = each.partition(":")
        if not name.startswith("/"):
            name = f"/lib/modules/{platform.release()}/{name}"
        computer.add(name, text + "\n")
    assert computer.module("uhid") == state


def test_a_module_whose_name_has_hyphens_in_its_file(computer: Computer) -> None:
    line = "kernel/drivers/usb/usbip/vhci-hcd.ko: \n"
    computer.add(f"/lib/modules/{platform.release()}/modules.dep", line)
    found = computer.findings("usbip")["module vhci_hcd"]
    assert (found.found, found.mend) == ("loadable", "sudo modprobe vhci_hcd")


def test_a_node_that_nothing_answers_at(computer: Computer) -> None:
    computer.path("/dev/uhid").mkdir(parents=True)  # which cannot be opened to be written
    found = computer.findings("uhid")["/dev/uhid"]
    assert (found.good, found.found, found.mend) == (False, "Is a directory", "modprobe uhid")


def test_uhid_that_may_be_opened(computer: Computer) -> None:
    computer.add("/dev/uhid")
    computer.root_user = True
    assert all(each.good for each in computer.findings("uhid").values())


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (None, "no group tokenkit"),
        (False, "you are not in tokenkit"),
        (True, "you are in tokenkit"),
    ],
)
def test_the_group_for_uhid(computer: Computer, member: bool | None, found: str) -> None:
    computer.add("/dev/uhid")
    computer.member = member
    findings = computer.findings("uhid")
    assert findings["group"].found == found
    assert not findings["udev rule"].good
    computer.add("/etc/udev/rules.d/71-tokenkit-uhid.rules")
    assert computer.findings("uhid")["udev rule"].good


def test_vpcd(computer: Computer) -> None:
    assert "apt-get install vsmartcard-vpcd" in computer.findings("pcsc")["vpcd"].mend
    computer.add("/etc/reader.conf.d/vpcd")
    assert "start pcscd" in computer.findings("pcsc")["vpcd"].mend


def test_pcscd(computer: Computer) -> None:
    assert computer.findings("pcsc")["pcscd"].mend == "sudo apt-get install pcscd"
    computer.programs.add("pcscd")
    assert "systemctl start" in computer.findings("pcsc")["pcscd"].mend
    path = computer.path("/run/pcscd/pcscd.comm")
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        daemon.listen()
        assert computer.findings("pcsc")["pcscd"].good


@pytest.mark.parametrize("way", ["vm", "preload"])
def test_programs(computer: Computer, way: str) -> None:
    missing = computer.findings(way)
    assert all("apt-get install" in each.mend for each in missing.values())
    computer.programs |= set(missing)
    assert all(each.good for each in computer.findings(way).values())


def test_a_gadgets_port(computer: Computer) -> None:
    assert "dwc2" in computer.findings("gadget")["USB device port"].mend
    computer.add("/sys/class/udc/20980000.usb/state")
    assert computer.findings("gadget")["USB device port"].found == "20980000.usb"


def test_this_computer_says_something_of_each_way() -> None:
    assert all(examine(System()).values())


def test_ports_that_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert System().listens(port)
    assert not System().listens(port)


def test_groups_of_this_process() -> None:
    assert System().group("no-such-group") is None
    groups: Callable[[str], bool | None] = System().group
    assert groups("root") in (True, False)
