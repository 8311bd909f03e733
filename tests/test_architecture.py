"""The rules of the house that a machine can check: who imports whom, who may tell the time."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "tokenkit/virtual.py"

# Rule 2: calls that reach the outside world. Measuring elapsed time (perf_counter) is no such.
OUTSIDE = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "os.urandom",
    "os.getrandom",
    "uuid.uuid1",
    "uuid.uuid4",
}
OUTSIDE_MODULES = {"random", "secrets"}
HEAVY = ["sqlalchemy", "numpy", "matplotlib", "fido2", "rich", "msgspec", "firmware_sim"]
HEAVY += ["starlette", "uvicorn", "botocore", "numba", "distributed", "pyarrow", "scipy"]


def sources(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"no sources under {package}"
    return files


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that ``tree`` imports, by statement or importlib."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def importers(package: str, of: str) -> set[Path]:
    return {
        path
        for path in sources(package)
        for name in imported(ast.parse(path.read_text("utf-8")))
        if name.split(".")[0] == of
    }


def outside_uses(source: str) -> list[str]:
    """What ``source`` reaches outside by, in order; an explicit default is the allowed form."""
    tree = ast.parse(source)
    found = []
    names: dict[str, str] = {}  # local name: full name
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.asname: a.name for a in node.names if a.asname}
    found += [name for name in imported(tree) if name.split(".")[0] in OUTSIDE_MODULES]
    defaults = {
        default
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for default in (*node.args.defaults, *node.args.kw_defaults)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or node in defaults:
            continue
        head, dot, rest = ast.unparse(node).partition(".")
        full = names.get(head, head) + dot + rest
        if ".".join(full.split(".")[-2:]) in OUTSIDE or "numpy.random" in full:
            found.append(full)
    return found


def test_the_device_side_never_imports_the_host_side() -> None:
    assert importers("firmware_sim", of="tokenkit") == set()


def test_the_host_side_has_one_door_to_the_device_side() -> None:
    assert importers("tokenkit", of="firmware_sim") == {DOOR}


@pytest.mark.parametrize("package", ["firmware_sim", "tokenkit"])
def test_the_outside_world_comes_in_through_world(package: str) -> None:
    world = ROOT / "firmware_sim/world"
    offenders = {
        str(path.relative_to(ROOT)): uses
        for path in sources(package)
        if world not in path.parents and (uses := outside_uses(path.read_text("utf-8")))
    }
    assert offenders == {}


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("import time\nx = time.time()", ["time.time"]),
        ("import time as t\nx = t.time()", ["time.time"]),
        ("from time import time as now\nx = now()", ["time.time"]),
        ("from os import urandom\nurandom(1)", ["os.urandom"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime\ndatetime.now()", ["datetime.datetime.now"]),
        ("import random", ["random"]),
        ("from secrets import token_bytes", ["secrets.token_bytes"]),
        ("import numpy as np\nnp.random.rand()", ["numpy.random.rand", "numpy.random"]),
        ("import time\ndef f(now=time.time): return now()", []),
        ("import os\ndef f(*, random_bytes=os.urandom): return random_bytes(1)", []),
        ("import time\ndef f(now=time.time()): ...", ["time.time"]),
        ("import time\ntime.perf_counter()", []),
    ],
)
def test_the_check_itself(source: str, uses: list[str]) -> None:
    assert outside_uses(source) == uses


@pytest.mark.parametrize(
    "program",
    [
        "import tokenkit",
        "import tokenkit.pytest_plugin",
        "from tokenkit.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass",
        "from tokenkit.cli import main\ntry: main(['keys', '--help'])\nexcept SystemExit: pass",
        "from tokenkit.cli import main\ntry: main(['serve', '--help'])\nexcept SystemExit: pass",
        "from tokenkit.cli import main\ntry: main(['ctl', '--help'])\nexcept SystemExit: pass",
        "from tokenkit.cli import main\ntry: main(['db', '--help'])\nexcept SystemExit: pass",
        "from tokenkit.cli import main\ntry: main(['fleet', 'study', '--help'])\n"
        "except SystemExit: pass",
    ],
    ids=[
        "import",
        "pytest plugin",
        "--version",
        "keys --help",
        "serve --help",
        "ctl --help",
        "db --help",
        "fleet study --help",
    ],
)
def test_start_up_is_lean(program: str) -> None:
    """Rule 11, in an interpreter of its own."""
    report = f"\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
