"""What importing and starting cost, each in a fresh interpreter."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Row, cost_of


def rows() -> Iterator[Row]:
    command = str(Path(sys.executable).with_name("tokenkit"))

    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run(arguments, check=True, capture_output=True)

    python = sys.executable
    cost = cost_of(
        {
            "pass": run(python, "-c", "pass"),
            "fido2": run(python, "-c", "import fido2"),
            "tokenkit": run(python, "-c", "import tokenkit"),
            "version": run(command, "--version"),
        }
    )
    yield Row("start-up", "python -c pass", cost["pass"])
    yield Row("start-up", "import fido2", cost["fido2"])
    ratio = cost["tokenkit"] / cost["fido2"]
    goal = ratio <= 1.3
    yield Row("start-up", "import tokenkit", cost["tokenkit"], ratio, "× fido2", "≤ 1.3", goal)
    more_ms = 1000 * (cost["version"] - cost["pass"])
    yield Row(
        "start-up",
        "tokenkit --version",
        cost["version"],
        more_ms,
        "ms more than pass",
        "≤ 150",
        more_ms <= 150,
    )
