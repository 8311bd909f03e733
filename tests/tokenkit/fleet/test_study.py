"""What is wrong with a study is told with its line and a suggestion, before anything runs."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.fleet.study import StudyError, load, parse

STUDY = """\
title = "Which window does a fleet need?"
seed = 1
start = 2026-01-01T00:00:00Z
years = 3
[person]
attempts = 3
entry = ["3 s", "12 s"]
help = "1 day"
[[batch]]
name = "desk"
tokens = 5_000
grade = "token"
period = 30
months_in_stock = [0, 24]
places = ["desk", "5 °C"]
stay = ["20 days", "120 days"]
habit = "daily"
battery = { life = "4 years", outage = "2 min" }
[[batch]]
name = "spare"
tokens = 1
[[policy]]
name = "fixed"
learn = "offset"
[[policy]]
name = "other"
peer = "privacyidea"
[server]
clock = "ntp"
[[server.event]]
at = 2027-03-01T00:00:00Z
step = "-5 min"
"""

# what is replaced, by what, the line that is wrong, what must be said
WRONG = [
    ('title = "Which', 'titel = "Which', 1, "unknown key 'titel'; did you mean 'title'?"),
    ('title = "W', 'title = "\\u001bW', 1, "'title' is one line"),
    ("start = 2026-01-01T00:00:00Z\n", "", 1, "the file needs 'start'"),
    ("00Z", "00", 3, "'start' needs a time zone"),
    ("2026-01-01T", "1960-01-01T", 3, "the years 1970 to 9998"),
    ("2026-01-01T", "1971-01-01T", 14, "no token is made before 1970"),
    ("2026-01-01T", "9997-01-01T", 4, "simulated time ends with the year 9998"),
    ("years = 3", "years = 0", 4, "'years' must be above 0"),
    ("years = 3", "years = -1", 4, "'years' must be above 0"),
    ("years = 3", "years = 0.02", 4, "a study lasts 10 days at least"),
    ("years = 3", "years = 51", 4, "'years' must be at most 50"),
    ("years = 3", "years = nan", 4, "'years' must be above 0"),
    ("years = 3", 'years = "3"', 4, "'years' must be a number, not text"),
    ("seed = 1", "seed = 1.5", 2, "'seed' must be a whole number"),
    ("attempts = 3", "attempts = 0", 6, "'attempts' must be at least 1"),
    ("attempts = 3", "attempt = 3", 6, "did you mean 'attempts'?"),
    ('"3 s", "12 s"', '"13 s", "12 s"', 7, "the shorter one first"),
    ('"3 s", "12 s"', '"-3 s", "12 s"', 7, "the shorter one first"),
    ('"3 s", "12 s"', '"3 s", "2 h"', 7, "from 0 s to 1 h"),
    ('"3 s", "12 s"', '"3 s"', 7, "'entry' must have 2 elements"),
    ('"3 s", "12 s"', '"3 s", 12', 7, '"12 s"'),
    ('"1 day"', '"1 dya"', 8, "did you mean days?"),
    ('"1 day"', '"0 s"', 8, "longer than nothing"),
    ("[person]", "[persons]", 5, "did you mean 'person'?"),
    ('"desk"\ntokens', '"spare"\ntokens', 20, "there is a batch 'spare' already"),
    ('"desk"\ntokens', '"my desk"\ntokens', 10, "begins the serial numbers"),
    ('"desk"\ntokens', '"cold warehouse"\ntokens', 10, "; did you mean 'cold-warehouse'?"),
    ('"desk"\ntokens', '"Büro"\ntokens', 10, ". @ -, not 'Büro'"),
    ('name = "desk"\n', "", 9, "this batch needs 'name'"),
    ("tokens = 5_000", "tokens = 0", 11, "'tokens' must be at least 1"),
    ("tokens = 5_000", "tokens = 100_000_000", 11, "'tokens' must be at most 99999999"),
    ("tokens = 5_000", "tokens = -5", 11, "'tokens' must be at least 1"),
    ("tokens = 5_000", 'tokens = "many"', 11, "'tokens' must be a whole number"),
    ("tokens = 5_000\n", "", 9, "the batch 'desk' needs 'tokens'"),
    ('grade = "token"', 'grade = "tokn"', 12, "no grade 'tokn'; did you mean 'token'?"),
    (
        '"token"',
        '"mine-crystal.toml"',
        12,
        "a study takes no file of one's own, only `tokenkit otp",
    ),
    ("period = 30", "period = 31", 13, "'period' cannot be 31; there are: 30, 60"),
    ("[0, 24]", "[24, 0]", 14, "the smaller one first"),
    ("[0, 24]", "[-1, 24]", 14, "the smaller one first"),
    ("[0, 24]", "[0, nan]", 14, "the smaller one first"),
    ("[0, 24]", '[0, "x"]', 14, "each of 'months_in_stock' must be a number"),
    ('"5 °C"', '"dsk"', 15, "no place 'dsk'; did you mean desk?"),
    ('"5 °C"', '"desk"', 15, "'desk' is listed twice"),
    ('["desk", "5 °C"]', "[]", 15, "'places' must have at least 1 element"),
    ('["desk", "5 °C"]', '"5 °C"', 15, 'must be a list, not text in quotes: write ["5 °C"]'),
    ('["desk", "5 °C"]', '"\\u2028"', 15, 'write ["\\u2028"]'),
    ('["20 days", "120 days"]', '"3 days"', 16, 'quotes: write ["3 days", "3 days"]'),
    ("[0, 24]", "6", 14, "'months_in_stock' must be a list, not a whole number: write [6, 6]"),
    ("[0, 24]", "true", 14, "'months_in_stock' must be a list, not true or false"),
    ('"20 days"', '"20 s"', 16, "from 1 day to"),
    ('"daily"', '"dayly"', 17, "did you mean 'daily'?"),
    ("life", "lief", 18, "unknown key 'lief'; did you mean 'life'?"),
    ('life = "4 years", ', "", 18, "'battery' needs 'life'"),
    ('"4 years"', '"4 days"', 18, "at least 30 days"),
    ('"2 min"', '"-2 min"', 18, "from 0 s to 10 days"),
    ("[[policy]]", "[[polcy]]", 22, "unknown key 'polcy'; did you mean 'policy'?"),
    ('"other"', '"fixed"', 26, "there is a policy 'fixed' already"),
    ('"other"', '"a\\nb"', 26, "'name' is one line"),
    ('"offset"', '"ofset"', 24, "did you mean 'offset'?"),
    ('"offset"', '"offset"\nwindow_steps = 101', 25, "'window_steps' is from 0 to 100"),
    ('"offset"', '"offset"\nwindow_steps = 0\nwindow_open = true', 22, "accepts no code of 30 s"),
    ('"privacyidea"', '"privacyidea"\nwindow = "20 s"', 25, "accepts no code of 30 s"),
    ('learn = "offset"\n', "", 22, "the policy 'fixed' needs 'learn' or 'peer'"),
    ('"privacyidea"', '"privacyide"', 27, "no peer 'privacyide'; did you mean 'privacyidea'?"),
    ('"ntp"', '"npt"', 29, "did you mean 'ntp'?"),
    (
        '"ntp"',
        '"ntp"\npoll = "10 s"\nresidual = "1 ms"',
        30,
        "'poll' is at least 48 s in a study of 3 years",
    ),
    ('step = "-5 min"', 'leap = "smeer"', 32, "did you mean 'smear'?"),
    ('step = "-5 min"', 'stop = "5 min"', 32, "did you mean 'step'?"),
    ('step = "-5 min"', "", 30, "an event has one of step, slew"),
    ("[[server.event]]", "[server.event]", 30, "write each server.event as [[server.event]]"),
    ("seed = 1", "seed = ", 2, "no value"),
    ("seed = 1", "seed = 1\npolicy = []", 3, "at least one"),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), WRONG, ids=lambda value: str(value)[:30])
def test_a_wrong_file_is_told_with_line_and_suggestion(
    old: str, new: str, line: int, says: str
) -> None:
    text = STUDY.replace(old, new, 1)
    assert text != STUDY
    if "policy = []" in new:
        text = text[: text.index("[[policy]]")]
    with pytest.raises(StudyError) as caught:
        parse(text, "file.toml")
    message = str(caught.value)
    assert message.startswith(f"file.toml:{line}: ")
    assert says in message
    assert message.isprintable()
    assert len(message) < 500


def test_one_bracket_is_told_how_to_write_two() -> None:
    text = STUDY[: STUDY.index("[[policy]]")] + '[policy]\nname = "x"\nlearn = "offset"\n'
    with pytest.raises(StudyError, match=r"^file\.toml:22: write each policy as \[\[policy\]\]"):
        parse(text, "file.toml")
    with pytest.raises(StudyError, match=r"^file\.toml:25: write each policy as \[\[policy\]\]"):
        parse(text + "[policy]", "file.toml")
    two = text + '[[policy]]\nname = "y"\nlearn = "rate"\n'
    with pytest.raises(StudyError, match=r"^file\.toml:22: write each policy as \[\[policy\]\]"):
        parse(two, "file.toml")
    nested = STUDY + "[[server.event]]\n"
    with pytest.raises(StudyError, match=r"^file\.toml:30: write each server\.event as \[\["):
        parse(nested.replace("[[server.event]]", "[server.event]", 1), "file.toml")
    with pytest.raises(StudyError, match=r"^file\.toml:1: the file needs 'batch': write each"):
        parse('title = "x"\n[[policy]]\nname = "x"\nlearn = "rate"\n', "file.toml")


def test_a_study_is_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(STUDY, "utf-8")
    loaded = load(str(file))
    study = loaded.study
    assert (loaded.name, loaded.path) == ("fleet", file)
    assert study.end_s - study.start_s == pytest.approx(3 * 365.2425 * 86_400)
    assert study.tokens == 5001
    assert study.batch[1].months_in_stock == (0.0, 24.0)
    assert [policy.name for policy in study.policy] == ["fixed", "other"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such file"):
        load(str(tmp_path / "none.toml"))


PIECES = st.sampled_from(
    r"""
[[batch]]
[[policy]]
[person]
name
 =
[
{
}
]
,
"
nan
-1
1e300
"1 day"
2026-01-01
0xfffffffffffffffffff
[[[[
""".splitlines(keepends=True)
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The study with a few lines or values changed."""
    text = STUDY
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 30))
        text = text[:start] + draw(PIECES | st.text(max_size=5)) + text[end:]
    return text


@given(mutated())
@settings(max_examples=200)
def test_any_text_is_a_study_or_one_line_that_tells_where_it_is_not(text: str) -> None:
    try:
        study = parse(text, "file.toml").study
    except StudyError as error:
        message = str(error)
        assert re.match(r"file\.toml:[1-9]\d*: .", message)
        assert int(message.split(":")[1]) <= text.count("\n") + 1
        assert message.isprintable()
    else:
        assert study.tokens >= 1
