"""Batch files: what comes out of the drawer is what was put in."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp import batch_file as batch_files
from firmware_sim.otp.batch_file import BatchFileError, batch_file, read_batch, ship_batch
from firmware_sim.otp.factory import Batch, Factory
from firmware_sim.otp.grade import GRADES
from firmware_sim.otp.hotp import ALGORITHMS
from firmware_sim.otp.token import TokenKind
from firmware_sim.world.entropy import SeededEntropy

NAMES = {"batch.json", "seeds.pskcxml", "seeds.csv"}


def make_batch(seed: int = 1, made_s: float = 0.0, count: int = 2, **options: Any) -> Batch:
    return Factory(SeededEntropy(seed), made_s).make_batch("TKTEST", count, **options)


batches = st.builds(
    make_batch,
    seed=st.integers(),
    made_s=st.floats(0, 253_402_300_799),
    count=st.integers(1, 3),
    kind=st.sampled_from(TokenKind),
    algorithm=st.sampled_from(ALGORITHMS),
    digits=st.integers(6, 8),
    period_s=st.sampled_from([30, 60]),
    grade=st.sampled_from(list(GRADES)),
)


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batch") / "any.json"


@given(batches)
def test_a_batch_comes_back_as_it_was(file: Path, batch: Batch) -> None:
    file.write_bytes(batch_file(batch))
    assert read_batch(file) == batch


@given(st.data())
def test_a_cut_file_is_no_batch(file: Path, data: st.DataObject) -> None:
    whole = batch_file(make_batch())
    cut = data.draw(st.integers(0, len(whole) - 2), label="cut")  # the last byte ends the line
    file.write_bytes(whole[:cut])
    with pytest.raises(BatchFileError, match=r"any\.json: not a batch file"):
        read_batch(file)


@given(st.data())
def test_a_changed_byte_is_refused_or_still_a_batch(file: Path, data: st.DataObject) -> None:
    damaged = bytearray(batch_file(make_batch()))
    place = data.draw(st.integers(0, len(damaged) - 1), label="place")
    damaged[place] = data.draw(st.integers(0, 255), label="byte")
    file.write_bytes(damaged)
    try:
        batch = read_batch(file)
    except BatchFileError as error:
        message = str(error)
    else:
        # what it says now is what it would be written as
        file.write_bytes(batch_file(batch))
        assert read_batch(file) == batch
        return
    assert message.startswith(f"{file}: ")
    assert message.isprintable()


@given(st.binary())
def test_any_other_file_is_refused(file: Path, noise: bytes) -> None:
    file.write_bytes(noise)
    with pytest.raises(BatchFileError):
        read_batch(file)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.update(format="otp batch 2"), "Invalid enum value 'otp batch 2'"),
        (lambda file: file.update(extra=1), "unknown field `extra`"),
        (lambda file: file.update({"\x1b[2J\n": 1}), r"unknown field `\\x1b\[2J\\n`"),
        (lambda file: file.update(format="\n\x9b"), r"Invalid enum value '\\n\\x9b'"),
        (lambda file: file.update(tokens=[]), "a batch has tokens"),
        (lambda file: file["tokens"].append(file["tokens"][0]), "each serial number once"),
        (lambda file: file["tokens"][1].update(serial_number="short"), "9 to 256"),
        (lambda file: file["tokens"][1].update(period_s=31), "30 or 60 s, not 31"),
        (lambda file: file["tokens"][1].update(kind="OCRA"), "OCRA"),
        (lambda file: file["tokens"][1].update(seed="no base64!"), "seed"),
        (lambda file: file["tokens"][1].update(perod_s=60), "perod_s"),
        (lambda file: file["tokens"][1].pop("seed"), "seed"),
        (lambda file: file["tokens"][1]["crystal"].update(ageing_tau_s=0), "ageing_tau_s"),
        (lambda file: file["tokens"][1]["crystal"].update(colour=0), "colour"),
    ],
)
def test_a_wrong_field_is_named(file: Path, change: Change, message: str) -> None:
    tree = json.loads(batch_file(make_batch()))
    change(tree)
    file.write_text(json.dumps(tree))
    with pytest.raises(BatchFileError, match=message):
        read_batch(file)


def test_brackets_without_end_are_refused(file: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    file.write_text(f'{{"format": "otp batch 1", "tokens": [{{"x": {deep}}}]}}')
    with pytest.raises(BatchFileError, match="not a batch file"):
        read_batch(file)


def test_shipping_writes_three_private_files(tmp_path: Path) -> None:
    batch = make_batch()
    directory = tmp_path / "new" / "drawer"
    paths = ship_batch(batch, directory)
    assert {path.name for path in directory.iterdir()} == NAMES
    assert {name: path.name for name, path in paths.items()} == {
        "batch": "batch.json",
        "pskc": "seeds.pskcxml",
        "csv": "seeds.csv",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths.values()} == {0o600}
    assert read_batch(paths["batch"]) == batch


def test_the_same_batch_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        ship_batch(make_batch(), tmp_path / name, bytes(16))
    for name in NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("there", sorted(NAMES))
def test_shipping_over_a_file_writes_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(FileExistsError, match=there):
        ship_batch(make_batch(), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


def test_a_bad_key_makes_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16, 24 or 32 bytes, not 5"):
        ship_batch(make_batch(), tmp_path / "new", b"short")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_shipment_takes_its_directories_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(files: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch_files, "write_private_files", disk_full)
    (tmp_path / "there").mkdir()
    for name in ("there", "new/drawer", "there/drawer"):
        with pytest.raises(OSError, match="No space left"):
            ship_batch(make_batch(), tmp_path / name)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["there"]


def test_a_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_batch(tmp_path / "missing.json")
