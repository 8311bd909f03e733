"""What is wrong with a scenario is told with its line and a suggestion, before anything runs."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.scenario import ScenarioError, load, parse, run, shipped

WAIT = '[[step]]\ndo = "wait"\nfor = "1 day"\n'
BATCH = '[[step]]\ndo = "make-batch"\nprefix = "GAHT"\ntokens = ["blue"]\n'
EVENT = "[[server.event]]\nat = 2026-01-01T12:00:00Z\n"
KEY = '[[step]]\ndo = "make-key"\ndevice = "key"\n'

# the text after the title on line 1, the line that is wrong, what must be said
WRONG = {
    "no steps": ("", 1, "the file needs 'step': write each step as [[step]]"),
    "empty steps": ("step = []", 2, "there is at least one"),
    "steps of another type": ("step = 3", 2, "write each step as [[step]]"),
    "a step of another type": ("step = [\n3]", 3, "write each step as [[step]]"),
    "one bracket": ('[step]\ndo = "wait"', 2, "write each step as [[step]]"),
    "one bracket twice": ("[step]\n[step]", 3, "write each step as [[step]]"),
    "policy of another type": ("policy = 3\n" + WAIT, 2, "'policy' must be a table, not a whole"),
    "what ends like a message": (WAIT + '"x - at `$.foo" = 1', 5, "unknown key 'x - at `$.foo'"),
    "the same at the top": ('"x - at `$.foo" = 1', 2, "unknown key 'x - at `$.foo'"),
    "the same in a value": (WAIT.replace("1 day", "x - at `$.foo`"), 4, "no duration"),
    "a message in a key": ('"x` - at `$.step[0]" = 1', 2, "unknown key 'x` - at `$.step[0]'"),
    "unknown key at the top": ('titel = "y"\n' + WAIT, 2, "did you mean 'title'?"),
    "unknown table": ("[[stpe]]\n", 2, "did you mean 'step'?"),
    "unknown step": ('[[step]]\ndo = "wiat"', 3, "no step 'wiat'; did you mean 'wait'?"),
    "step without do": ('[[step]]\nfor = "1 day"', 2, "this step needs 'do'"),
    "do of a strange type": ("[[step]]\ndo = {}", 3, "must be text in quotes, not a table"),
    "do of another type": ("[[step]]\ndo = [3]", 3, "'do' must be text in quotes, not a list"),
    "missing key": ('[[step]]\ndo = "wait"\n', 2, "the step 'wait' needs 'for'"),
    "unknown key in a step": (WAIT + "\nfro = 1", 6, "did you mean 'for'?"),
    "nothing like it": (WAIT + "colour = 1", 5, "there are: do, for"),
    "bad unit": ('[[step]]\ndo = "wait"\nfor = "1 dya"', 4, "did you mean days?"),
    "bare number for a duration": ('[[step]]\ndo = "wait"\nfor = 5', 4, '"5 s"'),
    "no time at all": ('[[step]]\ndo = "wait"\nfor = "-1 day"', 4, "longer than nothing"),
    "naive start": ("start = 2026-01-01T08:00:00\n" + WAIT, 2, "2026-01-01T08:00:00Z"),
    "date for start": ("start = 2026-01-01\n" + WAIT, 2, "2026-01-01T00:00:00Z"),
    "text for start": ('start = "now"\n' + WAIT, 2, "like 2026-01-01T08:00:00Z, not 'now'"),
    "naive text": ('start = "2026-01-01T08:00:00"\n' + WAIT, 2, "2026-01-01T08:00:00Z for UTC"),
    "number for start": ("start = 1\n" + WAIT, 2, "must be a date and time, not a whole number"),
    "hour for start": ("start = 08:00:00\n" + WAIT, 2, "not a time of day"),
    "policy key": ("[policy]\nwindow_step = 3\n" + WAIT, 3, "did you mean 'window_steps'?"),
    "policy value": ("[policy]\nwindow_steps = 300\n" + WAIT, 3, "'window_steps' is from 0 to 100"),
    "policy word": ('[policy]\ndrift = "rat"\n' + WAIT, 3, "'drift'"),
    "policy entry": ('[policy]\nentry = "2 min"\n' + WAIT, 3, "'entry' is from 0 to 60"),
    "policy delay": ('[policy]\ndelay = "-1 s"\n' + WAIT, 3, "'delay' is not negative"),
    "policy lock": ("[policy]\nlock_after = 0\n" + WAIT, 3, "'lock_after' is at least 1"),
    "policy rate": ("[policy]\nmax_rate_ppm = 0\n" + WAIT, 3, "'max_rate_ppm' is above 0"),
    "no tokens": (BATCH.replace('["blue"]', "[]"), 5, "must have at least 1 element"),
    "tokens of another type": (BATCH.replace('"blue"', "3"), 5, "each of 'tokens' must be text"),
    "text for a number": (BATCH + 'digits = "6"', 6, "must be a whole number, not text in quotes"),
    "long pin": (
        KEY + f'[[step]]\ndo = "set-pin"\ndevice = "key"\npin = "{"1" * 64}"',
        8,
        "'pin' must have at most 63 characters",
    ),
    "server clock": (
        '[server]\nclock = "ntq"\n' + WAIT,
        3,
        "'clock' cannot be 'ntq'; did you mean",
    ),
    "server key": (
        "[server]\nrate = 1\n" + WAIT,
        3,
        "unknown key 'rate'; did you mean 'rate_ppm'?",
    ),
    "server of two kinds": (
        "[server]\nrate_ppm = 1\n" + WAIT,
        2,
        'goes with clock = "free-running"',
    ),
    "server event": (EVENT + 'step = "1 s"\n\nsmear = 1\n' + WAIT, 6, "unknown key 'smear'"),
    "server event of no kind": (EVENT + WAIT, 2, "one of step, slew, leap, pause, restore"),
    "server event of two kinds": (
        EVENT + 'step = "1 s"\nslew = "1 s"\n' + WAIT,
        2,
        "one of step, slew, leap, pause, restore: this has step and slew",
    ),
    "server events at once": (
        2 * (EVENT + 'pause = "1 h"\n') + WAIT,
        5,
        "what happened to the clock before is not over yet: that takes 3600 s more",
    ),
    "mending what is not wrong": (
        EVENT + 'slew = "1 s"\nmended_after = "1 h"\n' + WAIT,
        2,
        "'mended_after' goes with step, pause or restore",
    ),
    "mending what is right": (
        EVENT + 'pause = "1 s"\nmended_after = "1 h"\n' + WAIT,
        2,
        "'mended_after' needs resumes = \"behind\"",
    ),
    "the same in a step": (
        '[[step]]\ndo = "pause-server"\nfor = "1 h"\nmended_after = "1 h"\n',
        5,
        "'mended_after' needs resumes = \"behind\"",
    ),
    "no snapshot": ('[[step]]\ndo = "restore-server"\n', 3, "add a step snapshot-server before"),
    "a time that is past": (
        WAIT + '[[step]]\ndo = "wait-until"\nat = 2026-01-01T12:00:00Z\n',
        7,
        "that is past",
    ),
    "huge policy": (f"[policy]\nwindow_steps = 0x{'f' * 5000}\n" + WAIT, 3, "too many digits"),
    "policy range": (
        '[policy]\nenrol_range = "1 h"\nresync_range = "1000 years"\n' + WAIT,
        4,
        "'resync_range' is from 0 to 30 days, not",
    ),
    "line break": ('summary = """a\nb"""\n' + WAIT, 2, "'summary' is one line"),
    "escape": ('summary = "\\u001b[31m"\n' + WAIT, 2, "'summary' is one line"),
    "summary of another type": ("summary = 3\n" + WAIT, 2, "text in quotes"),
    "before 1970": ("start = 1969-12-31T23:59:59Z\n" + WAIT, 2, "the years 1970 to 9998"),
    "after 9998": ("start = 9999-01-01T00:00:00Z\n" + WAIT, 2, "the years 1970 to 9998"),
    "before the first year": ("start = 0001-01-01T00:00:00+23:59\n" + WAIT, 2, "1970 to 9998"),
    "waiting too long": (
        "start = 9998-12-29T12:00:00Z\n" + WAIT + WAIT + WAIT,
        11,
        "simulated time ends with the year 9998",
    ),
    "an outage too long": (
        BATCH + '[[step]]\ndo = "change-battery"\ndevice = "blue"\noutage = "1000 years"\n' * 8,
        37,
        "simulated time ends with the year 9998",
    ),
    "sign-ins too late": (
        "start = 9998-01-01T00:00:00Z\n"
        + BATCH
        + '[[step]]\ndo = "enrol"\ndevice = "blue"\n'
        + '[[step]]\ndo = "sign-in"\ndevice = "blue"\nevery = "1 week"\nfor = "2 years"',
        14,
        "simulated time ends with the year 9998",
    ),
    "shipped twice": (
        BATCH + '[[step]]\ndo = "ship-seeds"\nprefix = "GAHT"\n' * 2,
        11,
        "the seeds of 'GAHT' have been shipped already",
    ),
    "user with a space": (
        '[[step]]\ndo = "create-user"\nuser = "bob smith"',
        4,
        "user name 'bob smith': ",
    ),
    "app with a space": (
        '[[step]]\ndo = "create-app"\napp = "bob phone"',
        4,
        "app name 'bob phone': ",
    ),
    "spaces around a name": (BATCH.replace("blue", "blue "), 5, "begins or ends with a space"),
    "empty name": (BATCH.replace("blue", ""), 5, "1 to 256 printable characters"),
    "long name": (BATCH.replace("blue", "b" * 257), 5, "1 to 256 printable characters"),
    "long prefix": (BATCH.replace("GAHT", "G" * 249), 4, "1 to 248"),
    "device listed twice": (
        KEY + '[[step]]\ndo = "expect-devices"\ndevices = [\n"key",\n"key"]',
        9,
        "'key' is listed twice",
    ),
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
    "syntax": ("[[step]\n", 2, "expected ']]' at the end of an array declaration (column 7)"),
    "key twice": ('title = "y"\n[[step]]', 2, "there already"),
    "open quote": ('summary = "y\nstart = 1', 2, "a quote is not closed on this line (column 13)"),
    "open single quote": ("summary = 'y\nstart = ''", 2, "a quote is not closed on this line"),
    "open quote at the end": ('x = "', 2, "a quote is not closed (at the end of the file)"),
    "open single quote at the end": ("x = '", 2, "a quote is not closed"),
    "open fence": ('x = """y\n', 3, "a quote is not closed"),
    "text without quotes": ("summary = y", 2, "text stands in quotes (column 11)"),
    "two words without quotes": ("x = 5 min", 2, "text stands in quotes (column 7)"),
    "endless number": (f"\nx = {'1' * 5000}\n", 3, "a number has too many digits"),
    "endless hexadecimal": (BATCH + f"digits = 0x{'f' * 5000}\n", 6, "too many digits"),
    "endless duration": (f'[[step]]\ndo = "wait"\nfor = 0x{"f" * 5000}\n', 4, '"90 s"'),
    "endless text": (WAIT.replace("1 day", "x" * 5000), 4, "'xxx"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_with_line_and_suggestion(case: str) -> None:
    text, line, says = WRONG[case]
    with pytest.raises(ScenarioError) as caught:
        parse(f'title = "x"\n{text}', "file.toml")
    message = str(caught.value)
    assert message.startswith(f"file.toml:{line}: ")
    assert says in message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("title", ["a\\nb", "\\u001b[31mred", "\\u202e"])
def test_a_title_goes_to_a_terminal_as_it_is(title: str) -> None:
    with pytest.raises(ScenarioError, match=r"^file\.toml:1: 'title' is one line"):
        parse(f'title = "{title}"\n{WAIT}', "file.toml")


@pytest.mark.parametrize(("prefix", "serial_length"), [("G", 9), ("G" * 248, 256)])
def test_what_passes_the_check_is_made(prefix: str, serial_length: int) -> None:
    name = "blue" * 64
    text = BATCH.replace("GAHT", prefix).replace("blue", name)
    text += f'[[step]]\ndo = "ship-seeds"\nprefix = "{prefix}"\n'
    text += f'[[step]]\ndo = "enrol"\ndevice = "{name}"\n'
    text += f'[[step]]\ndo = "create-app"\napp = "{"a" * 226}"\n'
    record = run(parse(f'title = "x"\n{text}', "file.toml"))
    assert record.held
    assert len(record.devices[0].serial_number) == serial_length


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "9998-12-30T23:59:59Z"])
def test_a_scenario_plays_to_the_edges_of_time(start: str) -> None:
    text = f'title = "x"\nstart = {start}\n[policy]\nwindow_steps = 100\n{WAIT}{BATCH}'
    text += '[[step]]\ndo = "ship-seeds"\nprefix = "GAHT"\n'
    text += '[[step]]\ndo = "enrol"\ndevice = "blue"\n'
    assert run(parse(text, "file.toml")).held


