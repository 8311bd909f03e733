"""``tokenkit keys config``, ``reset`` and ``attest``; and the guard on all that changes a key."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_sim.fido.metadata import metadata_blob
from tokenkit.keys.pin import has_pin
from tokenkit.virtual import (
    ScriptedFinger,
    World,
    load_profile,
    profile_names,
    root_certificate,
)

Desk = Any


class TestConfig:
    def test_show(self, desk: Desk) -> None:
        status, out, _ = desk.run("config", "show", "KEY")
        assert status == 0
        for fact in ("always uv", "min pin length", "changeable", "long-touch-for-reset"):
            assert fact in out
        shown = json.loads(desk.run("config", "show", "KEY", "--json")[1])
        assert (shown["always_uv"], shown["min_pin_length"]) == (False, 4)
        assert "always-uv" in shown["changeable"]

    def test_always_uv(self, desk: Desk) -> None:
        desk.set_pin()
        for state, text in (
            ("on", "always-uv set"),
            ("on", "always-uv was so already"),
            ("off", "always-uv set"),
        ):
            status, out, _ = desk.run("config", "always-uv", state, "KEY")
            assert (status, out.partition(":")[0]) == (0, text)
            shown = json.loads(desk.run("config", "show", "KEY", "--json")[1])
            assert shown["always_uv"] is (state == "on")

    def test_min_pin_length(self, desk: Desk) -> None:
        desk.set_pin()
        rp_ids = ("--rp-id", "a.example", "--rp-id", "b.example")
        status, out, _ = desk.run("config", "min-pin-length", "6", "KEY", *rp_ids, "--json")
        assert status == 0
        shown = json.loads(out)
        assert (shown["changed"], shown["min_pin_length"], shown["force_pin_change"]) == (
            True,
            6,
            True,
        )
        status, _, err = desk.run("pin", "verify", "KEY")
        assert status == 2
        assert "must be changed first" in err
        assert desk.run("pin", "change", "KEY", TOKENKIT_NEW_PIN="123456")[0] == 0
        desk.monkeypatch.setenv("TOKENKIT_PIN", "123456")
        status, _, err = desk.run("config", "min-pin-length", "5", "KEY")
        assert status == 2
        assert "can only grow" in err

    @pytest.mark.parametrize(
        ("setting", "member"),
        [
            ("force-pin-change", "force_pin_change"),
            ("pin-complexity", "pin_complexity"),
            ("enterprise-attestation", "enterprise_attestation"),
            ("long-touch-for-reset", "long_touch_for_reset"),
        ],
    )
    def test_switched_on(self, desk: Desk, setting: str, member: str) -> None:
        desk.set_pin("1379")
        status, out, _ = desk.run("config", setting, "KEY", "--json")
        assert status == 0
        assert json.loads(out)[member] is True
        # nothing else changed
        status, out, _ = desk.run("config", "show", "KEY")
        assert out.count(" yes ") == 2  # and that there is a PIN

    def test_what_a_key_does_not_offer(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk("self-attested")
        desk.set_pin()
        desk.monkeypatch.delenv("TOKENKIT_PIN")  # it is not even asked for
        status, _, err = desk.run("config", "enterprise-attestation", "KEY")
        assert status == 2
        assert "does not offer enterprise-attestation; it offers: always-uv" in err
        assert desk.run("config", "always-uv", "maybe", "KEY")[0] == 2
        assert desk.run("config", "min-pin-length", "64", "KEY")[0] == 2


class TestReset:
    def test_a_virtual_key(self, desk: Desk) -> None:
        desk.set_pin()
        desk.world.clock.advance(3600)
        status, out, err = desk.run("reset", "KEY")
        assert (status, err) == (0, "")
        assert out.startswith("everything erased: tokenkit reference key")
        assert "none is set" in desk.run("pin", "retries", "KEY")[1]
        assert json.loads(desk.run("reset", "KEY", "--json")[1])["erased"] is True

    def test_a_touch_is_asked_for(self, desk: Desk) -> None:
        desk.device.finger = ScriptedFinger([1.0])
        assert desk.run("reset", "KEY")[2] == "touch it now: that erases everything\n"

    @pytest.mark.parametrize(("touch", "reason"), [(math.inf, "nobody touched"), (None, "said no")])
    def test_without_a_touch(self, desk: Desk, touch: float | None, reason: str) -> None:
        desk.set_pin()
        desk.device.finger = ScriptedFinger([touch])
        status, out, err = desk.run("reset", "KEY")
        assert (status, out) == (2, "")
        assert reason in err
        assert "nothing was erased" in err
        with desk.open() as key:
            assert has_pin(key)


class TestAttest:
    @pytest.fixture
    def root(self, tmp_path: Path) -> str:
        certificate = x509.load_der_x509_certificate(root_certificate())
        (tmp_path / "root.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return str(tmp_path / "root.pem")

    def test_a_virtual_key(self, desk: Desk) -> None:
        status, out, err = desk.run("attest", "KEY")
        assert (status, err) == (0, "")
        for fact in (
            "packed",
            "746f6b65-6e6b-4974-8000-726566657265",
            "ES256",
            "CN=tokenkit reference key batch",
            "CN=tokenkit test attestation CA",
            "verified: a trusted certificate issued its certificate",
        ):
            assert fact in out
        shown = json.loads(desk.run("attest", "KEY", "--rp-id", "a.example", "--json")[1])
        assert (shown["verified"], shown["format"], len(shown["chain"])) == (True, "packed", 1)

    def test_a_key_that_vouches_for_itself(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk("self-attested")
        status, out, _ = desk.run("attest", "KEY")
        assert status == 1
        assert "NOT verified: the key vouches for itself only" in out
        assert json.loads(desk.run("attest", "KEY", "--json")[1])["verified"] is False

    def test_certificates(self, desk: Desk, root: str, tmp_path: Path) -> None:
        desk.looks_physical()
        status, out, _ = desk.run("attest", "KEY")
        assert status == 1
        assert "NOT verified: its signature is right, but no certificate to trust was given" in out
        assert desk.run("attest", "KEY", "--ca", root)[0] == 0
        (tmp_path / "leaf.der").write_bytes(desk.device._authenticator.attestation.batch[1])
        leaf = str(tmp_path / "leaf.der")
        assert desk.run("attest", "KEY", "--ca", leaf)[0] == 0  # it may be trusted itself
        others = World(seed=2).security_key("yubikey-5.7")._authenticator.attestation.batch[1]
        (tmp_path / "other.der").write_bytes(others)
        other = str(tmp_path / "other.der")
        assert desk.run("attest", "KEY", "--ca", other)[0] == 1
        assert desk.run("attest", "KEY", "--ca", other, "--ca", root)[0] == 0

    def test_metadata(self, desk: Desk, root: str, tmp_path: Path) -> None:
        blob = tmp_path / "blob.jwt"
        profiles = [load_profile("reference")]
        blob.write_bytes(metadata_blob(profiles))
        args = ("attest", "KEY", "--mds", str(blob), "--mds-root", root)
        status, out, _ = desk.run(*args)
        assert status == 0
        assert "tokenkit reference key (simulated)" in out
        blob.write_bytes(metadata_blob(profiles, {"reference": "REVOKED"}))
        assert desk.run(*args)[0] == 1
        blob.write_bytes(b"no blob")
        status, _, err = desk.run(*args)
        assert status == 2
        assert f"{blob}: is no FIDO MDS3 BLOB" in err

    @pytest.mark.parametrize(
        ("args", "advice"),
        [
            (["--mds", "ROOT"], "--mds and --mds-root go together"),
            (["--mds", "ROOT", "--mds-root", "ROOT", "--ca", "ROOT"], "not both"),
            (["--ca", "/no/such/file"], "No such file"),
            (["--ca", "EMPTY"], "holds no X.509 certificate"),
            (["--mds", "ROOT", "--mds-root", "TWO"], "holds 2 certificates, not one root"),
        ],
    )
    def test_wrong_usage_touches_no_key(
        self, desk: Desk, root: str, tmp_path: Path, args: list[str], advice: str
    ) -> None:
        (tmp_path / "empty").touch()
        (tmp_path / "two").write_bytes(Path(root).read_bytes() * 2)
        files = {"ROOT": root, "EMPTY": str(tmp_path / "empty"), "TWO": str(tmp_path / "two")}
        desk.device.finger = ScriptedFinger([])
        status, out, err = desk.run("attest", "KEY", *[files.get(each, each) for each in args])
        assert (status, out) == (2, "")
        assert advice in err

    def test_the_touch_and_the_pin(self, desk: Desk) -> None:
        desk.device.finger = ScriptedFinger([1.0])
        assert desk.run("attest", "KEY")[2] == "touch the key now\n"
        status, _, err = desk.run("attest", "KEY")
        assert status == 2
        assert "nobody touched it in time" in err
        desk.device.finger = ScriptedFinger([0.0])
        desk.set_pin()
        assert desk.run("config", "always-uv", "on", "KEY")[0] == 0
        assert desk.run("attest", "KEY")[0] == 0


@pytest.mark.parametrize("name", [each for each in profile_names() if each != "u2f-only"])
def test_every_model(make_desk: Callable[..., Desk], tmp_path: Path, name: str) -> None:
    """What a model has works, what it has not is one clear error."""
    desk = make_desk(name)
    with desk.open() as key:
        options, aaguid = key.ctap2().info.options, str(key.ctap2().info.aaguid)
    blob, root = tmp_path / "blob", tmp_path / "root"
    blob.write_bytes(metadata_blob([load_profile(each) for each in profile_names()]))
    root.write_bytes(root_certificate())
    pin = {"TOKENKIT_PIN": "135791", "TOKENKIT_NEW_PIN": "135791"}
    for args, there in (
        (("pin", "set"), "clientPin" in options),
        (("pin", "retries"), "clientPin" in options),
        (("pin", "verify"), "clientPin" in options),
        (("creds", "list"), {"credMgmt", "credentialMgmtPreview"} & options.keys()),
        (("blobs", "list"), "largeBlobs" in options),
        (("bio", "list"), {"bioEnroll", "userVerificationMgmtPreview"} & options.keys()),
        (("config", "show"), True),
        (("config", "always-uv", "on"), "alwaysUv" in options),
        (("config", "min-pin-length", "8"), "setMinPINLength" in options),
        (("reset",), True),
        (("pin", "set"), "clientPin" in options),  # some models demand it of everybody
    ):
        status, _, err = desk.run(*args, "KEY", **pin)
        assert status == (0 if there else 2), (args, err)
    shown = json.loads(desk.run("attest", "KEY", "--json", **pin)[1])
    assert shown["aaguid"] == aaguid
    assert shown["verified"] is (load_profile(name).attestation == "basic")
    status, _, _ = desk.run("attest", "KEY", "--mds", str(blob), "--mds-root", str(root), **pin)
    assert status == (not shown["verified"])


CHANGES = {
    "pin set": [],
    "pin change": [],
    "creds delete": ["--user", "alice"],
    "creds rename": ["--user", "alice", "--name", "bob"],
    "blobs put": ["--user", "alice", "--in", "-"],
    "blobs delete": ["--user", "alice"],
    "config always-uv on": [],
    "config min-pin-length 6": [],
    "config force-pin-change": [],
    "config pin-complexity": [],
    "config enterprise-attestation": [],
    "config long-touch-for-reset": [],
    "bio enroll": [],
    "bio rename": ["--finger", "x", "--name", "y"],
    "bio remove": ["--finger", "x"],
    "reset": [],
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_changes_a_physical_key_without_a_word(
    desk: Desk, register: Any, name: str
) -> None:
    if name != "pin set":
        with desk.open() as key:
            register(key.ctap2(), blob=True)
        desk.set_pin()
        desk.monkeypatch.delenv("TOKENKIT_PIN")  # it is not even asked for
    desk.looks_physical()
    before = dict(desk.device.flash.items())
    command = [*name.split(), "KEY", *CHANGES[name]]
    serial = desk.device.serial_number
    status, out, err = desk.run(*command)
    assert (status, out) == (2, "")
    assert "nothing done" in err
    assert f"--yes --serial {serial}" in err
    for refused in (["--yes"], ["--yes", "--serial", "42"], ["--serial", serial]):
        status, out, err = desk.run(*command, *refused)
        assert (status, out) == (2, "")
        assert "nothing done" in err
    assert dict(desk.device.flash.items()) == before


def test_yes_and_the_serial_number_let_it_pass(desk: Desk) -> None:
    desk.looks_physical()
    yes = ("--yes", "--serial", desk.device.serial_number)
    assert desk.run("pin", "set", "KEY", *yes, TOKENKIT_NEW_PIN="1234")[0] == 0
    with desk.open() as key:
        assert has_pin(key)


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 2)])
def test_a_person_is_asked_before_the_pin(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    desk.set_pin()
    desk.looks_physical()
    monkeypatch.setattr("tokenkit.keys.guard.StandardTerminal.is_interactive", lambda self: True)
    monkeypatch.setattr("builtins.input", lambda: answer)
    done, _, err = desk.run("config", "always-uv", "on", "KEY")
    assert done == status
    assert "About to turn on always-uv: tokenkit reference key, serial number " in err


def test_every_command_says_how_it_is_used(desk: Desk) -> None:
    for name in ("pin", "creds", "blobs", "config", "bio", "reset", "attest"):
        status, out, _ = desk.run(name, "--help")
        assert status == 0
        assert "Usage: tokenkit keys" in out


def test_a_key_made_of_software_has_more_than_one_finger(desk: Desk) -> None:
    desk.set_pin()
    for name in ("index", "thumb", "thumb"):
        status, out, err = desk.run("bio", "enroll", "KEY", "--name", name)
        assert (status, "4 of 4" in err) == (0, True)
        assert name in out
    status, out, _ = desk.run("bio", "list", "KEY", "--json")
    listed = [each["name"] for each in json.loads(out)["fingerprints"]]
    assert sorted(listed) == ["index", "thumb", "thumb"]
