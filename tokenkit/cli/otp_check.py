"""``tokenkit otp check``: whether a seed file can be imported."""

from collections import Counter
from pathlib import Path

import click

from tokenkit.cli.output import complain, console, echo, print_json, table
from tokenkit.cli.seed_options import open_seeds, pskc_options


@click.command()
@click.argument("seed_file", type=click.Path(path_type=Path), metavar="FILE")
@pskc_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    seed_file: Path,
    pskc_key: bytes | None,
    pskc_password: str | None,
    as_json: bool,
) -> None:
    """Read seed file FILE, PSKC or CSV, and say what is in it, without any secret key.

    All faults are told by line and serial number. Nothing is imported. Exit status 2 if there are
    faults.
    """
    found = open_seeds(seed_file, pskc_key, pskc_password)
    counts = Counter((seed.algorithm, seed.digits, seed.period_s) for seed in found.seeds)
    kinds = [
        {"algorithm": algorithm, "digits": digits, "period_s": period_s, "tokens": tokens}
        for (algorithm, digits, period_s), tokens in sorted(counts.items())
    ]
    name = click.format_filename(seed_file)
    if as_json:
        faults = [
            {
                "line": fault.place and fault.place.line,
                "key": fault.place and fault.place.key,
                "serial_number": fault.serial_number or None,
                "message": fault.message,
            }
            for fault in found.faults
        ]
        print_json({"file": name, "tokens": len(found.seeds), "kinds": kinds, "faults": faults})
    else:
        echo(f"{name}: {_many(len(found.seeds), 'token')}")
        if kinds:
            listing = table("algorithm", "digits", "time step", "tokens")
            for kind in kinds:
                listing.add_row(
                    *(str(kind["algorithm"]), str(kind["digits"])),
                    *(f"{kind['period_s']} s", str(kind["tokens"])),
                )
            console().print(listing)
        if found.faults:
            told = "\n".join(f"  {fault}" for fault in found.faults)
            complain(f"{name}: {_many(len(found.faults), 'fault')}:\n{told}")
    ctx.exit(2 if found.faults else 0)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
