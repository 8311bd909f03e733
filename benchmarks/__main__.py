"""Run every section and print one table."""

import argparse
import importlib
import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row

SECTIONS = (
    "security_key",
    "capacity",
    "pcsc",
    "chromium",
    "totp",
    "codes",
    "resync",
    "diagnose",
    "service",
    "scenario",
    "fleet",
    "start_up",
    "uhid",
    "vm",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"any of {', '.join(SECTIONS)}; default all")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = parser.parse_args()
    if unknown := set(options.section) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}")
    console = Console(stderr=True)
    rows: list[Row] = []
    for section in options.section or SECTIONS:
        with console.status(f"measuring {section} …"):
            rows += importlib.import_module(f"benchmarks.{section}").rows()
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(title="Costs, best of interleaved turns on this machine; ratios within this run")
    for heading in ("section", "what", "cost", "per second", "ratio", "goal", "held"):
        table.add_column(heading, justify="left" if heading in ("section", "what") else "right")
    for row in rows:
        table.add_row(
            row.section,
            row.what,
            _duration(row.cost_s),
            f"{1 / row.cost_s:,.0f}" if row.cost_s < 0.01 else "",
            "" if row.ratio is None else f"{row.ratio:,.2f} {row.unit}",
            row.goal,
            {None: "", True: "yes", False: "NO"}[row.held],
        )
    Console(width=150).print(table)


def _duration(cost_s: float) -> str:
    if cost_s < 1e-6:
        return f"{cost_s * 1e9:,.1f} ns"
    return f"{cost_s * 1e6:,.1f} µs" if cost_s < 0.01 else f"{cost_s:,.3f} s"


main()
