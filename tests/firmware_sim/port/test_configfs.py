"""The gadget's tree in configfs; the real one is in tests/system."""

import os

import pytest

from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.port.configfs import Gadget, bound_controllers, remove_leftovers

IDENTITY = UsbIdentity(0x1050, 0x0407, 0x0543, "Yubico", "YubiKey", "")
NAME = "tokenkit-udc.0"


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_the_kernel_is_told(configfs):
    gadget = Gadget(configfs.root, "udc.0", IDENTITY)
    assert gadget.minor == 0
    assert files(configfs.root / NAME) == {
        "UDC": b"udc.0",
        "bcdDevice": b"0x0543",
        "bcdUSB": b"0x0200",
        "idProduct": b"0x0407",
        "idVendor": b"0x1050",
        "configs/c.1/MaxPower": b"30",
        "configs/c.1/bmAttributes": b"0x80",
        "functions/hid.usb0/dev": b"240:0\n",
        "functions/hid.usb0/protocol": b"0",
        "functions/hid.usb0/report_desc": REPORT_DESCRIPTOR,
        "functions/hid.usb0/report_length": b"64",
        "functions/hid.usb0/subclass": b"0",
        "strings/0x409/manufacturer": b"Yubico",
        "strings/0x409/product": b"YubiKey",
    }
    link = configfs.root / NAME / "configs/c.1/hid.usb0"
    assert link.resolve() == (configfs.root / NAME / "functions/hid.usb0").resolve()
    assert bound_controllers(configfs.root) == {"udc.0"}
    gadget.remove()


def test_a_serial_number_where_the_key_tells_it(configfs):
    gadget = Gadget(configfs.root, "udc.0", UsbIdentity(1, 2, 3, "a", "b", "0123"))
    assert (configfs.root / NAME / "strings/0x409/serialnumber").read_text() == "0123"
    gadget.remove()


def test_removal_in_the_order_of_the_kernel_and_twice(configfs):
    gadget = Gadget(configfs.root, "udc.0", IDENTITY)
    gadget.remove()
    gadget.remove()
    assert configfs.removed == [
        f"{NAME}/configs/c.1",
        f"{NAME}/functions/hid.usb0",
        f"{NAME}/strings/0x409",
        NAME,
    ]
    assert configfs.gadgets == []


def test_leftovers_are_removed_and_what_lives_or_is_another_s_stays(configfs):
    living = Gadget(configfs.root, "udc.0", IDENTITY)
    killed = Gadget(configfs.root, "udc.1", IDENTITY)
    os.close(killed._lock)  # as the kernel does it
    killed._lock = None
    os.mkdir(configfs.root / "tokenkit-half-made")
    os.mkdir(configfs.root / "ethernet")
    assert remove_leftovers(configfs.root) == ["tokenkit-half-made", "tokenkit-udc.1"]
    assert configfs.gadgets == ["ethernet", NAME]
    killed.remove()
    living.remove()


def test_without_a_hid_function_nothing_is_left_behind(configfs):
    configfs.has_hid_function = False
    with pytest.raises(OSError, match="modprobe usb_f_hid"):
        Gadget(configfs.root, "udc.0", IDENTITY)
    assert configfs.gadgets == []


def test_a_controller_in_use_leaves_nothing_behind(configfs, monkeypatch):
    write_text = type(configfs.root).write_text

    def busy(path, text, *args, **kwargs):
        if path.name == "UDC" and text.strip():
            raise OSError(16, "Device or resource busy")
        return write_text(path, text, *args, **kwargs)

    monkeypatch.setattr(type(configfs.root), "write_text", busy)
    with pytest.raises(OSError, match=r"udc.0 serves another USB gadget: unload"):
        Gadget(configfs.root, "udc.0", IDENTITY)
    assert configfs.gadgets == []


def test_a_second_gadget_at_a_controller_leaves_the_first_alone(configfs):
    first = Gadget(configfs.root, "udc.0", IDENTITY)
    with pytest.raises(FileExistsError):
        Gadget(configfs.root, "udc.0", IDENTITY)
    assert bound_controllers(configfs.root) == {"udc.0"}
    first.remove()
