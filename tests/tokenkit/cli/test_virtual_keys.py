"""Keys made of software that live in files, as a person at a terminal uses them."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fido2.ctap2 import ClientPin

from tokenkit.cli import main
from tokenkit.keys import open_key
from tokenkit.virtual import SqliteFlash

Run = Callable[..., tuple[int, str, str]]
MEMBERS = [
    "profile",
    "serial_number",
    "bytes",
    "pin_is_set",
    "pin_must_change",
    "pin_retries",
    "fingerprints",
    "uv_retries",
    "signature_counter",
    "always_uv",
    "enterprise_attestation",
    "long_touch_for_reset",
    "pin_complexity",
    "min_pin_length",
    "min_pin_rp_ids",
    "credentials",
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``tokenkit keys …`` in an empty directory: exit status, output, errors."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["keys", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def state(run: Run) -> str:
    """A key that has a PIN, and a credential of alice at example.com."""
    with open_key("virtual:reference?state=key.state&seed=1") as key:
        key.ctap2().make_credential(
            bytes(32),
            {"id": "example.com", "name": "Example"},
            {"id": b"\x01\x02", "name": "alice\x1b[31m", "displayName": "Alice"},
            [{"type": "public-key", "alg": -7}],
            extensions={"credBlob": b"a blob of hers"},
            options={"rk": True},
        )
        ClientPin(key.ctap2()).set_pin("1234")
    return "key.state"


def serial_number(run: Run, selector: str) -> str:
    status, out, err = run("info", selector, "--json")
    assert status == 0, err
    return str(json.loads(out)["serial_number"])


def test_two_runs_meet_the_same_key(run: Run) -> None:
    first = serial_number(run, "virtual:self-attested?state=key.state")
    assert stat.S_IMODE(Path("key.state").stat().st_mode) == 0o600
    assert serial_number(run, "virtual:self-attested?state=key.state") == first
    assert serial_number(run, "virtual:?seed=7&state=key.state") == first
    assert serial_number(run, "virtual:self-attested?state=other.state") != first


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        ("virtual:self-attested?state=key.state", "its key has profile reference, not self-att"),
        ("virtual:?state=missing.state", "so say the new key's profile"),
        ("virtual:reference?state=missing/key.state", "No such file or directory"),
        ("virtual:reference?state=.", "Is a directory"),
        ("virtual:reference?state=letter", "file is not a database"),
        ("virtual:reference?state=R&D", "the name of a state file cannot hold &"),
    ],
)
def test_a_state_that_will_not_do_is_one_line(
    run: Run, state: str, selector: str, advice: str
) -> None:
    Path("letter").write_text("a love letter, and a long one" * 99)
    status, out, err = run("info", selector)
    assert (status, out) == (2, "")
    assert err.startswith("tokenkit: ")
    assert advice in err
    assert len(err.splitlines()) == 1
    assert sorted(os.listdir()) == ["key.state", "letter"]


def test_profiles(run: Run) -> None:
    status, out, _ = run("virtual", "profiles")
    assert status == 0
    for fact in ("self-attested", "tokenkit reference key", "1209:0001", "U2F_V2 FIDO_2_0"):
        assert fact in out
    found = json.loads(run("virtual", "profiles", "--json")[1])
    assert {"reference", "self-attested"} <= {each["name"] for each in found}
    members = ["name", "product_name", "usb_id", "versions", "summary", "source"]
    assert [list(each) for each in found] == [members] * len(found)


def inspected(run: Run, state: str, *options: str) -> Any:
    status, out, err = run("virtual", "inspect", state, "--json", *options)
    assert status == 0, err
    return json.loads(out)


def test_inspect(run: Run, state: str) -> None:
    before = Path(state).read_bytes()
    facts = inspected(run, state)
    assert list(facts) == MEMBERS
    assert (facts["profile"], facts["bytes"]) == ("reference", len(before))
    assert (facts["pin_is_set"], facts["pin_retries"]) == (True, 8)
    assert facts["signature_counter"] == 1
    [credential] = facts["credentials"]
    assert credential["created"] == 1
    assert credential["rp_id"] == "example.com"
    assert credential["user"]["id"] == "0102"
    assert credential["algorithm"] == -7
    assert credential["extensions"] == ["credBlob"]
    assert credential["signature_counter"] == 1
    table = run("virtual", "inspect", state)[1]
    for fact in (facts["serial_number"], "example.com", "alice", "ES256", "pin is set", "yes"):
        assert fact in table
    assert "\x1b" not in table
    assert Path(state).read_bytes() == before


def test_inspect_shows_secrets_to_those_who_ask(run: Run, state: str) -> None:
    shown = inspected(run, state, "--secrets")
    secrets = [shown["credentials"][0]["private_key"], shown["flash"]["pin/hash"]]
    secrets += [shown["flash"]["credential-wrap-key"], b"a blob of hers".hex()]
    for secret in secrets:
        assert secret in str(shown)
        assert secret not in str(inspected(run, state))
        assert secret not in run("virtual", "inspect", state)[1]
    table = run("virtual", "inspect", state, "--secrets")[1]
    for secret in secrets[:3]:
        assert secret in table


def test_inspect_a_key_that_is_new(run: Run) -> None:
    run("info", "virtual:reference?state=key.state")
    assert inspected(run, "key.state")["credentials"] == []
    assert "none" in run("virtual", "inspect", "key.state")[1]


def test_a_snapshot_is_taken_and_put_back(run: Run, state: str) -> None:
    then = inspected(run, state, "--secrets")
    status, out, _ = run("virtual", "snapshot", state, "then.state")
    assert (status, out) == (0, f"then.state holds {then['serial_number']} as it is now\n")
    with open_key("virtual:?state=key.state") as key:
        key.ctap2().get_assertion("example.com", bytes(32))
    now = inspected(run, state, "--secrets")
    assert now["signature_counter"] == 2
    status, _, err = run("virtual", "snapshot", state, "then.state")
    assert status == 2
    assert "then.state is there already: choose another name, or replace it with --over" in err
    assert run("virtual", "snapshot", state, "now.state")[0] == 0
    status, out, _ = run("virtual", "restore", "then.state", state)
    assert (status, out) == (
        0,
        f"key.state holds {then['serial_number']} as it was in then.state\n",
    )
    assert inspected(run, state, "--secrets") == then
    assert run("virtual", "snapshot", "now.state", "then.state", "--overwrite")[0] == 0
    assert inspected(run, "then.state", "--secrets") == now
    assert serial_number(run, "virtual:?state=then.state") == then["serial_number"]


def test_a_clone_is_another_key_with_the_same_secrets(run: Run, state: str) -> None:
    status, out, _ = run("virtual", "clone", state, "twin.state")
    original, twin = inspected(run, state, "--secrets"), inspected(run, "twin.state", "--secrets")
    assert status == 0
    assert out == f"twin.state holds {twin['serial_number']}, a clone of the key in key.state\n"
    assert original["serial_number"] != twin["serial_number"]
    assert original["credentials"] == twin["credentials"]
    assert "signature counter" in " ".join(run("virtual", "clone", "--help")[1].split())


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["snapshot", "missing", "new"], "missing: cannot be used as a state file: No such file"),
        (["snapshot", "letter", "new"], "letter: cannot be used as a state file: file is not a"),
        (["snapshot", "key.state", "key.state"], "it is the same file as key.state"),
        (["snapshot", "key.state", "letter"], "letter is there already"),
        (["snapshot", "key.state", "letter", "--overwrite"], "file is not a database"),
        (["snapshot", "key.state", "nowhere/new"], "nowhere/new: No such file or directory"),
        (["restore", "key.state", "key.state"], "it is the same file as key.state"),
        (["restore", "key.state", "letter"], "letter: cannot be used as a state file"),
        (["restore", "key.state", "open.state"], "another key or program uses it"),
        (["restore", "letter", "key.state"], "letter: cannot be used as a state file"),
        (["clone", "key.state", "letter"], "letter is there already: choose another name"),
        (["clone", "open.state", "new"], "another key or program uses it"),
        (["inspect", "open.state"], "another key or program uses it"),
        (["inspect", "."], "it is not a regular file"),
        (["inspect"], "Missing argument 'STATE'"),
        (["snapshot", "key.state"], "Missing argument 'SNAPSHOT'"),
    ],
)
def test_bad_input_is_one_clear_error(run: Run, state: str, args: list[str], advice: str) -> None:
    Path("letter").write_text("a love letter, and a long one" * 99)
    files = {"letter": Path("letter").read_bytes(), state: Path(state).read_bytes()}
    flash = SqliteFlash("open.state")
    try:
        status, out, err = run("virtual", *args)
    finally:
        flash.close()
    assert (status, out) == (2, "")
    assert advice in err.splitlines()[-1]
    assert "Traceback" not in err
    assert {name: Path(name).read_bytes() for name in files} == files
    assert sorted(os.listdir()) == ["key.state", "letter", "open.state"]
