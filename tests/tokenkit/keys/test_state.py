"""Virtual keys that live in a file."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fido2.ctap2 import ClientPin

from tokenkit.keys import OpenKey, SelectorError, UnreadableKeyError, check_selector, open_key
from tokenkit.scenario import parse, run
from tokenkit.virtual import (
    Identity,
    SqliteFlash,
    UnpluggedError,
    World,
    inspect_state,
    load_profile,
    profile_names,
)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(key: OpenKey, user: bytes = b"user") -> Any:
    made = key.ctap2().make_credential(
        bytes(32),
        {"id": "example.com", "name": "Example"},
        {"id": user, "name": "user"},
        [{"type": "public-key", "alg": -7}],
        options={"rk": True},
    )
    return made.auth_data.credential_data


def sign(key: OpenKey) -> Any:
    return key.ctap2().get_assertion("example.com", bytes(32))


def test_a_key_outlives_its_process() -> None:
    with open_key("virtual:reference?state=key.state") as key:
        first = key.serial_number
        credential = make(key)
        ClientPin(key.ctap2()).set_pin("1234")
        assert key.security_key is not None
        key.security_key.power_cycle()
    with open_key("virtual:reference?state=key.state") as key:
        assert key.serial_number == first
        assert key.ctap2().info.options["clientPin"] is True
        sign(key).verify(bytes(32), credential.public_key)
        again = key.security_key
    assert again is not None
    with pytest.raises(UnpluggedError):
        again.write(bytes(64))


@pytest.mark.parametrize("profile", profile_names())
def test_each_model_can_live_in_a_file(profile: str) -> None:
    with open_key(f"virtual:{profile}?state=key.state") as key:
        assert key.security_key is not None
        serial_number = key.security_key.serial_number
    assert inspect_state(Path("key.state")).identity == Identity(profile, serial_number)
    with open_key("virtual:?state=key.state") as key:
        assert key.security_key is not None
        assert key.security_key.serial_number == serial_number


def test_the_profile_may_be_left_to_the_file() -> None:
    with open_key("virtual:self-attested?state=key.state") as key:
        serial_number = key.serial_number
    with open_key("virtual:?state=key.state") as key:
        assert key.serial_number == serial_number
        assert key.security_key is not None
        assert key.security_key.profile.name == "self-attested"
        assert key.selector == "virtual:?state=key.state"
    check_selector("virtual:?state=absent")


def test_a_seed_makes_the_same_key_and_then_the_same_future() -> None:
    def life(file: str) -> list[Any]:
        selector = f"virtual:reference?state={file}&seed=7"
        facts: list[Any] = []
        for user in (b"a", b"b", b"c"):
            with open_key(selector) as key:
                facts.append((key.serial_number, make(key, user)))
        return facts

    first = life("one")
    assert first == life("two")
    assert len({made.credential_id for _, made in first}) == 3
    assert first[0][0] == open_key("virtual:reference?seed=7").serial_number


def test_it_lives_in_the_given_world() -> None:
    world = World(seed=1)
    with open_key("virtual:reference?state=key.state", world=world) as key:
        assert key.security_key is not None
        assert key.security_key.clock is world.clock


def test_a_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    open_key("virtual:reference?state=~/my key.state").close()
    assert (tmp_path / "my key.state").exists()
    with pytest.raises(UnreadableKeyError, match="home directory"):
        open_key("virtual:reference?state=~nobody-of-that-name/key.state")


def test_another_profile_is_refused_by_name() -> None:
    open_key("virtual:self-attested?state=key.state").close()
    before = Path("key.state").read_bytes()
    message = (
        r"key\.state: its key has profile self-attested, not reference: "
        r"write virtual:self-attested\?state=key\.state"
    )
    with pytest.raises(SelectorError, match=message):
        open_key("virtual:reference?state=key.state")
    assert Path("key.state").read_bytes() == before
    open_key("virtual:?state=key.state").close()


def test_no_file_is_made_where_no_profile_is_said() -> None:
    with pytest.raises(SelectorError, match=r"not there yet, so say the new key's profile: 'virt"):
        open_key("virtual:?state=key.state")
    with pytest.raises(SelectorError, match="did you mean reference"):
        open_key("virtual:refrence?state=key.state")
    assert os.listdir() == []
    Path("key.state").touch()
    with pytest.raises(SelectorError, match="no key is in it yet"):
        open_key("virtual:?state=key.state")
    open_key("virtual:reference?state=key.state").close()


def test_one_process_at_a_time() -> None:
    with open_key("virtual:reference?state=key.state"):
        done = subprocess.run(
            [sys.executable, "-m", "tokenkit", "keys", "info", "virtual:?state=key.state"],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert "key.state: cannot be used as a state file: another key or program uses" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    open_key("virtual:?state=key.state").close()


def test_a_killed_process_leaves_the_file_free() -> None:
    program = (
        "import os, signal; from tokenkit.keys import open_key;"
        "key = open_key('virtual:reference?state=key.state&seed=1');"
        "os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode != 0
    with open_key("virtual:?state=key.state") as key:
        assert key.serial_number == open_key("virtual:reference?seed=1").serial_number


def test_state_of_something_else_is_left_alone() -> None:
    flash = SqliteFlash("token.flash")
    flash.write({"hotp-counter": b"1"})
    flash.close()
    Path("notes.txt").write_text("not a database, though long enough to have a header" * 9)
    Path("folder").mkdir()
    for file, reason in {
        "token.flash": "the state of something else than a key",
        "notes.txt": "file is not a database",
        "folder": "Is a directory",
        "missing/key.state": "No such file or directory",
        "notes.txt/key.state": "Not a directory",
        "a\0b": "null",
    }.items():
        for profile in ("reference", ""):
            with pytest.raises((UnreadableKeyError, SelectorError)) as caught:
                open_key(f"virtual:{profile}?state={file}")
            if profile:
                assert reason in str(caught.value)
    flash = SqliteFlash("token.flash")
    assert dict(flash.items()) == {"hotp-counter": b"1"}
    flash.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"credential/00": b"\xff"},
        {"credential/no hex": b"\xa0"},
        {"credential/00": b"\xa0"},
        {"credential-wrap-key": b"short"},
        {"device/profile": b"my own"},
        {"device/serial-number": b"\xff"},
    ],
)
def test_a_damaged_key_is_one_clear_error(changes: dict[str, bytes]) -> None:
    open_key("virtual:reference?state=key.state").close()
    flash = SqliteFlash("key.state")
    flash.write(changes)
    flash.close()
    with pytest.raises(UnreadableKeyError, match=r"key\.state: its key cannot be powered up: "):
        open_key("virtual:?state=key.state")
    SqliteFlash("key.state").close()  # nobody holds it


def test_storage_that_fails_at_power_up(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = SqliteFlash._connect

    def small_disk(self: SqliteFlash) -> Any:
        connection = connect(self)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(SqliteFlash, "_connect", small_disk)
    with pytest.raises(UnreadableKeyError, match=r"key\.state: .*disk is full"):
        open_key("virtual:reference?state=key.state")
    monkeypatch.undo()


def test_a_scenario_pulls_it_out_and_plugs_it_in() -> None:
    scenario = """
title = "A key of its own"
[[step]]
do = "make-key"
device = "key"
[[step]]
do = "register"
device = "key"
[[step]]
do = "power-cycle"
device = "key"
[[step]]
do = "assert"
device = "key"
[[step]]
do = "unplug"
device = "key"
[[step]]
do = "assert"
device = "key"
expect = "unplugged"
[[step]]
do = "plug-in"
device = "key"
[[step]]
do = "assert"
device = "key"
"""
    record = run(parse(scenario, "own.toml"), keys=["virtual:reference?state=key.state"])
    assert record.held, [(step.text, step.outcomes) for step in record.steps]
    with open_key("virtual:?state=key.state") as key:
        assert key.security_key is not None
        assert key.security_key.profile == load_profile("reference")
        assert int.from_bytes(key.security_key.flash.get("signature-counter") or b"", "big") >= 3
