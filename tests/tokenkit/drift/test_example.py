"""The example that docs/drift.md shows."""

import re
from pathlib import Path

import pytest

from tests.tokenkit.drift import example
from tests.tokenkit.drift.fleet import DAY_S
from tokenkit.drift.diagnose import Options, diagnose
from tokenkit.drift.diagnosis import Diagnosis
from tokenkit.drift.observations import read_observations
from tokenkit.verifier.seed_file import read_seed_file

DOCUMENT = Path(__file__).parents[3] / "docs/drift.md"


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    seeds = read_seed_file(example.FOLDER / "seeds.csv")
    rows = read_observations(example.FOLDER / "observations.csv", seeds=seeds)
    return diagnose(seeds, rows, Options(range_s=7200.0))


def test_what_was_planted_is_found(found: Diagnosis) -> None:
    [fault] = found.server_faults
    assert fault.end is not None
    for when, true_s in zip((fault.begin, fault.end), example.SERVER_S, strict=True):
        assert when.after_s < true_s < when.before_s
    assert abs(fault.by_s.value - 300.0) < 12.0
    quiet, battery, moved, put, *others = (token.changes for token in found.tokens)
    assert [quiet, *others] == [[], [], []]
    for [change], true_s in (
        (battery, example.BATTERY.at_s),
        (moved, example.MOVED_S),
        (put, example.SET.at_s),
    ):
        assert change.when.after_s < true_s < change.when.before_s + DAY_S
    assert [change.cause for [change] in (battery, moved, put)] == [
        "battery",
        "temperature",
        "time zone",
    ]


def test_the_document_says_what_is_said(found: Diagnosis) -> None:
    text = DOCUMENT.read_text("utf-8")
    [block] = re.findall(r"```\n(T\d+\n.*?)```", text, re.DOTALL)
    serial_number, *quoted = block.splitlines()
    [token] = [each for each in found.tokens if each.serial_number == serial_number]
    assert len(quoted) == 3
    for line, sentence in zip(quoted, token.sentences, strict=False):
        assert sentence.startswith(line.strip().removesuffix("…").strip())
