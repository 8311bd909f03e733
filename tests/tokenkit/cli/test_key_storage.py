"""``tokenkit keys creds``, ``blobs`` and ``bio``: what is stored on a key."""

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.world.finger import Placement, Press
from tokenkit.virtual import ScriptedFinger

Desk = Any


@pytest.fixture
def filled(desk: Desk, register: Any) -> Desk:
    """Alice at two RPs, once with a largeBlobKey, and Bob."""
    with desk.open() as key:
        ctap = key.ctap2()
        register(ctap, "alice", "a.example", blob=True)
        register(ctap, "alice", "b.example")
        register(ctap, "bob", "a.example", blob=True)
    desk.set_pin()
    return desk


def ids(desk: Desk) -> dict[str, str]:
    listed = json.loads(desk.run("creds", "list", "KEY", "--json")[1])["credentials"]
    return {f"{each['user_name']}@{each['rp_id']}": each["credential_id"] for each in listed}


class TestCreds:
    def test_list(self, filled: Desk) -> None:
        status, out, err = filled.run("creds", "list", "KEY")
        assert (status, err) == (0, "")
        for fact in ("a.example", "alice", "Alice", "ES256", "largeBlobKey", "yes", "no"):
            assert fact in out
        assert "3 on the key, room for 97 more at most" in out
        shown = json.loads(filled.run("creds", "list", "KEY", "--json")[1])
        assert (shown["existing"], shown["remaining"]) == (3, 97)
        [first] = [each for each in shown["credentials"] if each["rp_id"] == "b.example"]
        assert first == {
            "rp_id": "b.example",
            "credential_id": first["credential_id"],
            "user_id": b"alice".hex(),
            "user_name": "alice",
            "display_name": "Alice",
            "algorithm": -7,
            "protection": 2,
            "has_large_blob_key": False,
        }

    def test_an_empty_key(self, desk: Desk) -> None:
        desk.set_pin()
        assert desk.run("creds", "list", "KEY")[1].startswith("0 on the key, room for 100 more")
        assert json.loads(desk.run("creds", "list", "KEY", "--json")[1])["credentials"] == []

    def test_delete_by_prefix(self, filled: Desk) -> None:
        every = ids(filled)
        status, out, _ = filled.run("creds", "delete", "KEY", "--id", every["bob@a.example"][:6])
        assert (status, out[:23]) == (0, "erased bob at a.example")
        assert ids(filled).keys() == every.keys() - {"bob@a.example"}

    def test_delete_by_rp_and_user(self, filled: Desk) -> None:
        args = ("creds", "delete", "KEY", "--rp", "b.example", "--user", "alice", "--json")
        status, out, _ = filled.run(*args)
        assert status == 0
        assert json.loads(out)["deleted"]["rp_id"] == "b.example"
        status, _, err = filled.run(*args)
        assert (status, err) == (2, "tokenkit: no credential on the key fits\n")

    def test_a_choice_that_fits_several_lists_them(self, filled: Desk) -> None:
        status, out, err = filled.run("creds", "delete", "KEY", "--user", "alice")
        assert (status, out) == (2, "")
        every = ids(filled)
        assert f"{every['alice@a.example']} (alice at a.example)" in err
        assert f"{every['alice@b.example']} (alice at b.example)" in err
        assert len(every) == 3

    def test_rename(self, filled: Desk) -> None:
        status, out, _ = filled.run("creds", "rename", "KEY", "--user", "bob", "--name", "rob")
        assert status == 0
        assert "bob at a.example is rob at a.example now" in out
        args = ("creds", "rename", "KEY", "--user", "rob", "--display-name", "Rob", "--json")
        renamed = json.loads(filled.run(*args)[1])["renamed"]
        assert (renamed["user_name"], renamed["display_name"]) == ("rob", "Rob")

    @pytest.mark.parametrize(
        ("args", "advice"),
        [
            (["delete", "KEY"], "choose a credential with --id, or with --rp and --user"),
            (["delete", "KEY", "--id", "abc"], "give 4 digits or more"),
            (["rename", "KEY", "--id", "abcd"], "give the new --name, the new --display-name"),
        ],
    )
    def test_half_a_command(self, filled: Desk, args: list[str], advice: str) -> None:
        status, out, err = filled.run("creds", *args)
        assert (status, out) == (2, "")
        assert advice in err

    def test_names_cannot_drive_the_terminal(self, desk: Desk, register: Any) -> None:
        with desk.open() as key:
            register(key.ctap2(), "\x1b[2Jalice", "a.example")
        desk.set_pin()
        listed = desk.run("creds", "list", "KEY")
        renamed = desk.run("creds", "rename", "KEY", "--rp", "a.example", "--name", "\x07bell")
        deleted = desk.run("creds", "delete", "KEY", "--rp", "a.example")
        for status, out, err in (listed, renamed, deleted):
            assert status == 0
            assert not set("\x1b\x07") & set(out + err)


