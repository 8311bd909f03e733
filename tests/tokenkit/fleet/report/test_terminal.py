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
    ("width", "columns"),
    [
        (60, "lock-outs codes"),
        (70, "rejections lock-outs resyncs codes next most"),
        (80, "rejections lock-outs resyncs replaced codes next most"),
        (119, "rejections lock-outs resyncs replaced codes next most"),
        (120, "rejections lock-outs resyncs replaced codes next most"),
    ],
)
def test_what_is_left_out_where_there_is_no_room(
    result: StudyResult, width: int, columns: str
) -> None:
    text = shown(result, width)
    [heading] = [line for line in text.splitlines() if line.startswith(" policy ")]
    assert heading.split() == ["policy", "batch", *columns.split()]
    assert ("replaced: found by no resync" in " ".join(text.split())) == ("replaced" in columns)


def test_how_many_were_replaced() -> None:
    made = study_result({"a": [(200, 3.0)] * 3}, NAMES)
    [row] = [line.split() for line in shown(made, 80).splitlines() if " all " in line]
    assert row[1:5] == ["101", "33", "33", "0.67"]
    [row] = [line.split() for line in shown(made, 120).splitlines() if " all " in line]
    assert " ".join(row[5:9]) == "33 (31–36) 0.67 (0.27–1.06)"
