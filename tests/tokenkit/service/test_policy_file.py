"""The policies of a service as a file: what it may say, and what is said of mistakes."""

from pathlib import Path

import pytest

from tokenkit import virtual
from tokenkit.service.policy_file import PolicyFileError, policies

ORIGIN = "http://localhost:8740"


def test_without_a_file_rates_are_learned_and_browsers_are_local() -> None:
    made = policies(None, ORIGIN)
    assert made.totp.drift == "rate"
    assert (made.webauthn.rp_id, made.webauthn.origin) == ("localhost", ORIGIN)
    assert not made.account.mfa_required_for_root


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(virtual.root_certificate_pem())
    file = tmp_path / "policy.toml"
    file.write_text(
        """
        [totp]
        drift = "offset"
        window_steps = 2
        resync_range = "10 days"
        delay = "0 s"

        [webauthn]
        user_verification = "required"
        attestation = "direct"
        trusted_roots = ["root.pem"]
        attestation_formats = ["packed"]

        [account]
        mfa_required_for_users = true
        stale_after_days = 30
        """
    )
    made = policies(file, ORIGIN)
    assert made.totp.drift == "offset"
    assert made.totp.window_steps == 2
    assert (made.totp.resync_range_s, made.totp.delay_s) == (864_000.0, 0.0)
    assert made.webauthn.trusted_roots == (virtual.root_certificate(),)
    assert made.webauthn.attestation_formats == ("packed",)
    assert made.account.requires_mfa("ann")
    assert made.account.stale_after_days == 30


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[totp]\nwindow = 1", 2, "unknown key 'window'; did you mean 'window_steps'?"),
        ("[top]\n", 1, "unknown table 'top'; did you mean 'totp'?"),
        ("totp = 1", 1, "'totp' must be a table: write [totp]"),
        ("\n[totp]\nwindow_steps = 'two'", 3, "'window_steps' must be a whole number, not text"),
        ("[totp]\nwindow_steps = 101", 2, "'window_steps' is from 0 to 100"),
        ("[totp]\nresync_range = 5", 2, 'a number and a unit in quotes, like "5 s"'),
        ("[totp]\nresync_range_s = 5.0", 2, "unknown key 'resync_range_s'"),
        ("[totp]\nresync_range = '31 days'", 2, "'resync_range' is from 0 to 30 days"),
        ("[totp]\ndrift = 'ratte'", 2, "'drift' cannot be 'ratte'; did you mean 'rate'?"),
        ("[webauthn]\nattestation = 'direct'", 2, "needs trusted_roots"),
        ("[webauthn]\ntrusted_roots = ['no.pem']", 2, "no.pem: No such file"),
        *(
            (f"[webauthn]\ntrusted_roots = [\n'{name}']", 3, f"{name}: no certificate in PEM")
            for name in ("garbage", "garbage.pem")
        ),
        ("[webauthn]\nmetadata_root = 'garbage'", 2, "garbage: no certificate in PEM or DER"),
        ("[webauthn]\ntrusted_roots = [1]", 2, "must be text in quotes, not a whole number"),
        ("[webauthn]\nattestation_formats = [\n'packed',\n'packet']", 4, "did you mean 'packed'?"),
        ("[webauthn]\norigin = 'example.com'", 2, "'origin' 'example.com': it is https://HOST"),
        ("[account]\nminimum_devices = 9", 2, "'minimum_devices' is from 1 to 8"),
        ("[account]\nmfa_required_for_root = 1", 2, "must be true or false, not a whole number"),
        ("[totp", 1, "at the end of the file"),
        ("[totp]\nwindow_steps = ", 2, "no value"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    (tmp_path / "garbage").write_bytes(bytes(10))
    (tmp_path / "garbage.pem").write_bytes(b"-----BEGIN CERTIFICATE-----")
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(PolicyFileError) as refused:
        policies(file, ORIGIN)
    assert str(refused.value).startswith(f"{file}:{line}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_mistakes_are_told_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        "[account]\nminimum_devices = 9\n[webauthn]\nattestation = 'direct'\n"
        "trusted_roots = ['no.pem']\n[totp]\nwindow = 1\ndelay = 5\n[top]\n"
    )
    with pytest.raises(PolicyFileError) as refused:
        policies(file, ORIGIN)
    lines = str(refused.value).splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [2, 5, 7, 8, 9]
    assert "no.pem: No such file" in lines[1]


def test_what_is_no_metadata_is_told(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(virtual.root_certificate_pem())
    (tmp_path / "blob").write_text("garbage")
    file = tmp_path / "policy.toml"
    file.write_text("[webauthn]\nmetadata_root = 'root.pem'\nmetadata = 'blob'\n")
    with pytest.raises(PolicyFileError, match=r":3: 'metadata' is no FIDO MDS3 BLOB"):
        policies(file, ORIGIN)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    for contents, message in [
        (b"\xff", "not UTF-8 text at byte 0"),
        (bytes(1_000_001), "larger than"),
    ]:
        file.write_bytes(contents)
        with pytest.raises(PolicyFileError, match=message):
            policies(file, ORIGIN)
    with pytest.raises(PolicyFileError, match="No such file"):
        policies(tmp_path / "none.toml", ORIGIN)
