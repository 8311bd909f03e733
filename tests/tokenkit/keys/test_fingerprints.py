"""Fingerprints: enrolled sample by sample, named, and removed."""

import math
from collections.abc import Callable

import pytest

from firmware_sim.world.finger import Placement, Press
from tokenkit.keys import DeniedError, NoSuchItemError, OpenKey, UnsupportedError, WrongPinError
from tokenkit.keys.fingerprints import (
    Fingerprint,
    Fingerprints,
    Sample,
    find_fingerprint,
    read_sensor,
)
from tokenkit.keys.pin import read_retries
from tokenkit.virtual import ScriptedFinger

PIN = "1234"
GOOD = Press()
MakeKey = Callable[..., OpenKey]
PREVIEW = """
versions = ["FIDO_2_0", "FIDO_2_1_PRE"]
options = ["clientPin", "uv", "userVerificationMgmtPreview"]
pin_uv_protocols = [1]
uv_modality = 2
uv_retries = 8
uv_attempts = 3
fingerprint_samples = 4
fingerprint_capacity = 5
fingerprint_name_length = 64
"""


@pytest.fixture(params=["reference", None], ids=["CTAP 2.1", "preview"])
def key(request: pytest.FixtureRequest, make_key: MakeKey) -> OpenKey:
    return make_key("" if request.param else PREVIEW, base=request.param, pin=PIN)


def touch(key: OpenKey, *script: Press | float | None) -> None:
    assert key.security_key is not None
    key.security_key.finger = ScriptedFinger(script)


def enroll(key: OpenKey, name: str = "", finger: str = "right index") -> Fingerprint:
    touch(key, *[Press(finger=finger)] * 4)
    return Fingerprints(key, PIN).enroll(name, lambda sample: None)


def test_the_sensor(key: OpenKey) -> None:
    sensor = read_sensor(key)
    assert (sensor.kind, sensor.max_samples, sensor.max_name_bytes) == ("touch", 4, 64)


def test_enrol_list_rename_and_remove(key: OpenKey) -> None:
    first, second = enroll(key, "index"), enroll(key, finger="thumb")
    fingerprints = Fingerprints(key, PIN)
    assert fingerprints.all() == [first, second]
    assert (first.name, second.name) == ("index", "")
    fingerprints.rename(second, "Daumen")
    assert [each.name for each in fingerprints.all()] == ["index", "Daumen"]
    assert read_retries(key).uv == 8
    fingerprints.remove(first)
    assert [each.template_id for each in fingerprints.all()] == [second.template_id]
    with pytest.raises(DeniedError):
        fingerprints.remove(first)


def test_a_key_that_knows_none(key: OpenKey) -> None:
    assert Fingerprints(key, PIN).all() == []


def test_each_sample_is_told_in_words(key: OpenKey) -> None:
    enroll(key, finger="thumb")
    poor = [each for each in Placement if each is not Placement.GOOD]
    touch(
        key,
        Press(1.0),
        *[Press(placement=each) for each in poor],
        Press(finger="thumb"),
        Press(finger="little"),
        math.inf,
        *[GOOD] * 3,
    )
    samples: list[Sample] = []
    told: list[str] = []
    Fingerprints(key, PIN).enroll("mine", samples.append, told.append)
    good = [(each.made, each.of) for each in samples if each.good]
    assert good == [(1, 4), (2, 4), (3, 4), (4, 4)]
    words = [each.words for each in samples if not each.good]
    assert len(words) == len(set(words)) == len(poor) + 3
    assert "too high: move the finger down" in words
    assert words[-3:] == [
        "the key knows this finger already: take another",
        "it does not fit the samples before: the same finger again",
        "no finger came",
    ]
    assert told == ["touch the sensor now"] * 2  # where the key had to wait


def test_nobody_there_ends_it(key: OpenKey) -> None:
    touch(key, GOOD)
    samples: list[Sample] = []
    with pytest.raises(DeniedError, match="nobody touched it in time"):
        Fingerprints(key, PIN).enroll("mine", samples.append)
    assert [each.good for each in samples] == [True, False, False, False]
    assert Fingerprints(key, PIN).all() == []


def test_a_refusal_ends_it(key: OpenKey) -> None:
    touch(key, GOOD, None)
    with pytest.raises(DeniedError, match="said no"):
        Fingerprints(key, PIN).enroll("mine", lambda sample: None)
    assert Fingerprints(key, PIN).all() == []


def test_ctrl_c_leaves_nothing(key: OpenKey) -> None:
    touch(key, *[GOOD] * 4)

    def interrupt(sample: Sample) -> None:
        if sample.made == 2:
            raise KeyboardInterrupt

    fingerprints = Fingerprints(key, PIN)
    with pytest.raises(KeyboardInterrupt):
        fingerprints.enroll("mine", interrupt)
    assert fingerprints.all() == []
    assert enroll(key).template_id


def test_no_more_room(key: OpenKey) -> None:
    for number in range(5):
        enroll(key, finger=str(number))
    with pytest.raises(DeniedError, match="no room for another fingerprint"):
        enroll(key, finger="six")


def test_a_name_that_is_too_long_starts_nothing(key: OpenKey) -> None:
    with pytest.raises(UnsupportedError, match="takes 64 bytes in UTF-8, not 66"):
        enroll(key, "я" * 33)
    first = enroll(key, "я" * 32)
    with pytest.raises(UnsupportedError, match="not 65"):
        Fingerprints(key, PIN).rename(first, "x" * 65)
    assert Fingerprints(key, PIN).all() == [first]


def test_a_key_without_sensor(make_key: MakeKey) -> None:
    key = make_key(base="self-attested", pin=PIN)
    for act in (lambda: read_sensor(key), lambda: Fingerprints(key, PIN)):
        with pytest.raises(UnsupportedError, match="has no fingerprint sensor"):
            act()


def test_what_it_takes(make_key: MakeKey) -> None:
    with pytest.raises(DeniedError, match="has no PIN"):
        Fingerprints(make_key(), PIN)
    with pytest.raises(WrongPinError):
        Fingerprints(make_key(pin=PIN), "0000")


def test_finding() -> None:
    index, thumb, again = (
        Fingerprint(b"\xab\x01", "index"),
        Fingerprint(b"\xab\x02", "thumb"),
        Fingerprint(b"\xab\x03", "thumb"),
    )
    every = [index, thumb, again]
    assert find_fingerprint(every, "AB01") is index
    assert find_fingerprint(every, "index") is index
    with pytest.raises(NoSuchItemError, match="choose by id") as caught:
        find_fingerprint(every, "thumb")
    assert "ab02" in str(caught.value)
    assert "ab01" not in str(caught.value)
    with pytest.raises(NoSuchItemError, match="there are:"):
        find_fingerprint(every, "ab")
    with pytest.raises(NoSuchItemError, match="there is none on the key"):
        find_fingerprint([], "index")


@pytest.mark.parametrize(
    ("press", "captures", "reason"),
    [
        (GOOD, 3, "took no finger: the key knows this finger already"),
        (Press(placement=Placement.TOO_FAST), 20, "took no finger: too fast"),
    ],
)
def test_a_finger_that_will_not_do(key: OpenKey, press: Press, captures: int, reason: str) -> None:
    enroll(key, "index")
    touch(key, *[press] * 30)
    samples: list[Sample] = []
    with pytest.raises(DeniedError, match=reason):
        Fingerprints(key, PIN).enroll("again", samples.append)
    assert len(samples) == captures
    assert [each.name for each in Fingerprints(key, PIN).all()] == ["index"]
