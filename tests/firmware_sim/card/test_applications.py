"""Which model is a card with what on it, and how it presents itself."""

import pytest

from firmware_sim.card.applications import answer_to_reset
from firmware_sim.card.fido import FidoApplet
from firmware_sim.card.management import ManagementApplet
from firmware_sim.card.oath import OathApplet
from firmware_sim.profiles import load_profile, profile_names

YUBIKEYS = ["security-key", "yubikey-5.2", "yubikey-5.4", "yubikey-5.7"]


def test_models(make_host):
    applets = {"fido": FidoApplet, "oath": OathApplet, "yubico-management": ManagementApplet}
    found = {}
    for name in profile_names():
        if not load_profile(name).card_applications:
            with pytest.raises(ValueError, match=f"{name} is a model without NFC or CCID"):
                make_host(name)
            continue
        host = make_host(name)
        found[name] = [each for each, applet in applets.items() if host.select(applet.aid)[0]]
    assert found == {
        "nitrokey-3": ["fido"],
        "reference": ["fido", "oath"],
        "security-key": ["fido", "yubico-management"],
        "self-attested": ["fido", "oath"],
        "titan": ["fido"],
        "yubikey-5.2": ["fido", "oath", "yubico-management"],
        "yubikey-5.4": ["oath", "yubico-management"],
        "yubikey-5.7": ["fido", "oath", "yubico-management"],
    }


@pytest.mark.parametrize("name", YUBIKEYS)
def test_management(make_host, name):
    host = make_host(name, serial_number="VIRTUAL-0012345678")
    version = load_profile(name).device_version
    words = "Virtual mgr - FW version {}.{}.{}".format(*version)
    assert host.select(ManagementApplet.aid) == (words.encode(), 0x9000)
    page, status = host.send(0x1D)
    assert (page[0], status) == (len(page) - 1, 0x9000)
    assert bytes.fromhex("020400bc614e") in page
    assert b"\x05\x03" + bytes(version) in page
    assert host.send(0x1D, 1) == (b"", 0x6B00)
    assert host.send(0x1C, 0, 0, b"\0") == (b"", 0x6D00)
    assert host.send(0x1D, cla=0x80) == (b"", 0x6E00)


def test_answers_to_reset():
    yubikey = "3b8d80018073c021c057597562694b6579f9"
    answers = {name: answer_to_reset(load_profile(name)) for name in profile_names()}
    assert {answers[name].hex() for name in YUBIKEYS} == {yubikey}
    assert b"tokenkit" in answers["reference"]
    for answer in answers.values():
        assert answer[0] == 0x3B
        assert answer[1] & 0x0F == len(answer) - 5 <= 15
        check = 0
        for byte in answer[1:]:
            check ^= byte
        assert check == 0


def test_one_supply(make_host):
    """The same chip over USB or on a reader, with the same memory, and not both."""
    key = make_host().key
    assert key.card
    with pytest.raises(OSError, match="unplugged"):
        key.link  # noqa: B018
    key.power_on(as_card=True)
    card = key.card
    key.power_cycle()
    assert key.card is not card
    key.power_on()
    assert key.link
    with pytest.raises(OSError, match="unplugged"):
        key.card  # noqa: B018
    with pytest.raises(OSError, match="unplugged"):
        key.transmit(b"")
    key.power_off()
    key.power_off()
    with pytest.raises(OSError, match="unplugged"):
        key.poll()
