import json
from collections.abc import Callable
from dataclasses import replace

import fido2.hid
import pytest
from fido2.hid import CtapHidDevice

from tokenkit.cli import main
from tokenkit.keys import hid
from tokenkit.virtual import World, load_profile, plugged

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``tokenkit keys …`` on a machine without keys: exit status, output, errors."""
    monkeypatch.setattr(fido2.hid, "list_descriptors", list)
    monkeypatch.setattr(hid, "locked_keys", list)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["keys", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


def test_list_without_keys(run: Run) -> None:
    status, out, _ = run("list")
    assert status == 0
    assert "no security key is plugged in" in out
    assert "virtual:reference" in out
    status, out, _ = run("list", "--json")
    assert (status, json.loads(out)) == (0, [])


def test_list_shows_each_key(run: Run) -> None:
    security_key = World(seed=1).security_key()
    with plugged(security_key) as [path]:
        _, table, _ = run("list")
        _, text, _ = run("list", "--json")
    for fact in (f"hid:{path}", "tokenkit reference key", security_key.serial_number, "FIDO_2_0"):
        assert fact in table
    [listed] = json.loads(text)
    assert listed["selector"] == f"hid:{path}"
    assert listed["is_virtual"] is True
    assert listed["problem"] is None


def test_names_are_text_not_markup(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugged(World(seed=1).security_key()):
        for descriptor in fido2.hid.list_descriptors():
            descriptor.product_name = "[red]Key[/red] :smile:"
        assert "[red]Key[/red] :smile:" in run("list")[1]


def test_info(run: Run) -> None:
    status, out, _ = run("info", "virtual:reference?seed=7")
    assert status == 0
    for fact in ("aaguid", "746f6b65-6e6b-4974-8000-726566657265", "ES256 (-7)", "maxMsgSize"):
        assert fact in out
    status, out, _ = run("info", "virtual:reference?seed=7", "--json")
    shown = json.loads(out)
    assert shown["selector"] == "virtual:reference?seed=7"
    assert shown["info"]["versions"] == ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]


def test_info_shows_the_serial_number_that_a_yubikey_tells_by_its_own_command(run: Run) -> None:
    world = World(seed=1)
    profile = replace(
        load_profile("reference"),
        vendor_id=0x1050,
        usb_serial_number=False,
        vendor_commands=("yubico-read-config",),
    )
    security_key = world.security_key(profile)
    with plugged(security_key):
        assert [device.serial_number for device in CtapHidDevice.list_devices()] == [None]
        _, out, _ = run("info", "--json")
        assert json.loads(out)["serial_number"] == security_key.serial_number[-10:].lstrip("0")


def test_ping(run: Run) -> None:
    status, out, _ = run("ping", "virtual:reference", "--count", "3", "--size", "1000")
    assert status == 0
    assert "3 × 1000 bytes came back the same" in out
    status, out, _ = run("ping", "virtual:reference", "--count", "3", "--json")
    assert 0 < json.loads(out)["min_s"] <= json.loads(out)["max_s"]


def test_a_changed_echo_is_exit_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fido2.hid.CtapHidDevice, "ping", lambda self, message: b"?")
    status, out, err = run("ping", "virtual:reference")
    assert (status, out) == (1, "")
    assert "came back changed" in err


def test_wink(run: Run) -> None:
    security_key = World(seed=1).security_key()
    with plugged(security_key):
        status, out, _ = run("wink")
    assert status == 0
    assert security_key.serial_number in out
    assert security_key.winks == 1


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["info"], "plug one in, or take a virtual one"),
        (["info", "hidd:/dev/hidraw3"], "did you mean hid:/dev/hidraw3?"),
        (["info", "virtual:refrence"], "did you mean reference?"),
        (["wink", "serial:1"], "no key has serial number 1"),
        (["ping", "virtual:reference", "--size", "7610"], "7610 is not in the range"),
        (["ping", "virtual:reference", "--count", "0"], "0 is not in the range"),
        (["pong"], "No such command"),
    ],
)
def test_bad_input_is_one_clear_error(run: Run, args: list[str], advice: str) -> None:
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert advice in err
    assert "Traceback" not in err
