"""Wireshark's own dissectors on a recorded trace."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tokenkit.keys import open_key, ping, record
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.virtual import World

KEY = "virtual:yubikey-5.4?seed=1"


@pytest.fixture(autouse=True)
def need_tshark() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: apt-get install tshark")


def tshark(path: Path, *options: str) -> list[list[str]]:
    """Fields of each packet."""
    done = subprocess.run(
        ["tshark", "-r", str(path), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "malformed" not in done.stdout.lower()
    return [line.split("\t") for line in done.stdout.splitlines()]


def fields(path: Path, filter: str, *names: str) -> list[list[str]]:
    return tshark(path, "-Y", filter, "-T", "fields", *(f"-e{name}" for name in names))


def test_a_recorded_session_is_usb_hid_and_ctaphid_on_its_channel(tmp_path: Path) -> None:
    path = tmp_path / "session.pcapng"
    with record(path), open_key(KEY, world=World(seed=1)) as key:
        ping(key, 1, 100)
    rows = fields(path, "usbhid.data", "usb.endpoint_address.direction", "usbhid.data")
    reports = [(direction, bytes.fromhex(data)) for direction, data in rows]
    assert {len(data) for _, data in reports} == {64}
    init = next(data for direction, data in reports if direction == "1")
    channel = init[15:19]  # after 7 bytes of head and 8 of nonce
    assert init[:5] == b"\xff\xff\xff\xff\x86"
    assert [(direction, data[:4] == channel, data[4]) for direction, data in reports] == [
        ("0", False, 0x86),
        ("1", False, 0x86),
        ("0", True, 0xC2),  # a YubiKey's serial number
        ("1", True, 0xC2),
        ("0", True, 0x81),
        ("0", True, 0),
        ("1", True, 0x81),
        ("1", True, 0),
    ]
    sent = reports[4][1][7:] + reports[5][1][5:48]
    assert sent == reports[6][1][7:] + reports[7][1][5:48]
    assert len(sent) == 100


def test_the_interface_is_fido_by_its_descriptors(tmp_path: Path) -> None:
    path = tmp_path / "session.pcapng"
    with record(path), open_key("virtual:reference?seed=1", world=World(seed=1)) as key:
        serial_number = key.serial_number
    [device] = fields(path, "usb.idVendor", "usb.idVendor", "usb.idProduct")
    assert device == ["0x1209", "0x0001"]
    texts = [text for [text] in fields(path, "usb.bString", "usb.bString")]
    assert texts == ["tokenkit reference key", serial_number]
    words = "\n".join("\t".join(row) for row in tshark(path, "-V"))
    assert "Usage Page (FIDO Alliance)" in words
    assert "Usage (U2F Authenticator Device)" in words
    assert "bInterfaceClass: HID (0x03)" in words


def test_times_are_those_of_the_clock_that_was_handed_in(tmp_path: Path) -> None:
    times = iter([1_700_000_000.0, 1_700_000_000.25, 1_700_000_001.000001])
    with TraceWriter(tmp_path / "trace", now=lambda: next(times)) as writer:
        tap = writer.hid(UsbIdentity())
        tap(True, bytes(64))
        tap(False, bytes(64))
    rows = fields(tmp_path / "trace", "usbhid.data", "frame.time_epoch")
    assert rows == [["1700000000.250000000"], ["1700000001.000001000"]]


def test_two_keys_are_two_devices(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        for number in (1, 2):
            writer.hid(UsbIdentity())(True, bytes((number,)) * 64)
    rows = fields(tmp_path / "trace", "usbhid.data", "usb.device_address", "usbhid.data")
    assert [(address, data[:2]) for address, data in rows] == [("1", "01"), ("2", "02")]


def test_a_card_is_ccid_and_its_apdus_iso_7816(tmp_path: Path) -> None:
    select = bytes.fromhex("00a4040008a0000006472f000100")
    with TraceWriter(tmp_path / "trace") as writer:
        tap = writer.card(UsbIdentity("a reader"))
        tap(True, select)
        tap(False, b"U2F_V2\x90\x00")
    decode_as = ("-d", "usbccid.subdissector,iso7816")
    rows = fields(
        tmp_path / "trace",
        "usbccid",
        "usbccid.bMessageType",
        "usbccid.dwLength",
        "usb.device_address",
    )
    assert rows == [["0x6f", "14", "1"], ["0x80", "8", "1"]]
    words = "\n".join(row[0] for row in tshark(tmp_path / "trace", "-V", *decode_as))
    assert "Instruction: Select file (0xa4)" in words
    assert "APDU Body: a0000006472f0001" in words
    assert "Response APDU (to Select file)" in "".join(
        row[0] for row in tshark(tmp_path / "trace", *decode_as)
    )
