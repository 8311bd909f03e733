"""``tokenkit keys attest``."""

from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tokenkit.cli.key_options import identity, json_option, selector_argument
from tokenkit.cli.output import console, print_json, say, table
from tokenkit.cli.pin_entry import enter_pin, pin_option
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.attestation import Metadata, TrustedRoots
    from tokenkit.keys import OpenKey

_FILE = click.File("rb")


@click.command("attest")
@selector_argument
@click.option(
    "--ca",
    "cas",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="Certificate to trust, PEM or DER.",
)
@click.option("--mds", type=_FILE, metavar="FILE", help="Trust what this FIDO MDS3 BLOB says.")
@click.option(
    "--mds-root", type=_FILE, metavar="FILE", help="Root certificate that signed the BLOB."
)
@click.option(
    "--rp-id", metavar="ID", help="Relying party of the credential that is made, and not kept."
)
@pin_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    selector: str,
    cas: tuple[BinaryIO, ...],
    mds: BinaryIO | None,
    mds_root: BinaryIO | None,
    rp_id: str | None,
    pin_file: BinaryIO | None,
    as_json: bool,
) -> None:
    """Check whose make a key is.

    A fresh credential is made, and its attestation verified. It takes no room on the key, but a
    touch. A virtual key is checked against the toolkit's test CA unless told otherwise. Exit
    status 1 if the attestation does not verify.
    """
    if (mds is None) != (mds_root is None):
        raise click.UsageError("--mds and --mds-root go together")
    if mds and cas:
        raise click.UsageError("trust --ca or --mds, not both")

    from tokenkit.keys import open_key
    from tokenkit.keys.attestation import (
        RP_ID,
        judge,
        make_attested,
        names,
        needs_pin_to_attest,
    )

    with open_key(selector) as key:
        trusted = _trusted(key, cas, mds, mds_root)
        pin = enter_pin(pin_file) if needs_pin_to_attest(key) else None
        attested = make_attested(key, pin, rp_id or RP_ID, say)
    verdict = judge(attested, trusted)
    facts: dict[str, Any] = {
        "format": attested.format,
        "aaguid": attested.aaguid,
        "algorithm": attested.algorithm,
        "model": verdict.model,
        "chain": [
            dict(zip(("subject", "issuer"), names(each), strict=True)) for each in attested.chain
        ],
        "verified": verdict.holds,
        "reason": verdict.reason,
    }
    if as_json:
        print_json({**identity(key), **facts})
    else:
        _print(key, facts)
    ctx.exit(0 if verdict.holds else 1)


def _trusted(
    key: "OpenKey", cas: tuple[BinaryIO, ...], mds: BinaryIO | None, mds_root: BinaryIO | None
) -> "TrustedRoots | Metadata | None":
    from tokenkit.attestation import TrustedRoots
    from tokenkit.keys.attestation import read_certificates, read_metadata
    from tokenkit.virtual import root_certificate

    if mds is not None and mds_root is not None:
        roots = read_certificates(mds_root.read(), mds_root.name)
        if len(roots) != 1:
            raise TokenkitError(f"{mds_root.name}: holds {len(roots)} certificates, not one root")
        return read_metadata(mds.read(), roots[0], mds.name)
    if cas:
        return TrustedRoots([each for ca in cas for each in read_certificates(ca.read(), ca.name)])
    return TrustedRoots([root_certificate()]) if key.is_virtual else None


def _print(key: "OpenKey", facts: dict[str, Any]) -> None:
    from tokenkit.keys.errors import printable
    from tokenkit.keys.info import algorithm_name

    shown = table("attestation", str(key))
    shown.add_row("format", printable(facts["format"]))
    shown.add_row("AAGUID", facts["aaguid"])
    shown.add_row("algorithm", algorithm_name(facts["algorithm"]))
    if facts["model"]:
        shown.add_row("model", printable(facts["model"]))
    for certificate in facts["chain"]:
        shown.add_row("certificate", printable(certificate["subject"]))
        shown.add_row("issued by", printable(certificate["issuer"]))
    shown.add_row(
        "verdict", f"{'verified' if facts['verified'] else 'NOT verified'}: {facts['reason']}"
    )
    console().print(shown)
