"""Profiles: the shipped ones load, wrong ones are named errors."""

import dataclasses
from importlib import resources

import pytest

from firmware_sim.profiles import ProfileError, load_profile, parse_profile, profile_names

ALGORITHMS = "algorithms = [-7, -8, -35, -36, -47, -257, -37, -48, -49, -50]"
REFERENCE = (resources.files("firmware_sim.profiles") / "reference.toml").read_text("utf-8")


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_load(name):
    profile = load_profile(name)
    assert profile.name == name
    assert profile.summary
    assert len(profile.aaguid) == 16


def test_each_profile_has_an_aaguid_of_its_own():
    aaguids = [load_profile(name).aaguid for name in profile_names()]
    assert len(set(aaguids)) == len(aaguids) >= 2


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ProfileError, match="did you mean reference"):
        load_profile("refrence")
    with pytest.raises(ProfileError, match="there are: nitrokey-3, opensk, reference, "):
        load_profile("zzz")


def test_a_profile_says_how_it_differs_from_another():
    reference = load_profile("reference")
    other = parse_profile("mine", 'base = "reference"\nmin_pin_length = 6\n')
    assert (other.name, other.min_pin_length) == ("mine", 6)
    assert dataclasses.replace(other, name="reference", min_pin_length=4) == reference
    with pytest.raises(ProfileError, match="base 'refrence' is no shipped profile"):
        parse_profile("mine", 'base = "refrence"\n')


def test_a_profile_of_ones_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "yubikey-5.4"\ncredential_capacity = 3\n')
    profile = load_profile(str(file))
    assert (profile.name, profile.credential_capacity) == ("mine", 3)
    file.write_text('base = "yubikey-5.4"\ncredential_capacity = 4\n')
    assert load_profile(str(file)).credential_capacity == 4


