"""A study goes on where it was stopped, by whatever, and comes out the same."""

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.fleet import run as running
from tokenkit.fleet.archive import pack
from tokenkit.fleet.checkpoint import Checkpoint, CheckpointError
from tokenkit.fleet.partition import Counted, Partition
from tokenkit.fleet.pool import threads
from tokenkit.fleet.run import digest, run
from tokenkit.fleet.study import Study, parse

STUDY = """
title = "Test"
start = 2026-01-01T00:00:00Z
years = 0.5
[[batch]]
name = "desk"
tokens = 9
[[policy]]
name = "fixed"
learn = "offset"
"""
CODE = "tokenkit 0.1.0, source 0123"
PARTITIONS = 5


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PARTITION_TOKENS", 2)


@pytest.fixture
def study() -> Study:
    return parse(STUDY, "test.toml").study


class Bench:
    """A folder for a checkpoint; what was warned of, and which partitions were counted."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder = folder
        self.study = study
        self.warned: list[str] = []
        self.counted: list[int] = []

    def open(self, study: Study | None = None, code: str = CODE) -> Checkpoint:
        study = study or self.study
        return Checkpoint(self.folder, study.title, digest(study), code, self.warned.append)

    def count(self, study: Study, part: Partition) -> Counted:
        self.counted.append(part.first)
        return running.work(study, part)

    def run(self, checkpoint: Checkpoint | None, most: int = PARTITIONS) -> list[bytes]:
        """The first ``most`` archives; then whoever runs the study dies."""
        self.counted.clear()
        with threads(1) as pool, closing(run(self.study, pool, checkpoint, self.count)) as made:
            return [pack(next(made).counted) for _ in range(most)]

    def file(self, first: int) -> Path:
        return self.folder / f"tokens-1-{first}"


@pytest.fixture
def bench(tmp_path: Path, study: Study) -> Bench:
    return Bench(tmp_path / "kept", study)


@pytest.mark.parametrize("most", range(PARTITIONS + 1))
def test_it_goes_on_where_it_stopped(bench: Bench, most: int) -> None:
    expected = bench.run(None)
    assert bench.run(bench.open(), most) == expected[:most]
    kept = [first for first in (1, 3, 5, 7, 9) if bench.file(first).exists()]
    assert len(kept) >= most
    assert bench.run(bench.open()) == expected
    assert not set(kept) & set(bench.counted)
    assert bench.run(bench.open()) == expected
    assert bench.counted == []


def test_a_damaged_file_is_told_and_counted_again(bench: Bench) -> None:
    expected = bench.run(bench.open())
    whole = bench.file(3).read_bytes()
    flipped = bytes([*whole[:-30], whole[-30] ^ 1, *whole[-29:]])
    for damaged in (b"", whole[:20], whole[:-1], whole + b"\0", flipped):
        bench.file(3).write_bytes(damaged)
        assert bench.run(bench.open()) == expected
        assert bench.counted == [3]
        assert bench.warned == [f"{bench.file(3)} is damaged: its tokens are counted again"]
        assert bench.file(3).read_bytes() == whole
        bench.warned.clear()


def test_a_file_of_another_name_is_not_taken_for_this_one(bench: Bench) -> None:
    expected = bench.run(bench.open())
    bench.file(5).write_bytes(bench.file(3).read_bytes())
    assert bench.run(bench.open()) == expected
    assert bench.counted == [5]
    assert "other tokens" in bench.warned[0]


def test_what_was_half_written_is_removed(bench: Bench) -> None:
    bench.run(bench.open())
    left = bench.folder / ".tokens-1-3.abcdefgh"
    left.write_bytes(b"half")
    bench.open()
    assert not left.exists()


def test_two_runs_at_once_do_not_share_a_folder(bench: Bench) -> None:
    """The second one would remove what the first one is writing. Whoever dies lets go of it."""
    first = bench.open()
    with pytest.raises(CheckpointError, match=r"kept is in use by another run"):
        bench.open()
    half = bench.folder / ".tokens-1-3.abcdefgh"
    half.write_bytes(b"half")
    with pytest.raises(CheckpointError, match="in use"):
        bench.open()
    assert half.exists()
    with first:
        pass
    bench.open()
    assert not half.exists()


@pytest.mark.parametrize(
    "change",
    [("tokens = 9", "tokens = 11"), ("years = 0.5", "years = 1"), ('"fixed"', '"other"')],
)
def test_another_study_is_refused(bench: Bench, change: tuple[str, str]) -> None:
    bench.run(bench.open(), 2)
    before = {path: path.read_bytes() for path in bench.folder.iterdir()}
    with pytest.raises(CheckpointError, match=r"checkpoint of another study, 'Test'.*remove"):
        bench.open(parse(STUDY.replace(*change), "test.toml").study)
    assert {path: path.read_bytes() for path in bench.folder.iterdir()} == before


def test_what_a_study_file_does_not_say_makes_no_other_study(study: Study) -> None:
    spaced = STUDY.replace("years", "# for how long\nyears   ").replace("0.5", "0.50")
    assert digest(parse(spaced, "other.toml").study) == digest(study)


def test_another_version_is_refused(bench: Bench) -> None:
    bench.run(bench.open(), 2)
    with pytest.raises(
        CheckpointError, match=r"counted by tokenkit 0\.1\.0, .* this is tokenkit 1"
    ):
        bench.open(code="tokenkit 1.0.0, source 4567")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}\n{}"])
def test_a_checkpoint_that_does_not_say_what_it_is(bench: Bench, text: str) -> None:
    bench.open()
    (bench.folder / "study.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"study\.json is damaged: remove "):
        bench.open()


def test_a_folder_with_other_things_is_left_alone(bench: Bench) -> None:
    bench.folder.mkdir()
    mine = {"thesis.tex", ".tokens-of-mine"}
    for name in mine:
        (bench.folder / name).write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds thesis\.tex: name a new folder"):
        bench.open()
    assert {path.name for path in bench.folder.iterdir()} == mine


def test_a_file_in_the_place_of_the_folder(bench: Bench) -> None:
    bench.folder.write_text("")
    with pytest.raises(CheckpointError, match=r"cannot use the checkpoint .*kept: File exists"):
        bench.open()


@pytest.mark.parametrize("fails_at", [5, 6])  # a file, then its name
def test_a_full_disk_loses_nothing_that_was_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    expected = bench.run(None)
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) >= fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with (
            bench.open() as checkpoint,
            pytest.raises(TokenkitError, match=r"cannot write .*kept.*No space left"),
        ):
            bench.run(checkpoint)
    assert [path for path in bench.folder.iterdir() if path.name.startswith(".")] == []
    assert bench.run(bench.open()) == expected
    assert 0 < len(bench.counted) < PARTITIONS
