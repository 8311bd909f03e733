"""Contradictions: every one of a profile can be had, a wrong name among them."""

import dataclasses

from firmware_sim.profiles import load_profile
from firmware_sim.profiles.check import contradictions


def test_all_of_a_profile_are_named_and_wrong_names_first():
    profile = load_profile("reference")
    assert list(contradictions(profile)) == []
    wrong = dataclasses.replace(profile, versions=("FIDO_2_2",), options=("rk", "sk"))
    assert list(contradictions(wrong))[-2:] == [
        "versions cannot have 'FIDO_2_2'",
        "options cannot have 'sk'",
    ]
