from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection

from tokenkit.keys import (
    NoSuchKeyError,
    SelectorError,
    UnreadableKeyError,
    UnsupportedError,
    check_selector,
    discover,
    open_key,
    read_info,
)
from tokenkit.keys import hid as hid_backend
from tokenkit.keys.hidraw import locked_keys
from tokenkit.virtual import SimulatedClock, SystemClock, World, connect, load_profile, plugged

# the start of every FIDO key's report descriptor: usage page 0xF1D0, usage 1, 64 bytes each way
FIDO_REPORT = bytes.fromhex("06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0")
MOUSE_REPORT = bytes.fromhex("05010902a1010901a100c0c0")


def test_an_empty_machine_says_what_to_do() -> None:
    assert discover() == []
    with pytest.raises(NoSuchKeyError, match="plug one in, or take a virtual one"):
        open_key()


def test_auto_opens_the_only_key(physical: Any) -> None:
    key = physical.add("/dev/hidraw3")
    with open_key() as opened:
        assert opened.selector == "hid:/dev/hidraw3"
        assert opened.serial_number == key.serial_number
        assert not opened.is_virtual
        assert opened.ctap2().info.versions == ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]


def test_auto_with_several_keys_lists_them(physical: Any) -> None:
    physical.add("/dev/hidraw3")
    physical.add("/dev/hidraw4")
    with pytest.raises(NoSuchKeyError, match="choose by selector") as caught:
        open_key("auto")
    assert "hid:/dev/hidraw3" in str(caught.value)
    assert "hid:/dev/hidraw4" in str(caught.value)


def test_serial_chooses_among_keys(physical: Any) -> None:
    physical.add("/dev/hidraw3", serial_number="111")
    physical.add("/dev/hidraw4", serial_number="222")
    with open_key("serial:222") as opened:
        assert opened.selector == "hid:/dev/hidraw4"
    with pytest.raises(NoSuchKeyError, match="no key has serial number 333") as caught:
        open_key("serial:333")
    assert "serial number 111" in str(caught.value)


def test_hid_opens_by_path(physical: Any) -> None:
    physical.add("/dev/hidraw3")
    with open_key("hid:/dev/hidraw3") as opened:
        assert isinstance(opened.device, CtapHidDevice)
    with pytest.raises(NoSuchKeyError, match="tokenkit keys list"):
        open_key("hid:/dev/hidraw9")


class Canned(CtapHidConnection):
    """Answers INIT, each CBOR command with ``response``, and "read config" with ``config``."""

    def __init__(self, response: bytes, config: bytes = b"", capabilities: int = 0x05) -> None:
        self.response = response
        self.config = config
        self.capabilities = capabilities
        self.closed = False
        self._answers: list[bytes] = []

    def write_packet(self, data: bytes) -> None:
        channel, command, payload = data[:4], data[4], data[7 : 7 + data[6]]
        if command == 0x86:
            answer = payload + bytes((0, 0, 0, 1, 2, 0, 0, 0, self.capabilities))
        elif command == 0x90:
            answer = self.response
        elif command == 0xC2 and self.config:
            answer = self.config
        else:
            command, answer = 0xBF, b"\x01"
        header = channel + bytes((command, 0, len(answer)))
        self._answers.append((header + answer).ljust(64, b"\0"))

    def read_packet(self) -> bytes:
        return self._answers.pop(0)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("make_broken", "problem"),
    [
        (lambda bus: bus.add_broken("/bad", PermissionError(13, "Permission denied")), "udev"),
        (lambda bus: bus.add_broken("/bad", OSError(19, "No such device")), "No such device"),
        (lambda bus: bus.add_connection("/bad", Canned(b"\0\xa0")), "not as CTAP says"),
        (lambda bus: bus.add_connection("/bad", Canned(b"\x01")), "INVALID_COMMAND"),
        (lambda bus: bus.add_connection("/bad", Canned(b"")), "not as CTAP says: index"),
        (lambda bus: bus.add_connection("/bad", Canned(b"\0\x80")), "wrong type"),
        (lambda bus: bus.add_connection("/bad", Canned(b"\0\xb8\x00")), "Non-canonical"),
    ],
)
def test_one_bad_key_does_not_hide_the_others(
    physical: Any, make_broken: Callable[[Any], None], problem: str
) -> None:
    physical.add("/good-1")
    make_broken(physical)
    physical.add("/good-2")
    keys = {key.selector: key for key in discover()}
    assert keys["hid:/good-1"].problem is None
    assert keys["hid:/good-2"].versions == ("U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3")
    assert problem in (keys["hid:/bad"].problem or "")