class TestBlobs:
    @pytest.fixture
    def stored(self, filled: Desk) -> Desk:
        args = ("blobs", "put", "KEY", "--user", "bob", "--in", "-")
        assert filled.run(*args, stdin=b"\x00his\n")[0] == 0
        return filled

    def test_put_and_get(self, stored: Desk, tmp_path: Path) -> None:
        get = ("blobs", "get", "KEY", "--user", "bob")
        assert stored.run(*get) == (0, "\x00his\n", "")
        shown = json.loads(stored.run(*get, "--json")[1])
        assert (shown["size"], base64.b64decode(shown["data"])) == (5, b"\x00his\n")
        out = tmp_path / "blob"
        status, text, _ = stored.run(*get, "--out", str(out))
        assert (status, text[:13]) == (0, "wrote 5 bytes")
        assert out.read_bytes() == b"\x00his\n"
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        status, _, err = stored.run(*get, "--out", str(out))
        assert (status, err) == (2, f"tokenkit: {out} is there already and is not overwritten\n")

    def test_from_a_file(self, stored: Desk, tmp_path: Path) -> None:
        (tmp_path / "blob").write_bytes(b"new")
        args = ("--user", "bob", "--in", str(tmp_path / "blob"), "--json")
        status, out, _ = stored.run("blobs", "put", "KEY", *args)
        assert (status, json.loads(out)["size"]) == (0, 3)
        assert stored.run("blobs", "get", "KEY", "--user", "bob")[1] == "new"

    def test_list_names_who_can_read_them(self, stored: Desk) -> None:
        status, out, _ = stored.run("blobs", "list", "KEY")
        assert status == 0
        assert "bob at a.example" in out
        assert "1 blobs take" in out
        shown = json.loads(stored.run("blobs", "list", "KEY", "--json")[1])
        assert shown["capacity"] == 4096
        [blob] = shown["blobs"]
        assert blob["size"] == 5
        assert blob["credential"]["user_name"] == "bob"

    def test_a_key_without_a_pin_shows_sizes(self, desk: Desk) -> None:
        assert desk.run("blobs", "list", "KEY")[1].startswith("0 blobs take 0 of about 4096 bytes")
        assert json.loads(desk.run("blobs", "list", "KEY", "--json")[1])["blobs"] == []

    def test_delete(self, stored: Desk) -> None:
        args = ("blobs", "delete", "KEY", "--user", "bob")
        status, out, _ = stored.run(*args)
        assert (status, out[:35]) == (0, "erased the blob of bob at a.example")
        for again in (args, ("blobs", "get", "KEY", "--user", "bob")):
            status, out, err = stored.run(*again)
            assert (status, out) == (2, "")
            assert "bob at a.example has no large blob" in err

    def test_a_deleted_credential_takes_its_blob_along(self, stored: Desk) -> None:
        assert stored.run("creds", "delete", "KEY", "--user", "bob")[0] == 0
        assert json.loads(stored.run("blobs", "list", "KEY", "--json")[1])["blobs"] == []

    def test_a_credential_that_can_have_none(self, stored: Desk) -> None:
        status, _, err = stored.run("blobs", "get", "KEY", "--rp", "b.example")
        assert status == 2
        assert "was made without largeBlobKey" in err

    def test_too_much(self, stored: Desk) -> None:
        data = stored.world.entropy.bytes(5000)
        status, _, err = stored.run("blobs", "put", "KEY", "--user", "bob", "--in", "-", stdin=data)
        assert status == 2
        assert "has no room for that" in err
        assert stored.run("blobs", "get", "KEY", "--user", "bob")[1] == "\x00his\n"


