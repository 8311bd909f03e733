"""The files by which programs find a key, beside those that are really there."""

from pathlib import Path

import pytest
from fido2.hid.base import parse_report_descriptor

from tokenkit.preload.tree import Tree
from tokenkit.virtual import World


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    real = tmp_path / "real"
    for folder in ("dev", "sys/class/hidraw/hidraw1", "sys/class/net", "run/udev/data"):
        (real / folder).mkdir(parents=True)
    for file in ("dev/null", "dev/hidraw0", "run/udev/data/c1:3"):
        (real / file).touch()
    root = tmp_path / "root"
    root.mkdir()
    return Tree(root, real)


def test_numbers_are_those_that_no_real_key_has(tree: Tree) -> None:
    world = World(1)
    assert [tree.add(world.security_key()).name for _ in range(2)] == ["hidraw2", "hidraw3"]


def test_sysfs_says_what_the_key_is(tree: Tree) -> None:
    key = World(1).security_key("yubikey-5.7")
    tree.add(key)
    node = tree.root / "sys/class/hidraw/hidraw2"
    uevent = (node / "device/uevent").read_text()
    assert "HID_ID=0003:00001050:00000407\nHID_NAME=Yubico YubiKey" in uevent
    assert parse_report_descriptor((node / "device/report_descriptor").read_bytes()) == (64, 64)
    number = (node / "dev").read_text().strip()
    assert (tree.root / "sys/dev/char" / number).samefile(node)
    major, minor = number.split(":")
    assert (node / "uevent").read_text() == f"MAJOR={major}\nMINOR={minor}\nDEVNAME=hidraw2\n"
    assert (node / "subsystem").readlink().name == "hidraw"
    assert (node / "device/subsystem").readlink().name == "hid"
    assert "E:ID_FIDO_TOKEN=1\n" in (tree.root / f"run/udev/data/c{number}").read_text()


def test_only_a_serial_number_that_usb_tells_shows(tree: Tree) -> None:
    world = World(1)
    shown = []
    for profile in ("reference", "yubikey-5.7"):
        key = world.security_key(profile)
        node = tree.root / "sys/class/hidraw" / tree.add(key).name
        facts = dict(
            line.split("=", 1) for line in (node / "device/uevent").read_text().splitlines()
        )
        shown.append(facts["HID_UNIQ"] == key.serial_number)
        assert facts["HID_UNIQ"] in ("", key.serial_number)
    assert shown == [True, False]


def test_what_is_really_there_shows_beside_it(tree: Tree, tmp_path: Path) -> None:
    tree.add(World(1).security_key())
    tree.finish()
    assert (tree.root / "dev/null").readlink() == tmp_path / "real/dev/null"
    assert {each.name for each in (tree.root / "sys/class").iterdir()} == {"hidraw", "net"}
    listed = sorted(each.name for each in (tree.root / "sys/class/hidraw").iterdir())
    assert listed == ["hidraw1", "hidraw2"]
    assert (tree.root / "run/udev/data/c1:3").is_symlink()
    assert not (tree.root / "sys/class/hidraw").is_symlink()


def test_where_nothing_is_really_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    tree = Tree(root, tmp_path / "nothing")
    assert tree.add(World(1).security_key()) == root / "dev/hidraw0"
    tree.finish()
    assert [each.name for each in (root / "sys/class").iterdir()] == ["hidraw"]