def test_an_empty_file_is_told_what_it_needs() -> None:
    with pytest.raises(ScenarioError, match=r"^file\.toml:1: the file needs 'title'$"):
        parse("", "file.toml")


def test_deep_nesting_is_a_syntax_error_not_a_crash() -> None:
    with pytest.raises(ScenarioError, match=r"^file\.toml:1: brackets are nested too deep"):
        parse("x = " + "[" * 100_000, "file.toml")


@pytest.mark.parametrize("inner", ["[{}]", "{{ y = {} }}"])
def test_nesting_ends_somewhere_as_an_error(inner: str) -> None:
    text = "1"
    for _ in range(500):
        text = inner.format(text)
        with pytest.raises(ScenarioError, match=r"unknown key 'x'|nested too deep"):
            parse(f"x = {text}", "file.toml")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(f'title = "x"\n{WAIT}'.replace("\n", "\r\n").encode("utf-8-sig"))
    loaded = load(str(file))
    assert loaded.scenario.title == "x"
    assert loaded.step_lines == [2]


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
        "leap-second",
        "security-key",
        "server-an-hour-ahead",
        "server-snapshot",
    }
    loaded = load("hardware-token")
    assert loaded.name == "hardware-token"
    text = loaded.path.read_text("utf-8").split("\n")
    assert all(text[line - 1] == "[[step]]" for line in loaded.step_lines)


