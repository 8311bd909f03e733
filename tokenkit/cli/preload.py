"""``tokenkit preload``."""

import math
from contextlib import ExitStack, suppress

import click


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """What --touch says, in seconds after the request."""
    words = {"at-once": 0.0, "never": math.inf}
    with suppress(ValueError):
        seconds = words[value] if value in words else float(value)
        if 0 <= seconds < math.inf or value in words:
            return seconds
    raise click.BadParameter(f"{value!r}: write at-once, never or seconds", ctx, param)


@click.command("preload", context_settings={"allow_interspersed_args": False})
@click.option(
    "--key",
    "keys",
    multiple=True,
    default=("reference",),
    show_default=True,
    metavar="PROFILE[?…]",
    help="A key to plug in, as after virtual: in a selector; once more for the next.",
)
@click.option(
    "--touch",
    callback=_seconds,
    default="at-once",
    show_default=True,
    metavar="at-once|never|SECONDS",
    help="When the keys are touched after they ask for it.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, required=True, metavar="COMMAND…")
@click.pass_context
def command(
    ctx: click.Context, keys: tuple[str, ...], touch: float, arguments: tuple[str, ...]
) -> None:
    """Run COMMAND with virtual keys at /dev/hidraw*.

    It and the programs that it starts see the keys as Linux shows those on USB, without root and
    without support by the kernel:

    \b
      tokenkit preload -- fido2-token -L
      tokenkit preload --key 'yubikey-5.4?state=key.db' -- ssh-keygen -t ed25519-sk -f id
      tokenkit preload --key reference --key solokey-1 -- sh

    Options after COMMAND are its own. So is the exit status, 128 + N if signal N ended it. A key
    is gone with it, unless it lives in a file. Real keys stay visible.

    A C compiler is needed once, for the library that LD_PRELOAD puts into the programs. Static
    ones, and setuid and setgid ones such as sudo and ssh-agent, do not let it in and see no key.
    """
    from tokenkit import virtual
    from tokenkit.keys.discovery import virtual_key
    from tokenkit.keys.selector import parse_selector
    from tokenkit.preload import run_with_keys

    selectors = [parse_selector(f"virtual:{each}") for each in keys]
    worlds: dict[str | None, virtual.World] = {}
    with ExitStack() as stack:
        made = []
        for selector in selectors:
            if selector.seed not in worlds:
                worlds[selector.seed] = virtual.World(selector.seed, clock=virtual.SystemClock())
            key, state = virtual_key(selector, worlds[selector.seed])
            if state is not None:
                stack.callback(state.close)
            key.finger = virtual.TouchAfter(touch)
            made.append(key)
        status = run_with_keys(made, arguments)
    ctx.exit(status)
