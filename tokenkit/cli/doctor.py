"""``tokenkit doctor``."""

import click

from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import console, print_json, table


@click.command("doctor")
@click.argument("ways", nargs=-1, metavar="[WAY]...")
@json_option
@click.pass_context
def command(ctx: click.Context, ways: tuple[str, ...], as_json: bool) -> None:
    """Check what the ways to a key need, and say the mend for what is missing.

    \b
    WAY is one of
      keys     physical keys on USB
      uhid     keys made of software in this kernel: serve --port uhid
      usbip    the same, as USB devices over a network: serve --port usbip
      gadget   this computer as a physical key: serve --port gadget
      pcsc     smart-card readers, and serve --port vpcd
      vm       a kernel of one's own: tokenkit vm run
      preload  keys for one command, without a kernel: tokenkit preload

    Nobody needs them all: without WAY the exit status is 0. With it, 1 if something is missing.
    """
    from tokenkit.doctor import CHECKS, examine
    from tokenkit.doctor.system import System

    if unknown := set(ways) - set(CHECKS):
        raise click.UsageError(f"no way {min(unknown)!r}; there are: {', '.join(CHECKS)}")
    found = examine(System(), ways)
    if as_json:
        from dataclasses import asdict

        print_json({way: [asdict(each) for each in findings] for way, findings in found.items()})
    else:
        shown = table("way", "what", "", "found", "mend")
        for way, findings in found.items():
            for number, each in enumerate(findings):
                name = way if number == 0 else ""
                mark = "ok" if each.good else "--"
                shown.add_row(name, each.subject, mark, each.found, each.mend)
            shown.add_section()
        console().print(shown)
    if ways and not all(each.good for findings in found.values() for each in findings):
        ctx.exit(1)