# pieces of scenario files, in any order
PIECES = st.sampled_from(
    [
        "\n",
        "[[step]]\n",
        "[policy]\n",
        "title",
        "step",
        "do",
        "for",
        "device",
        "devices",
        "expect",
        "start",
        " = ",
        " = [",
        "{",
        "}",
        "]",
        ",",
        ".",
        "#",
        '"',
        "'",
        '"""',
        "\\",
        '"x"\n',
        '"wait"\n',
        '"enrol"\n',
        '"1 day"\n',
        '"root"\n',
        '"x - at `$.step[0]`"',
        "true\n",
        "nan\n",
        "-1.5e300\n",
        "0xffffffffffffffffffff\n",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01\n",
        "0001-01-01T00:00:00+23:59\n",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)
SHIPPED = [path.read_text("utf-8") for path in shipped().values()]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A shipped scenario with a few lines or values changed."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 30))
        text = text[:start] + draw(PIECES | st.text(max_size=5)) + text[end:]
    return text


@st.composite
def other_values(draw: st.DrawFn) -> str:
    """A shipped scenario with one value of another kind."""
    lines = draw(st.sampled_from(SHIPPED)).split("\n")
    pairs = [number for number, line in enumerate(lines) if " = " in line]
    number = draw(st.sampled_from(pairs))
    key = lines[number].partition(" = ")[0]
    lines[number] = f"{key} = {draw(VALUES)}"
    return "\n".join(lines)


SCALARS = st.one_of(
    st.integers().map(str),
    st.integers(0).map(hex),
    st.floats().map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10).map(
        lambda text: json.dumps(text, ensure_ascii=True)
    ),
    st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
    st.dates().map(str),
    st.times().map(str),
    st.sampled_from(['"5 s"', '"-5 s"', '"999 years"', '"5 °C"', '"desk"', '"root"', '"key"']),
)
VALUES = st.recursive(
    SCALARS,
    lambda values: (
        st.lists(values, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | values.map(lambda value: f"{{ x = {value} }}")
    ),
    max_leaves=4,
)


@given(TEXTS | mutated() | other_values())
@settings(max_examples=500)
def test_any_text_is_a_scenario_or_one_line_that_tells_where_it_is_not(text: str) -> None:
    try:
        loaded = parse(text, "file.toml")
    except ScenarioError as error:
        message = str(error)
        assert re.match(r"file\.toml:[1-9]\d*: .", message)
        assert int(message.split(":")[1]) <= text.count("\n") + 1
        assert message.isprintable()
    else:
        assert len(loaded.step_lines) == len(loaded.scenario.step)
