"""A served key on uhid beside a bare echo device, both in one guest."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row
from tokenkit.errors import TokenkitError
from tokenkit.vm import run_in_guest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks/uhid_guest.py"
CLIENTS = {"by_library": "python-fido2", "raw": "a bare client"}


def rows() -> Iterator[Row]:
    packages = {"PYTHONPATH": ":".join([str(ROOT), *filter(None, sys.path)])}
    try:
        done = run_in_guest([sys.executable, str(SCRIPT)], env=packages, cwd=ROOT)
    except TokenkitError as error:
        print(f"uhid is left out: {error}", file=sys.stderr)
        return
    if done.returncode:
        print(f"uhid is left out: {done.stderr.decode(errors='replace')}", file=sys.stderr)
        return
    cost = json.loads(done.stdout)
    for client, who in CLIENTS.items():
        echo, key = cost[f"echo, {client}"], cost[f"key, {client}"]
        yield Row("uhid in a guest", f"57-byte PING by {who}, bare echo device", echo)
        share = 100 * echo / key
        yield Row(
            "uhid in a guest",
            f"57-byte PING by {who}, served key",
            key,
            share,
            "% of its rate",
            "≥ 90",
            share >= 90,
        )
