"""When and where the search is compiled, each time in an interpreter of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tokenkit.verifier import search
from tokenkit.verifier.totp import CodeGenerator

SHA_LANES = Path(search.__file__).with_name("sha_lanes.py")


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


SEARCH = """
import sys
from tokenkit.verifier import search
from tokenkit.verifier.totp import CodeGenerator
generator = CodeGenerator(b"seed")
print(search.warm(), search.find_pairs(generator, *generator.codes([7, 8]), range(1000)))
"""


def test_without_numba_it_is_pure_python() -> None:
    done = python("import sys; sys.modules['numba'] = None" + SEARCH)
    assert (done.stdout, done.stderr) == ("False [7]\n", "")


def test_with_numba_switched_off_it_is_pure_python() -> None:
    done = python(SEARCH, NUMBA_DISABLE_JIT="1")
    assert (done.stdout, done.stderr) == ("False [7]\n", "")


def test_nothing_is_compiled_unless_asked() -> None:
    """Scenarios and programs are short: they start no thread, and do not load Numba."""
    program = SEARCH.replace("search.warm()", "'numba' in sys.modules")
    assert python(program).stdout == "False [7]\n"


COMPILE = """
import sha_lanes
kernel = sha_lanes.compile_kernel("SHA1")
pads = [bytes(n ^ pad for n in b"seed".ljust(64, b"\\0")) for pad in (0x36, 0x5C)]
print(*kernel(pads, 0, 1, 10**6), sum(sha_lanes._compiled.stats.cache_hits.values()))
"""


@pytest.fixture
def read_only_package(tmp_path: Path) -> Path:
    """A folder with the module, in which no cache can be made, by root either."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    shutil.copy(SHA_LANES, folder)
    (folder / "__pycache__").write_text("not a folder")
    return folder


def test_where_packages_are_read_only_it_is_cached_for_the_user(
    read_only_package: Path, tmp_path: Path
) -> None:
    where = {"PYTHONPATH": str(read_only_package), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    [code] = CodeGenerator(b"seed").codes([0])
    for hits in (0, 1):
        assert python(COMPILE, **where).stdout.split() == [str(int(code)), str(hits)]
    assert list((tmp_path / "cache").rglob("*.nbi"))


def test_where_nothing_can_be_written_it_is_compiled_each_time(read_only_package: Path) -> None:
    where = {"PYTHONPATH": str(read_only_package), "XDG_CACHE_HOME": "/dev/null"}
    [code] = CodeGenerator(b"seed").codes([0])
    assert python(COMPILE, **where).stdout.split() == [str(int(code)), "0"]


def test_a_process_that_ends_waits_for_the_compiler(tmp_path: Path) -> None:
    """LLVM in a daemon thread would crash it."""
    program = """
import atexit, threading
from numba.core import event

under_way, begun = [], threading.Event()
atexit.register(lambda: print("left:", under_way))  # called last
from tokenkit.verifier import search

class Listener(event.Listener):
    def on_start(self, _):
        under_way.append("compiling")
        begun.set()

    def on_end(self, _):
        under_way.pop()

event.register("numba:compile", Listener())
threading.Thread(target=search.warm, daemon=True).start()
begun.wait()
print(under_way)
"""
    done = python(program, NUMBA_CACHE_DIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "['compiling']\nleft: []\n", "")