def test_auto_with_only_bad_keys_gives_the_reason(physical: Any) -> None:
    physical.add_broken("/dev/hidraw3", PermissionError(13, "Permission denied"))
    with pytest.raises(NoSuchKeyError, match="no key can be opened") as caught:
        open_key("auto")
    assert "udev/70-tokenkit-fido.rules" in str(caught.value)
    with pytest.raises(UnreadableKeyError, match="hid:/dev/hidraw3"):
        open_key("hid:/dev/hidraw3")


def test_auto_passes_over_a_bad_key(physical: Any) -> None:
    physical.add_broken("/bad", OSError("gone"))
    physical.add("/good")
    with open_key() as opened:
        assert opened.selector == "hid:/good"


def test_a_connection_that_fails_init_is_closed(physical: Any) -> None:
    connection = Canned(b"")
    connection.write_packet = lambda data: None  # type: ignore[method-assign]  # never answers
    physical.add_connection("/bad", connection)
    assert discover()[0].problem
    assert connection.closed


def test_a_u2f_key_is_listed(physical: Any) -> None:
    physical.add_connection("/u2f", Canned(b"", capabilities=0))
    assert discover()[0].versions == ("U2F_V2",)


def test_a_virtual_key_without_ctap2_is_listed_and_has_no_info() -> None:
    u2f_only = replace(load_profile("reference"), versions=("U2F_V2",))
    with plugged(World(seed=1).security_key(u2f_only)):
        assert [key.versions for key in discover()] == [("U2F_V2",)]
        with open_key() as key, pytest.raises(UnsupportedError, match="CTAP1"):
            read_info(key)


def test_a_yubikey_tells_its_serial_number_by_its_own_command(physical: Any) -> None:
    config = bytes.fromhex("0c01020023020400bc614e0301")
    no_serial = bytes.fromhex("0401020023")
    get_info = b"\0" + bytes.fromhex("a1018168") + b"FIDO_2_0"
    unnamed: dict[str, Any] = {"vid": 0x1050, "serial_number": None}
    physical.add_connection("/a", Canned(get_info, config), **unnamed)
    physical.add_connection("/b", Canned(get_info, no_serial), **unnamed)
    physical.add_connection("/c", Canned(get_info), **unnamed)
    physical.add_connection("/d", Canned(get_info, config), **(unnamed | {"vid": 0x1209}))
    assert [key.serial_number for key in discover()] == ["12345678", None, None, None]


def test_names_cannot_drive_the_terminal(physical: Any) -> None:
    physical.add("/odd", product_name="\x1b[2Jkey\n", serial_number="\x071")
    assert discover()[0].name == "�[2Jkey�"
    assert discover()[0].serial_number == "�1"


def hidraw(sys_dir: Path, name: str, report: bytes, uevent: str) -> None:
    device = sys_dir / name / "device"
    device.mkdir(parents=True)
    (device / "report_descriptor").write_bytes(report)
    (device / "uevent").write_text(uevent)


