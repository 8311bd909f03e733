"""``tokenkit serve``: the verifier as a service, over HTTP."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.db_options import (
    ENVIRONMENT,
    database_url,
    demand_sealing_key,
    sealing_key_option,
)
from tokenkit.cli.output import complain, echo, print_json_line
from tokenkit.cli.seed_options import read_seeds, seed_options
from tokenkit.cli.serve_options import control_option, log_to_terminal
from tokenkit.cli.types import moment
from tokenkit.errors import MissingExtraError, TokenkitError

if TYPE_CHECKING:
    from tokenkit.service import Service
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
@click.option(
    "--start",
    "start_s",
    callback=moment,
    metavar="TIME",
    help="When the simulated clock begins, such as 2026-01-01T00:00:00Z. Default: now.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What passes, as TOML: [totp], [webauthn], [account].",
)
@click.option(
    "--seeds",
    "seed_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Import hardware tokens from PSKC or CSV; those that are known are passed over.",
)
@seed_options
@click.option(
    "--tokens",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="N",
    help="Make N virtual hardware tokens, which live as long as the service.",
)
@click.option(
    "--verbose",
    is_flag=True,
    help="Say why requests are refused while COMMAND runs, too.",
)
@control_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]…")
@click.pass_context
def command(
    ctx: click.Context,
    url: str,
    sealing_key: bytes | None,
    port: int,
    clock: str,
    start_s: float | None,
    policy_file: Path | None,
    seed_file: Path | None,
    pskc_key: bytes | None,
    pskc_password: str | None,
    skip_faulty: bool,
    tokens: int,
    verbose: bool,
    control_file: Path | None,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Serve AWS's IAM and STS, and a console for browsers, on this computer.

    Until Ctrl-C or SIGTERM, and what is printed can be pasted into a shell whose programs are to
    use it; or while COMMAND runs, which has it in its environment, and whose exit status is then
    returned. Options after COMMAND are its own.

    Root's password and access key are made when the database is new, or are those of the
    environment: TOKENKIT_ROOT_PASSWORD, and TOKENKIT_ROOT_ACCESS_KEY as ID:SECRET.

    Each request of IAM and STS that is refused is a line on standard error, with the reason and
    the mend.

    tokenkit ctl moves the clock and handles the virtual tokens.
    """
    if start_s is not None and clock == "real":
        raise click.UsageError("--start is for --clock simulated")
    try:
        from tokenkit.service.app import service_app
        from tokenkit.service.http_server import listen, port_of
        from tokenkit.service.moments import moment_s
        from tokenkit.service.opening import opened_service
        from tokenkit.service.policy_file import policies
        from tokenkit.service.root_account import prepare_root
        from tokenkit.service.run import serve_app
    except ModuleNotFoundError as error:
        if (error.name or "tokenkit").startswith("tokenkit"):
            raise
        raise MissingExtraError("tokenkit serve", "serve") from error
    from tokenkit.serving.child import CommandError
    from tokenkit.serving.control_client import SERVICE, own_control_file
    from tokenkit.serving.control_file import ControlFile
    from tokenkit.verifier.search import warm
    from tokenkit.virtual import OsEntropy

    log_to_terminal()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # what clients send is their affair
    if verbose or not command:
        logging.getLogger("tokenkit.iam").setLevel(logging.INFO)
    try:
        start_s = None if start_s is None else moment_s(start_s)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--start") from None
    demand_sealing_key(database_url(url), sealing_key)
    policies(policy_file, f"http://localhost:{port or _PORT}")  # mistakes come before the port's
    seeds = []
    if seed_file is not None:
        seeds = read_seeds(seed_file, pskc_key, pskc_password, skip_faulty)
    given_key = _access_key(os.environ.get("TOKENKIT_ROOT_ACCESS_KEY"))
    with _telling_how_to_give_the_key(), listen(port) as listener:
        origin = f"http://localhost:{port_of(listener)}"
        with opened_service(
            url,
            sealing_key,
            policies(policy_file, origin),
            simulated=clock == "simulated",
            start_s=start_s,
            seeds=seeds,
            tokens=tokens,
        ) as service:
            root = prepare_root(
                service.verifier,
                OsEntropy().bytes,
                password=os.environ.get("TOKENKIT_ROOT_PASSWORD"),
                access_key=given_key,
            )
            path = (control_file or own_control_file(SERVICE)).absolute()
            file, token = ControlFile(path), OsEntropy().bytes(32).hex()
            facts = _facts(origin, root, service, path)
            for_command = {**facts["environment"], SERVICE.environment: str(path)}
            if root.password is not None:  # which nobody else is told
                for_command["TOKENKIT_ROOT_PASSWORD"] = root.password

            def ready() -> None:
                file.write(f"{origin}/control", token)
                if not command:  # whose output is its own, and which may be short
                    _announce(facts, as_json)
                    threading.Thread(target=warm, name="warm", daemon=True).start()

            try:
                status = serve_app(
                    service_app(service, token),
                    listener,
                    ready=ready,
                    command=command,
                    environment=for_command,
                )
            except CommandError as error:
                complain(str(error))
                status = error.status
            finally:
                file.remove()
                if not command and sys.stderr.isatty():
                    echo(err=True)  # after the ^C that the terminal shows
    ctx.exit(status)


@contextmanager
def _telling_how_to_give_the_key() -> Iterator[None]:
    from tokenkit.verifier import SealingKeyError

    try:
        yield
    except SealingKeyError:
        raise TokenkitError(
            "the sealing key does not open the seeds: give the one with which the database was"
            f" made, by --sealing-key-file FILE or {ENVIRONMENT}"
        ) from None


def _access_key(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    key_id, _, secret = text.partition(":")
    if not (key_id and secret):
        raise TokenkitError("TOKENKIT_ROOT_ACCESS_KEY: write ID:SECRET")
    return key_id, secret


def _facts(origin: str, root: "RootAccount", service: "Service", control: Path) -> dict[str, Any]:
    from tokenkit.service.aws_environment import OTHER_CREDENTIALS, aws_environment

    return {
        "url": origin,
        "console": f"{origin}/console/",
        "root_password": root.password,
        "unset": list(OTHER_CREDENTIALS),
        "environment": aws_environment(origin, root.access_key),
        "tokens": [token.serial_number for token in service.tokens.all()],
        "control": str(control),
    }


def _announce(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json_line(facts)
    else:
        echo(f"# console: {facts['console']}")
        if facts["root_password"] is not None:
            echo(f"# sign in as root with the password {facts['root_password']}")
        else:
            echo("# root has a password; TOKENKIT_ROOT_PASSWORD sets another")
        for serial_number in facts["tokens"]:
            echo(f"# virtual token {serial_number}")
        echo(f"unset {' '.join(facts['unset'])}")
        for name, value in facts["environment"].items():
            echo(f"export {name}={value}")
    if sys.stdout is not None:
        sys.stdout.flush()
