"""``tokenkit keys virtual mds``: a metadata BLOB for the models of keys made of software."""

from pathlib import Path

import click

from tokenkit.cli.output import echo
from tokenkit.cli.types import Directory
from tokenkit.errors import TokenkitError


@click.command("mds")
@click.option("--out", required=True, type=Directory(), help="Directory to write into.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="PROFILE=STATUS",
    help="Latest status of a model, such as yubikey-5.4=REVOKED.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def command(out: Path, statuses: tuple[str, ...], overwrite: bool) -> None:
    """Write a FIDO MDS3 BLOB for all models, signed under the toolkit's test CA.

    blob.jwt is the BLOB, root.pem the certificate to trust for it. With a status given, a relying
    party can be seen to refuse a model that was revoked, or to ask for a certified one.
    """
    from tokenkit.virtual import (
        load_profile,
        metadata_blob,
        profile_names,
        root_certificate_pem,
        write_private_files,
    )

    latest = dict(_status(text) for text in statuses)
    names = profile_names()
    for name in latest:
        if name not in names:
            raise TokenkitError(f"--status {name}: there are: {', '.join(names)}")
    try:
        blob = metadata_blob(map(load_profile, names), latest)
    except ValueError as error:
        raise TokenkitError(f"--status: {error}") from None
    files = {out / "blob.jwt": blob, out / "root.pem": root_certificate_pem()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_private_files(files, overwrite)
    except FileExistsError as error:
        raise TokenkitError(f"{error.filename} is there already: add --overwrite") from None
    echo(f"{out / 'blob.jwt'} speaks of {len(names)} models; trust it under {out / 'root.pem'}")


def _status(text: str) -> tuple[str, str]:
    name, equals, status = text.partition("=")
    if not equals:
        raise click.UsageError(f"--status {text}: write PROFILE=STATUS")
    return name, status
