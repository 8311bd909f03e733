"""``tokenkit serve``: the verifier as a service, over HTTP."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.db_options import sealing_key_option
from tokenkit.cli.output import complain, echo, print_json_line
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.service.root_account import RootAccount

_PORT = 8740


@click.command("serve", context_settings={"allow_interspersed_args": False})
@click.option(
    "--db",
    "url",
    default="sqlite://",
    metavar="URL",
    help="Keep all in sqlite:///FILE or postgresql+psycopg://HOST/NAME. Default: in memory.",
)
@sealing_key_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="On loopback; 0 is any that is free.",
)
@click.option(
    "--clock",
    type=click.Choice(["real", "simulated"]),
    default="real",
    show_default=True,
    help="Runs with the computer's, or stands still until it is moved.",
)
@click.option("--tokens", type=click.IntRange(0, 1000), default=0, help="Make virtual tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]…")
@click.pass_context
def command(
    ctx: click.Context,
    url: str,
    sealing_key: bytes | None,
    port: int,
    clock: str,
    tokens: int,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Serve AWS's IAM and STS, and a console for browsers, on this computer."""
    from tokenkit.service import Service
    from tokenkit.service.app import service_app
    from tokenkit.service.http_server import listen, port_of
    from tokenkit.service.root_account import prepare_root
    from tokenkit.service.run import serve_app
    from tokenkit.serving.child import CommandError
    from tokenkit.verifier import Verifier, WebAuthnPolicy
    from tokenkit.virtual import AdvancedClock, SimulatedClock, SystemClock, World

    now_s = SystemClock().now()
    world = World(clock=AdvancedClock() if clock == "real" else SimulatedClock(now_s))
    with listen(port) as listener:
        origin = f"http://localhost:{port_of(listener)}"
        with Verifier(
            url,
            now=world.clock.now,
            sealing_key=sealing_key,
            webauthn=WebAuthnPolicy(rp_id="localhost", origin=origin),
        ) as verifier:
            service = Service(verifier, world)
            root = prepare_root(
                verifier,
                world.entropy.bytes,
                password=os.environ.get("TOKENKIT_ROOT_PASSWORD"),
                access_key=_access_key(os.environ.get("TOKENKIT_ROOT_ACCESS_KEY")),
            )
            serial_numbers = service.tokens.make(count=tokens) if tokens else []
            facts = {**_facts(origin, root), "tokens": serial_numbers}
            try:
                status = serve_app(
                    service_app(service, ""),
                    listener,
                    ready=lambda: None if command else _announce(facts, as_json),
                    command=command,
                    environment=facts["environment"],
                )
            except CommandError as error:
                complain(str(error))
                status = error.status
    ctx.exit(status)


def _access_key(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    key_id, _, secret = text.partition(":")
    if not (key_id and secret):
        raise TokenkitError("TOKENKIT_ROOT_ACCESS_KEY: write ID:SECRET")
    return key_id, secret


def _facts(origin: str, root: "RootAccount") -> dict[str, Any]:
    environment = {
        "AWS_ENDPOINT_URL_IAM": origin,
        "AWS_ENDPOINT_URL_STS": origin,
        "AWS_ACCESS_KEY_ID": root.access_key.id,
        "AWS_SECRET_ACCESS_KEY": root.access_key.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return {
        "url": origin,
        "console": f"{origin}/console/",
        "root_password": root.password,
        "environment": environment,
    }


def _announce(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json_line(facts)
    else:
        echo(f"# console: {facts['console']}")
        if facts["root_password"]:
            echo(f"# sign in as root, password {facts['root_password']}")
        for number in facts["tokens"]:
            echo(f"# virtual token {number}")
        for name, value in facts["environment"].items():
            echo(f"export {name}={value}")
    if sys.stdout is not None:
        sys.stdout.flush()
