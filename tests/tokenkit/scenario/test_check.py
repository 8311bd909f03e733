"""What is wrong with a scenario is told with its line and a suggestion, before anything runs."""

from pathlib import Path

import pytest

from tokenkit.scenario import ScenarioError, load, parse, shipped

WAIT = '[[step]]\ndo = "wait"\nfor = "1 day"\n'
BATCH = '[[step]]\ndo = "make-batch"\nprefix = "GAHT"\ntokens = ["blue"]\n'
KEY = '[[step]]\ndo = "make-key"\ndevice = "key"\n'

# the text after the title on line 1, the line that is wrong, what must be said
WRONG = {
    "no steps": ("", 1, "needs 'step'"),
    "empty steps": ("step = []", 2, "length >= 1"),
    "steps of another type": ("step = 3", 2, "expected `array`"),
    "unknown key at the top": ('titel = "y"\n' + WAIT, 2, "did you mean 'title'?"),
    "unknown table": ("[[stpe]]\n", 2, "did you mean 'step'?"),
    "unknown step": ('[[step]]\ndo = "wiat"', 3, "no step 'wiat'; did you mean 'wait'?"),
    "step without do": ('[[step]]\nfor = "1 day"', 2, "needs 'do'"),
    "do of another type": ("[[step]]\ndo = 3", 3, "expected `str`"),
    "missing key": ('[[step]]\ndo = "wait"\n', 2, "the step 'wait' needs 'for'"),
    "unknown key in a step": (WAIT + "\nfro = 1", 6, "did you mean 'for'?"),
    "nothing like it": (WAIT + "colour = 1", 5, "there are: do, for"),
    "bad unit": ('[[step]]\ndo = "wait"\nfor = "1 dya"', 4, "did you mean days?"),
    "bare number for a duration": ('[[step]]\ndo = "wait"\nfor = 5', 4, '"5 s"'),
    "no time at all": ('[[step]]\ndo = "wait"\nfor = "-1 day"', 4, "longer than nothing"),
    "naive start": ("start = 2026-01-01T08:00:00\n" + WAIT, 2, "2026-01-01T08:00:00Z"),
    "date for start": ("start = 2026-01-01\n" + WAIT, 2, "2026-01-01T00:00:00Z"),
    "text for start": ('start = "now"\n' + WAIT, 2, "RFC3339"),
    "policy key": ("[policy]\nwindow_step = 3\n" + WAIT, 3, "did you mean 'window_steps'?"),
    "policy value": ("[policy]\nwindow_steps = 300\n" + WAIT, 3, "<= 20"),
    "prefix": (BATCH.replace("GAHT", "GA HT"), 4, "no serial number can begin with 'GA HT'"),
    "same token twice": (BATCH.replace('"blue"', '"blue",\n"blue"'), 6, "a token 'blue' already"),
    "unprintable name": (BATCH.replace("blue", "\\t"), 5, "printable"),
    "digits": (BATCH + "digits = 9", 6, "'digits' cannot be 9; there are: 6, 7, 8"),
    "place": (BATCH + 'place = "wharehouse"', 6, "did you mean warehouse?"),
    "place of another type": (BATCH + "place = 5", 6, '"5 °C"'),
    "temperature": (BATCH + 'place = "400 °C"', 6, "-40 to 85 °C"),
    "encrypted csv": (
        BATCH + '[[step]]\ndo = "ship-seeds"\nprefix = "GAHT"\nformat = "csv"\nencrypted = true',
        10,
        'format = "pskc"',
    ),
    "unknown batch": ('[[step]]\ndo = "ship-seeds"\nprefix = "G"', 4, "step make-batch before"),
    "misspelt device": (
        BATCH + '[[step]]\ndo = "enrol"\ndevice = "bleu"',
        8,
        "no token or phone 'bleu' so far; did you mean 'blue'?",
    ),
    "device of another kind": (KEY + '[[step]]\ndo = "enrol"\ndevice = "key"', 7, "'key' is a key"),
    "device used too early": (
        BATCH + '[[step]]\ndo = "sign-in"\ndevice = "blue"',
        8,
        "belongs to nobody yet; add a step enrol before",
    ),
    "key used too early": (KEY + '[[step]]\ndo = "assert"\ndevice = "key"', 7, "step register"),
    "unknown user": (
        KEY + '[[step]]\ndo = "register"\ndevice = "key"\nuser = "rot"',
        8,
        "did you mean 'root'?",
    ),
    "unknown device in a list": (
        KEY + '[[step]]\ndo = "expect-devices"\ndevices = [\n"key",\n"kye"]',
        9,
        "no token or phone or key 'kye' so far; did you mean 'key'?",
    ),
    "unknown outcome": (
        KEY + '[[step]]\ndo = "register"\ndevice = "key"\nexpect = "acepted"',
        8,
        "did you mean 'accepted'?",
    ),
    "unknown profile": (KEY + 'profile = "refernce"', 5, "did you mean reference?"),
    "profile of another type": (KEY + "profile = 1", 5, '"reference"'),
    "unknown touch": (
        KEY + '[[step]]\ndo = "register"\ndevice = "key"\ntouch = "nevr"',
        8,
        '"never"',
    ),
    "touch of another type": (
        KEY + '[[step]]\ndo = "register"\ndevice = "key"\ntouch = 5',
        8,
        '"5 s"',
    ),
    "every without for": (
        BATCH
        + '[[step]]\ndo = "enrol"\ndevice = "blue"\n'
        + '[[step]]\ndo = "sign-in"\ndevice = "blue"\nevery = "1 day"',
        12,
        "'every' needs 'for'",
    ),
    "too many sign-ins": (
        BATCH
        + '[[step]]\ndo = "enrol"\ndevice = "blue"\n'
        + '[[step]]\ndo = "sign-in"\ndevice = "blue"\nevery = "1 s"\nfor = "1 year"',
        13,
        "sign-ins",
    ),
    "user twice": (
        '[[step]]\ndo = "create-user"\nuser = "root"',
        4,
        "there is a user 'root' already",
    ),
    "syntax": ("[[step]\n", 2, "Expected"),
    "key twice": ('title = "y"\n[[step]]', 2, "overwrite"),
    "end of file": ('x = "', 2, "at end of document"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_with_line_and_suggestion(case: str) -> None:
    text, line, says = WRONG[case]
    with pytest.raises(ScenarioError) as caught:
        parse(f'title = "x"\n{text}', "file.toml")
    message = str(caught.value)
    assert message.startswith(f"file.toml:{line}: ")
    assert says in message
    assert "\n" not in message


def test_deep_nesting_is_a_syntax_error_not_a_crash() -> None:
    with pytest.raises(ScenarioError, match=r"file\.toml:"):
        parse("x = " + "[" * 100_000, "file.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"title = '\xff'")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 10_000_001)
    for file, says in [
        (binary, "not UTF-8 text at byte 9"),
        (large, "this is no scenario"),
        (tmp_path, "this is a folder"),
        (tmp_path / "none.toml", "no such file"),
    ]:
        with pytest.raises(ScenarioError, match=says):
            load(str(file))


def test_a_misspelt_shipped_name_is_suggested() -> None:
    with pytest.raises(ScenarioError, match="did you mean the shipped scenario hardware-token"):
        load("hardwaretoken")
    with pytest.raises(ScenarioError, match="shipped are: authenticator-app, "):
        load("xyz")


def test_shipped_scenarios_are_found_by_name() -> None:
    assert set(shipped()) == {
        "authenticator-app",
        "eight-devices",
        "hardware-token",
        "security-key",
    }
    loaded = load("hardware-token")
    assert loaded.name == "hardware-token"
    text = loaded.path.read_text("utf-8").split("\n")
    assert all(text[line - 1] == "[[step]]" for line in loaded.step_lines)
