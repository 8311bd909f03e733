"""What is compiled, when it is compiled anew, and what happens where it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

from tokenkit.fleet import compiled as module
from tokenkit.fleet.compiled import compiled, fingerprint, shared

RATE = 2.0


@shared
def times(x: float) -> float:
    return RATE * x


def kernel(x: float) -> float:
    return times(x) + 1.0


def test_compiled_code_is_the_function() -> None:
    assert compiled(kernel)(20.0) == kernel(20.0) == 41.0


def test_a_division_by_zero_is_no_error() -> None:
    def invert(x: float) -> float:
        return 1.0 / x

    assert compiled(invert)(0.0) == float("inf")


def test_the_fingerprint_is_of_all_that_goes_in(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    prints = [fingerprint(kernel), fingerprint(kernel), fingerprint(times)]
    monkeypatch.setitem(globals(), "RATE", 3.0)
    prints.append(fingerprint(kernel))
    monkeypatch.setitem(globals(), "times", shared(lambda x: x))
    prints.append(fingerprint(kernel))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    root = Path(module.__file__).parents[2]
    path = os.pathsep.join([environment.pop("PYTHONPATH", ""), str(root)])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


USED = """
from tokenkit.fleet.compiled import shared
@shared
def factor():
    return 3
"""
KERNEL = """
from used import factor
from tokenkit.fleet.compiled import compiled
def run(x):
    return factor() * x
kernel = compiled(run)
"""
RUN = "from kernel import kernel; print(kernel(7), *kernel.stats.cache_hits.values())"


def test_it_is_compiled_anew_when_another_file_has_changed(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL)
    for factor, answers in (("3", ["21\n", "21 1\n"]), ("5", ["35\n"])):
        (tmp_path / "used.py").write_text(USED.replace("3", factor))
        for answer in answers:
            done = python(RUN, PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
            assert (done.stdout, done.stderr) == (answer, "")


def test_where_nothing_can_be_written_it_is_compiled_each_time(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL)
    (tmp_path / "used.py").write_text(USED)
    (tmp_path / "__pycache__").write_text("not a folder")
    done = python(RUN, PYTHONPATH=str(tmp_path), XDG_CACHE_HOME="/dev/null")
    assert (done.stdout, done.stderr) == ("21\n", "")


def test_without_numba_it_says_what_to_install() -> None:
    done = python("import sys; sys.modules['numba'] = None; import tokenkit.fleet.compiled")
    assert "MissingExtraError" in done.stderr
    assert "pip install 'tokenkit[fleet]'" in done.stderr
    done = python("import tokenkit.fleet.compiled", NUMBA_DISABLE_JIT="1")
    assert "unset NUMBA_DISABLE_JIT" in done.stderr