class TestBio:
    @pytest.fixture
    def sensor(self, desk: Desk) -> Desk:
        desk.set_pin()
        return desk

    def enroll(self, desk: Desk, *args: str, finger: str = "index") -> tuple[int, str, str]:
        good = Press(0.5, finger=finger)
        low = Press(finger=finger, placement=Placement.TOO_LOW)
        desk.device.finger = ScriptedFinger([good, low, good, good, good])
        done: tuple[int, str, str] = desk.run("bio", "enroll", "KEY", *args)
        return done

    def test_info_takes_no_pin(self, desk: Desk) -> None:
        status, out, _ = desk.run("bio", "info", "KEY")
        assert status == 0
        assert "touch" in out
        shown = json.loads(desk.run("bio", "info", "KEY", "--json")[1])
        assert (shown["kind"], shown["max_samples"], shown["max_name_bytes"]) == ("touch", 4, 64)

    def test_enroll_shows_each_sample(self, sensor: Desk) -> None:
        status, out, err = self.enroll(sensor, "--name", "Zeigefinger")
        assert status == 0
        assert "Zeigefinger: tokenkit reference key" in out
        assert [line for line in err.splitlines() if "touch" not in line] == [
            "[#####---------------] 1 of 4  good",
            "[#####---------------] 1 of 4  too low: move the finger up",
            "[##########----------] 2 of 4  good",
            "[###############-----] 3 of 4  good",
            "[####################] 4 of 4  good",
        ]
        assert err.splitlines()[0] == "touch the sensor now"

    def test_list_rename_and_remove(self, sensor: Desk) -> None:
        assert sensor.run("bio", "list", "KEY")[1].startswith("no fingerprint is enrolled")
        self.enroll(sensor, "--name", "one")
        made = json.loads(self.enroll(sensor, "--json", finger="thumb")[1])
        assert made["fingerprint_name"] == ""
        status, out, _ = sensor.run("bio", "rename", "KEY", "--finger", made["id"], "--name", "two")
        assert (status, out.partition(":")[0]) == (0, f"{made['id']} is two now")
        assert "two" in sensor.run("bio", "list", "KEY")[1]
        assert sensor.run("bio", "remove", "KEY", "--finger", "one")[0] == 0
        left = json.loads(sensor.run("bio", "list", "KEY", "--json")[1])["fingerprints"]
        assert left == [{"id": made["id"], "name": "two"}]
        status, _, err = sensor.run("bio", "remove", "KEY", "--finger", "one")
        assert status == 2
        assert "no fingerprint has the id or name 'one'; there are:" in err
        assert "fingerprint or the like" in sensor.run("pin", "retries", "KEY")[1]

    def test_ctrl_c_is_130_and_leaves_nothing(
        self, sensor: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(sample: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("tokenkit.cli.key_bio._show", interrupt)
        status, out, err = self.enroll(sensor)
        assert (status, out, err.splitlines()[-1]) == (130, "", "tokenkit: interrupted")
        assert json.loads(sensor.run("bio", "list", "KEY", "--json")[1])["fingerprints"] == []

    def test_a_key_without_sensor(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk("self-attested")
        desk.set_pin()
        for args in (
            ["info"],
            ["list"],
            ["enroll"],
            ["rename", "--finger", "x", "--name", "y"],
            ["remove", "--finger", "x"],
        ):
            status, out, err = desk.run("bio", args[0], "KEY", *args[1:])
            assert (status, out) == (2, "")
            assert "has no fingerprint sensor" in err
