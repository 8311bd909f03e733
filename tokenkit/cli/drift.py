"""``tokenkit drift``: what a token's clock did, from a server's log."""

import click


@click.group("drift")
def command() -> None:
    """Say from logged codes what tokens' clocks did, and reproduce it."""
