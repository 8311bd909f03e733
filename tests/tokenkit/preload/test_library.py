"""Building the preloaded library once, and what is said where that cannot be."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tokenkit.preload import PreloadError
from tokenkit.preload import library as module
from tokenkit.preload.library import library

linux = pytest.mark.skipif(sys.platform != "linux", reason="hidraw is Linux's")
compiled = pytest.mark.skipif(
    shutil.which("cc") is None, reason="no C compiler: apt-get install gcc libc6-dev"
)
pytestmark = linux


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


@compiled
def test_it_is_built_once_and_then_needs_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = library(tmp_path / "cache")
    made = built.stat()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert library(tmp_path / "cache") == built
    assert built.stat().st_ino == made.st_ino
    assert [each.name for each in built.parent.iterdir()] == [built.name]


@compiled
def test_many_at_once_build_one_whole_library(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        built = set(threads.map(lambda _: library(tmp_path), range(4)))
    assert len(built) == 1
    assert list(tmp_path.iterdir()) == list(built)
    [path] = built
    assert path.read_bytes().startswith(b"\x7fELF")


@compiled
def test_another_source_is_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = library(tmp_path)
    source = tmp_path / "hidraw.c"
    source.write_text("int nothing;\n")
    monkeypatch.setattr(module, "_SOURCE", source)
    assert library(tmp_path) != built


@compiled
def test_the_compiler_finds_nothing_to_complain_of() -> None:
    subprocess.run(
        ["cc", "-fsyntax-only", "-O2", "-Wall", "-Wextra", "-Werror", str(module._SOURCE)],
        check=True,
        timeout=60,
    )


@compiled
def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "hidraw.c"
    source.write_text("#include <no/such/header.h>\n")
    monkeypatch.setattr(module, "_SOURCE", source)
    with pytest.raises(PreloadError, match=r"no/such/header.*apt-get install gcc libc6-dev") as it:
        library(tmp_path / "cache")
    assert "\n" not in str(it.value)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("no_compiler")
def test_no_compiler_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(PreloadError, match="apt-get install gcc libc6-dev"):
        library(tmp_path)


def test_a_cache_that_cannot_be_is_named_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(PreloadError, match=r"file.*set XDG_CACHE_HOME"):
        library()


@compiled
def test_the_cache_is_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert library().is_relative_to(tmp_path / "home/.cache/tokenkit")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert library().is_relative_to(tmp_path / "elsewhere/tokenkit")


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(PreloadError, match="it needs Linux"):
        library()
