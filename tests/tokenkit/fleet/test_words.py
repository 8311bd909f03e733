"""Batches in words, as a report says what was assumed."""

import pytest

from tokenkit.fleet.study import parse
from tokenkit.fleet.words import batch_text

STUDY = """\
title = "t"
start = 2026-01-01T00:00:00Z
years = 1
[[batch]]
name = "desk"
tokens = 1
battery = { life = "LIFE", outage = "2 min" }
[[policy]]
name = "fixed"
learn = "offset"
"""


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ("4 years", "4 years"),
        ("48 months", "4 years"),
        ("1 year", "1 year"),
        ("18 months", "18 months"),
        ("30 days", "30 days"),
    ],
)
def test_a_battery_is_said_with_its_outage(life: str, said: str) -> None:
    [batch] = parse(STUDY.replace("LIFE", life), "study.toml").study.batch
    assert batch_text(batch) == (
        "daily, desk; grade token, 30 s, 0 to 24 months in stock,"
        f" batteries of {said}, then 2 min without power"
    )