@pytest.mark.parametrize(
    ("name", "contents", "reason"),
    [
        ("missing.toml", None, "No such file"),
        ("binary.toml", b"\xff\xfe", "not UTF-8"),
        ("reference.toml", b"", "reference is a shipped profile; rename the file"),
        ("empty.toml", b"", "profile empty: Object missing required field"),
        ("typo.toml", b'base = "reference"\nwinck = true', "unknown winck; did you mean wink"),
    ],
)
def test_wrong_profile_files(tmp_path, name, contents, reason):
    file = tmp_path / name
    if contents is not None:
        file.write_bytes(contents)
    with pytest.raises(ProfileError, match=reason):
        load_profile(str(file))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("touch_timeout_s = 30.0", "", "missing required field `touch_timeout_s`"),
        ("min_pin_length = 4", "min_pin_length = 3", "min_pin_length cannot be 3"),
        ("min_pin_length = 4", "zzz = 4", "unknown zzz$"),
        ("min_pin_length = 4", "min_pin_lenght = 4", r"did you mean min_pin_length\?"),
        ("max_pin_length = 63", "max_pin_length = 7", "max_pin_length cannot be 7"),
        ("max_pin_length = 63", "max_pin_length = 64", "max_pin_length cannot be 64"),
        ("max_msg_size = 7609", "max_msg_size = 7610", "max_msg_size cannot be 7610"),
        ('attestation = "basic"', 'attestation = "full"', r"'full' - at `\$.attestation`"),
        (ALGORITHMS, "algorithms = []", "algorithms cannot be"),
        (ALGORITHMS, "algorithms = [-7, -7]", "algorithms names something twice"),
        (ALGORITHMS, "algorithms = [-6]", "algorithms cannot have -6"),
        (ALGORITHMS, "algorithms = 7", "Expected `array`, got `int`"),
        ("746f6b65", "746f6b6", "aaguid is a UUID"),
        ("746f6b65-", "", "aaguid cannot be"),
        ("vendor_id = 0x1209", "vendor_id = 0x12090", "vendor_id cannot be"),
        ("vendor_id = 0x1209", 'vendor_id = "1209"', "Expected `int`, got `str`"),
        ("touch_timeout_s = 30.0", "touch_timeout_s = 0.0", "touch_timeout_s cannot be"),
        ("[0, 1, 0]", "[0, 1]", "length 3"),
        ("[0, 1, 0]", "[0, 1, 256]", "device_version cannot be"),
        ('"credBlob",', '"credBlob", "credBlub",', "extensions cannot have 'credBlub'"),
        ('"rk",', '"rk", "sk",', "options cannot have 'sk'"),
        ("max_large_blob_array = 4096", "max_large_blob_array = 99", "max_large_blob_array cannot"),
        ("max_credential_id_length = 352", "max_credential_id_length = 336", "under 337"),
        ("commands = []", 'commands = ["yubico"]', "vendor_commands cannot have 'yubico'"),
        (
            "commands = []",
            'commands = ["solo-rng", "nitrokey-rng"]',
            "vendor_commands nitrokey-rng and solo-rng share a number",
        ),
        # what contradicts something else
        ('"credBlob",', "", "max_cred_blob_length cannot be 32"),
        ('"largeBlobs",', "", "max_large_blob_array cannot be 4096"),
        ('"hmac-secret",', "", "hmac-secret-mc needs hmac-secret"),
        ('"credProtect",', "", "demands extension credProtect"),
        ('"pinUvAuthToken",', "", "perCredMgmtRO needs option pinUvAuthToken"),
        ('"setMinPINLength",', "", "max_rp_ids_for_min_pin cannot be 8"),
        ('"bioEnroll",', "", "uvBioEnroll needs option bioEnroll"),
        ('"authnrCfg",', "", "alwaysUv needs option authnrCfg|ep needs option authnrCfg"),
        ('"uv",', "", "uv_modality cannot be 2"),
        ('"ep",', "", "enterprise_rp_ids need option ep"),
        ('attestation = "basic"', 'attestation = "none"', "attestation_formats cannot be"),
        ('attestation = "basic"', 'attestation = "self"', "attestation_formats cannot be"),
        ("uv_retries = 8", "uv_retries = 0", "uv_retries cannot be 0"),
        ("pin_uv_protocols = [2, 1]", "pin_uv_protocols = [1]", "pin_uv_protocols with 2"),
        ("pin_uv_protocols = [2, 1]", "pin_uv_protocols = []", "pin_uv_protocols go with"),
        ('pin_complexity = "off"', "", "pin_complexity_policy_url cannot be"),
        ("credential_capacity = 100", "credential_capacity = 0", "credential_capacity cannot be"),
        (
            '"credMgmt",',
            '"credMgmt", "credentialMgmtPreview",',
            "credentialMgmtPreview needs version FIDO_2_1_PRE",
        ),
        ('"FIDO_2_3"]', '"FIDO_2_2"]', "versions cannot have 'FIDO_2_2'"),
        ('"minPinLength",', "", "setMinPINLength needs extension minPinLength"),
        ('"packed", "fido-u2f"]', '"fido-u2f"]', "attestation_formats cannot be"),
        ('"packed", "fido-u2f"]', "]", "attestation_formats cannot be"),
        ("firmware_version = 1", "firmware_version = -1", "firmware_version cannot be -1"),
        ('for_reset = ["usb"]', 'for_reset = ["ble"]', "transports_for_reset cannot be"),
        (
            'transports = ["nfc", ',
            "transports = [",
            "card_applications with fido need transport nfc",
        ),
        (
            'card_applications = ["fido"',
            'card_applications = ["piv"',
            "card_applications cannot have",
        ),
        ("uv_attempts = 3", "uv_attempts = 1", "uv_attempts cannot be 1"),
        ('"bioEnroll",', "", "option uv needs option bioEnroll or|uvBioEnroll needs"),
        ('"clientPin",', "", "setMinPINLength needs option clientPin|bioEnroll needs option"),
        (
            'versions = ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]',
            'versions = ["U2F_V2"]',
            "U2F_V2 alone has neither options nor extensions",
        ),
        ("versions", "= versions", "Invalid statement"),
    ],
)
def test_wrong_profiles(old, new, reason):
    assert old in REFERENCE
    with pytest.raises(ProfileError, match=reason):
        parse_profile("wrong", REFERENCE.replace(old, new, 1))