def test_linux_names_keys_that_may_not_be_opened(tmp_path: Path) -> None:
    sys_dir, dev_dir = tmp_path / "sys", tmp_path / "dev"
    dev_dir.mkdir()
    hidraw(sys_dir, "hidraw0", MOUSE_REPORT, "HID_NAME=Mouse\n")
    hidraw(sys_dir, "hidraw1", FIDO_REPORT, "HID_NAME=Yubico YubiKey FIDO\nHID_UNIQ=\n")
    hidraw(sys_dir, "hidraw2", FIDO_REPORT, "HID_NAME=Nitrokey 3\nHID_UNIQ=A1\n")
    hidraw(sys_dir, "hidraw3", FIDO_REPORT, "HID_NAME=Open\n")
    for name in ("hidraw0", "hidraw1", "hidraw3"):
        (dev_dir / name).touch()
    (sys_dir / "hidraw4").mkdir()  # pulled out at this moment
    keys = locked_keys(sys_dir, dev_dir, lambda node: node.name == "hidraw3")
    assert [(key.name, key.serial_number) for key in keys] == [
        ("Yubico YubiKey FIDO", None),
        ("Nitrokey 3", "A1"),
    ]
    assert "udev" in str(keys[0].problem)
    assert "there is no" in str(keys[1].problem)
    assert locked_keys(tmp_path / "no-sysfs") == []


def test_a_locked_key_is_listed_and_explained(
    physical: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hidraw(tmp_path / "sys", "hidraw1", FIDO_REPORT, "HID_NAME=Nitrokey 3\n")
    monkeypatch.setattr(
        hid_backend, "locked_keys", lambda: locked_keys(tmp_path / "sys", tmp_path / "dev")
    )
    [found] = discover()
    assert found.name == "Nitrokey 3"
    with pytest.raises(NoSuchKeyError, match="there is no"):
        open_key(found.selector)
    with pytest.raises(NoSuchKeyError, match="Nitrokey 3"):
        open_key()


def test_a_virtual_key_by_selector() -> None:
    with open_key("virtual:reference?seed=7") as opened:
        assert opened.is_virtual
        assert opened.security_key is not None
        assert isinstance(opened.security_key.clock, SystemClock)
        first = opened.serial_number
    with open_key("virtual:reference?seed=7") as again, open_key("virtual:reference") as other:
        assert again.serial_number == first
        assert other.serial_number != first
    assert discover() == []


def test_a_virtual_key_lives_in_the_world_given() -> None:
    world = World(seed=1)
    with (
        open_key("virtual:reference", world=world) as first,
        open_key("virtual:reference", world=world) as second,
        open_key("virtual:reference?seed=7", world=world) as seeded,
    ):
        keys = [each.security_key for each in (first, second, seeded)]
        assert all(key and isinstance(key.clock, SimulatedClock) for key in keys)
        assert len({each.serial_number for each in (first, second, seeded)}) == 3
        assert first.serial_number == World(seed=1).security_key().serial_number


def test_an_unknown_profile_gets_a_suggestion() -> None:
    with pytest.raises(SelectorError, match="did you mean reference"):
        open_key("virtual:refrence")


def test_plugged_virtual_keys_are_found() -> None:
    key = World(seed=1).security_key()
    with plugged(key) as [path]:
        [found] = discover()
        assert found.is_virtual
        assert found.selector == f"hid:{path}"
        with open_key() as opened:
            assert opened.security_key is key
            assert opened.serial_number == key.serial_number
    connect(key).close()


@pytest.mark.parametrize(
    "text", ["auto", "hid:/dev/hidraw9", "serial:1", "virtual:reference?seed=1"]
)
def test_a_selector_is_checked_without_opening_anything(physical: Any, text: str) -> None:
    physical.add_broken("/dev/hidraw9", AssertionError("opened"))
    assert str(check_selector(text)) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [("virtual:refrence", "did you mean reference"), ("hid", "did you mean hid:")],
)
def test_a_selector_is_checked_down_to_its_profile(text: str, advice: str) -> None:
    with pytest.raises(SelectorError, match=advice):
        check_selector(text)
