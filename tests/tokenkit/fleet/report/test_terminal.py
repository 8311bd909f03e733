"""The table on a terminal: what gives way when it is narrow."""

from io import StringIO

import pytest
from rich.console import Console

from tokenkit.fleet.result import StudyResult
from tokenkit.fleet.terminal import print_result

from .made import NAMES, study_result


def shown(result: StudyResult, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    print_result(result, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("width", "columns", "intervals"),
    [
        (40, "lock-outs codes", False),
        (60, "lock-outs codes", False),
        (80, "rejections lock-outs resyncs codes next", False),
        (110, "rejections lock-outs resyncs replaced codes next most", False),
        (140, "rejections lock-outs resyncs replaced codes next most", True),
    ],
)
def test_what_is_left_out_where_there_is_no_room(
    result: StudyResult, width: int, columns: str, intervals: bool
) -> None:
    text = shown(result, width)
    [heading] = [line for line in text.splitlines() if line.startswith(" policy ")]
    assert heading.split() == ["policy", "and", "batch", *columns.split()]
    said = " ".join(text.split())
    assert ("replaced: found by no resync" in said) == ("replaced" in columns)
    assert ("with 95 % intervals" in said) == intervals
    assert all(len(line) <= width for line in text.splitlines())


def test_how_many_were_replaced() -> None:
    made = study_result({"a": [(200, 3.0)] * 3}, NAMES)
    [row] = [line.split() for line in shown(made, 80).splitlines() if " all " in line]
    assert row[1:5] == ["101", "33", "33", "0.67"]
    [row] = [line.split() for line in shown(made, 140).splitlines() if " all " in line]
    assert " ".join(row[5:9]) == "33 (31–36) 0.67 (0.27–1.06)"
