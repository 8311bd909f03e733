"""``tokenkit keys reset``."""

import click

from tokenkit.cli.key_options import Guard, guarded, json_option, report, selector_argument
from tokenkit.cli.output import say


@click.command("reset")
@selector_argument
@guarded
@json_option
def command(selector: str, guard: Guard, as_json: bool) -> None:
    """Erase everything on a key.

    That is credentials, PIN, large blobs, fingerprints and settings.

    A physical key takes this only in the first 10 seconds after it was plugged in: you are told
    when to unplug it, plug it in and touch it.
    """
    from tokenkit.keys import open_key
    from tokenkit.keys.reset import reset

    with open_key(selector) as key:
        guard.confirm(key, "erase all credentials, the PIN and all settings")
        reset(key, say)
        report(key, as_json, "everything erased", erased=True)
