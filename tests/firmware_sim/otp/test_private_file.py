"""Files with secrets: whole or not at all, for their owner only."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.otp.private_file import write_private_files

Damage = Callable[[pytest.MonkeyPatch], None]


def failing(function: Callable[..., object], at_call: int) -> Callable[..., object]:
    """``function``, but for one call that finds the disk full."""
    calls = 0

    def wrapper(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at_call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*args, **options)

    return wrapper


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_all_files_are_written_with_mode_0600(tmp_path: Path, overwrite: bool, umask: int) -> None:
    wanted = {"a": b"one", "b": b"", "c": bytes(100_000)}
    before = os.umask(umask)
    try:
        write_private_files({tmp_path / name: data for name, data in wanted.items()}, overwrite)
    finally:
        os.umask(before)
    assert contents(tmp_path) == wanted
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_overwriting_narrows_the_mode(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o644)
    write_private_files({target: b"new"}, overwrite=True)
    assert contents(tmp_path) == {"a": b"new"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["a", "b", "c"])
def test_a_file_that_is_there_stays_and_no_other_is_written(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught:
        write_private_files({tmp_path / name: b"new" for name in "abc"})
    assert caught.value.filename == str(tmp_path / there)
    assert contents(tmp_path) == {there: b"old"}


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_private_files({tmp_path / "a": b"secret"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize("at_call", [1, 2])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, at_call: int
) -> None:
    place: object = Path if call == "replace" else os
    monkeypatch.setattr(place, call, failing(getattr(place, call), at_call))
    paths = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(OSError, match="No space left") as caught:
        write_private_files(dict.fromkeys(paths, b"secret"))
    monkeypatch.undo()
    assert caught.value.filename in map(str, paths)
    assert contents(tmp_path) == {}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing(os.fsync, 1))
    with pytest.raises(OSError, match="No space left") as caught:
        write_private_files({tmp_path / "a": b"new"}, overwrite=True)
    assert caught.value.filename == str(tmp_path / "a")
    assert contents(tmp_path) == {"a": b"old"}


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_private_files({tmp_path / "a": b"secret"})
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    target = tmp_path / parent / "a"
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
        write_private_files({target: b"secret"})
    assert caught.value.filename == str(target)


def test_the_longest_name_there_is(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    write_private_files({target: b"secret"})
    assert target.read_bytes() == b"secret"
