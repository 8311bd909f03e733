"""Profiles: the shipped ones load, wrong ones are named errors."""

import dataclasses
from importlib import resources

import pytest

from firmware_sim.profiles import ProfileError, load_profile, parse_profile, profile_names

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
    with pytest.raises(ProfileError, match="there are: reference, self-attested"):
        load_profile("zzz")


def test_a_profile_says_how_it_differs_from_another():
    reference = load_profile("reference")
    other = parse_profile("mine", 'base = "reference"\nmin_pin_length = 6\n')
    assert (other.name, other.min_pin_length) == ("mine", 6)
    assert dataclasses.replace(other, name="reference", min_pin_length=4) == reference
    with pytest.raises(ProfileError, match="base 'refrence' is no shipped profile"):
        parse_profile("mine", 'base = "refrence"\n')


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("min_pin_length = 4", "", "missing min_pin_length"),
        ("min_pin_length = 4", "min_pin_length = 3", "min_pin_length cannot be 3"),
        ("min_pin_length = 4", "min_pin_length = 4\npinlen = 4", "unknown pinlen"),
        ("max_msg_size = 7609", "max_msg_size = 7610", "max_msg_size cannot be 7610"),
        ('attestation = "basic"', 'attestation = "full"', "attestation cannot be 'full'"),
        ("algorithms = [-7, -8]", "algorithms = []", "algorithms cannot be"),
        ("algorithms = [-7, -8]", "algorithms = 7", "not iterable"),
        ("746f6b65", "746f6b6", "fromhex"),
        ("746f6b65-", "", "aaguid cannot be"),
        ("vendor_id = 0x1209", "vendor_id = 0x12090", "vendor_id cannot be"),
        ("touch_timeout_s = 30.0", "touch_timeout_s = 0.0", "touch_timeout_s cannot be"),
        ("[0, 1, 0]", "[0, 1]", "device_version cannot be"),
        ('"credBlob",', '"credBlub",', "extensions cannot be"),
        ("max_large_blob_array = 4096", "max_large_blob_array = 99", "max_large_blob_array cannot"),
        ("versions", "= versions", "Invalid statement"),
    ],
)
def test_wrong_profiles(old, new, reason):
    assert old in REFERENCE
    with pytest.raises(ProfileError, match=reason):
        parse_profile("wrong", REFERENCE.replace(old, new, 1))
