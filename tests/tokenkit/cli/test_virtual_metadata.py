"""tokenkit keys virtual mds, and tokenkit keys attest by what it wrote."""

import json

import pytest

from tokenkit.cli import main


def run(capsys, *args):
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    out, err = capsys.readouterr()
    return caught.value.code, out, err


def attest(capsys, directory, profile):
    code, out, _ = run(
        capsys,
        *("keys", "attest", f"virtual:{profile}", "--json"),
        *("--mds", str(directory / "blob.jwt"), "--mds-root", str(directory / "root.pem")),
    )
    return code, json.loads(out)


@pytest.mark.parametrize("profile", ["reference", "yubikey-5.4", "nitrokey-3"])
def test_attest_by_the_blob(tmp_path, capsys, profile):
    code, out, _ = run(capsys, "keys", "virtual", "mds", "--out", str(tmp_path / "mds"))
    assert code == 0
    assert "root.pem" in out
    code, verdict = attest(capsys, tmp_path / "mds", profile)
    assert code == 0, verdict
    assert verdict["verified"] is True
    assert verdict["model"].endswith("(simulated)")


def test_a_revoked_model(tmp_path, capsys):
    run(capsys, "keys", "virtual", "mds", "--out", str(tmp_path), "--status", "reference=REVOKED")
    code, verdict = attest(capsys, tmp_path, "reference")
    assert code == 1
    assert "REVOKED" in verdict["reason"]


def test_files_that_are_there_stay(tmp_path, capsys):
    (tmp_path / "root.pem").write_text("mine")
    code, _, err = run(capsys, "keys", "virtual", "mds", "--out", str(tmp_path))
    assert (code, (tmp_path / "root.pem").read_text()) == (2, "mine")
    assert "root.pem is there already: add --overwrite" in err
    assert not (tmp_path / "blob.jwt").exists()
    code, _, _ = run(capsys, "keys", "virtual", "mds", "--out", str(tmp_path), "--overwrite")
    assert (code, (tmp_path / "root.pem").read_text() != "mine") == (0, True)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("reference", "write PROFILE=STATUS"),
        ("refrence=REVOKED", "there are: nitrokey-3"),
        ("reference=BAD", "'BAD' is no status of MDS3"),
    ],
)
def test_wrong_statuses(tmp_path, capsys, status, message):
    out = ("--out", str(tmp_path / "mds"))
    code, _, err = run(capsys, "keys", "virtual", "mds", *out, "--status", status)
    assert code == 2
    assert message in err
    assert not (tmp_path / "mds").exists()
