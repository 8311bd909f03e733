"""Places and touches as text."""

import re

import pytest

from tokenkit.scenario.places import Place
from tokenkit.scenario.touching import Touching


@pytest.mark.parametrize("text", ["5 °C", "5°C", "+5 °C", "5.0  °C"])
def test_a_temperature_is_a_place(text: str) -> None:
    assert Place.of(text).environment() == Place.of("5 °C").environment()


def test_it_may_be_below_zero() -> None:
    assert Place.of("-5 °C").environment() != Place.of("5 °C").environment()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5 C", 'write a temperature like "5 °C"'),
        ("-5", 'write a temperature like "5 °C"'),
        ("5\n°C", 'write a temperature like "5 °C"'),
        ("86 °C", "-40 to 85 °C"),
        ("9" * 400 + " °C", "-40 to 85 °C"),
        ("dest", "did you mean desk?"),
        ("moon", "there are: desk, drawer"),
        (5, 'like "desk", or "5 °C"'),
    ],
)
def test_says_which_places_there_are(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Place.of(text)


@pytest.mark.parametrize("text", ["", "nevr", "-1 s", "5\ns", "5"])
def test_says_which_touches_there_are(text: str) -> None:
    with pytest.raises(ValueError, match='"never", "unplug" or "5 s"'):
        Touching.of(text)
