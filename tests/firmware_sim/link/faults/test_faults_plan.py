"""Fault plans as TOML: what is read, and what is said of a file that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link.faults.plan import (
    COMMANDS,
    KINDS,
    Delay,
    Drop,
    FaultPlan,
    FaultPlanError,
    KeepAlives,
    PowerCut,
    Stall,
    load_plan,
    parse_plan,
)


def fault(*lines):
    return "\n".join(["[[fault]]", *lines])


def test_a_plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        "seed = 7\n"
        + fault('kind = "drop"', 'direction = "out"', 'command = "CBOR"', "packet = 2", "at = 3\n")
        + fault('kind = "delay"', "delay_s = 0.2", "probability = 0.01", "count = 5\n")
        + fault('kind = "stall"', "every = 10\n")
        + fault('kind = "keep-alives"', 'command = "0x42"\n')
        + fault('kind = "power-cut"', "after = true\n")
    )
    plan = load_plan(path)
    assert plan == FaultPlan(
        seed=7,
        fault=(
            Drop(direction="out", command="CBOR", packet=2, at=3),
            Delay(delay_s=0.2, probability=0.01, count=5),
            Stall(every=10),
            KeepAlives(command="0x42", direction="out", number=100),
            PowerCut(after=True),
        ),
    )
    assert [each.kind for each in plan.fault] == [
        "drop",
        "delay",
        "stall",
        "keep-alives",
        "power-cut",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_alone(kind):
    lines = [f'kind = "{kind}"', *(["delay_s = 1"] if kind == "delay" else [])]
    [read] = parse_plan("x", fault(*lines)).fault
    assert type(read) is KINDS[kind]
    assert parse_plan("x", fault(*lines)).seed == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no faults; write each as a table [[fault]]"),
        ("seed = 1", "it has no faults"),
        ("fault = []", "it has no faults"),
        ("fault = 1", "it has no faults"),
        ("fault = [1]", "it has no faults"),
        ("[fault]\nkind = 'drop'", "it has no faults; write each as a table [[fault]]"),
        ("[[faults]]\nkind = 'drop'", "unknown faults; did you mean fault?"),
        ("[[fault]]", "fault 1: no kind; there are: drop, corrupt, duplicate"),
        (fault("kind = 'dorp'"), "fault 1: kind 'dorp' is none; did you mean drop?"),
        (fault("kind = 1"), "fault 1: kind 1 is none; there are: drop"),
        (fault("kind = 'powercut'"), "did you mean power-cut?"),
        (fault("kind = 'drop'", "[[fault]]", "kind = 'delay'"), "fault 2: Object missing required"),
        (fault("kind = 'drop'", "cout = 1"), "fault 1 (drop): unknown cout; did you mean count?"),
        (fault("kind = 'drop'", '"a\\nb" = 1'), "unknown 'a\\nb'; there are: at, every"),
        (fault("kind = 'power-cut'", "direction = 'in'"), "fault 1 (power-cut): unknown direction"),
        (fault("kind = 'drop'", "direction = 'inn'"), "direction is in, out or both"),
        (fault("kind = 'drop'", "direction = [1]"), "direction is in, out or both"),
        (fault("kind = 'drop'", "at = 0"), "fault 1: at: Expected `int` >= 1"),
        (fault("kind = 'drop'", "at = 'x'"), "fault 1: at: Expected `int | null`, got `str`"),
        (fault("kind = 'drop'", f"at = {10**30}"), "fault 1: at: Expected `int` <="),
        (fault("kind = 'drop'", "at = 1", "every = 2"), "at, every and probability exclude each"),
        (fault("kind = 'power-cut'", "at = 1", "every = 2"), "at, every and probability exclude"),
        (fault("kind = 'drop'", "probability = 1.5"), "probability: Expected `float` <= 1"),
        (fault("kind = 'drop'", "probability = nan"), "probability: Expected `float` > 0"),
        (fault("kind = 'drop'", "command = 'cbor'"), "command 'cbor' is none; did you mean CBOR?"),
        (fault("kind = 'drop'", "command = '0x4'"), "SELECT, or as 0x41"),
        (fault("kind = 'delay'", "delay_s = 0"), "delay_s: Expected `float` > 0"),
        (fault("kind = 'delay'", "delay_s = inf"), "delay_s: Expected `float` <= 86400"),
        (fault("kind = 'delay'", "delay_s = nan"), "delay_s: Expected `float` > 0"),
        (fault("kind = 'keep-alives'", "number = 1001"), "number: Expected `int` <= 1000"),
        ("seed = 'x'\n" + fault("kind = 'drop'"), "seed: Expected `int`, got `str`"),
        ("seed = ", "Invalid value"),
        ("x = " + "[" * 50_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_plan_says_why(text, said):
    with pytest.raises(FaultPlanError) as caught:
        parse_plan("mine.toml", text)
    message = str(caught.value)
    assert message.startswith("fault plan mine.toml: ")
    assert said in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(FaultPlanError, match=r"nowhere\.toml: No such file"):
        load_plan(tmp_path / "nowhere.toml")
    with pytest.raises(FaultPlanError, match="Is a directory"):
        load_plan(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FaultPlanError, match="it is not UTF-8"):
        load_plan(tmp_path / "binary")
    with pytest.raises(FaultPlanError, match="null"):
        load_plan("a\0b")


values = st.one_of(
    st.integers(-1, 3),
    st.floats(),
    st.booleans(),
    st.sampled_from([*KINDS, *COMMANDS, "in", "out", "both", "0x10", ""]),
)
keys = st.sampled_from(
    ["kind", "at", "every", "count", "probability", "direction", "command", "packet"]
) | st.sampled_from(["bits", "byte", "copies", "delay_s", "stall_s", "length", "after", "knd"])


def toml(value):
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


@given(st.sampled_from([*KINDS]), st.dictionaries(keys, values, max_size=4))
def test_any_table_is_a_fault_or_an_error_of_one_line(kind, table):
    table = {"kind": kind} | table
    text = fault(*(f"{key} = {toml(value)}" for key, value in table.items()))
    try:
        [read] = parse_plan("x", text).fault
    except FaultPlanError as error:
        message = str(error)
        assert "\n" not in message
        assert "msgspec" not in message
    else:
        assert read.kind == table.pop("kind")
        assert {key: getattr(read, key) for key in table} == table


@given(st.text())
def test_any_text_is_a_plan_or_an_error(text):
    try:
        said = repr(parse_plan("x", text))
    except FaultPlanError as error:
        said = str(error)
    assert said.startswith(("fault plan x: ", "FaultPlan("))
