"""The sealing key on the command line: in a file or the environment, and never told."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tokenkit.cli.db_options import ENVIRONMENT, SealingKeyFormError, sealing_key_option

KEY = bytes(range(32))


@click.command()
@sealing_key_option
def command(sealing_key: bytes | None) -> None:
    click.echo("none" if sealing_key is None else sealing_key.hex())


def run(*args: str, env: dict[str, str | None] | None = None) -> Any:
    return CliRunner(env={ENVIRONMENT: None, **(env or {})}).invoke(command, list(args))


@pytest.mark.parametrize(
    "contents", [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n", b"\n".join([KEY])]
)
def test_a_file(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "key").write_bytes(contents)
    arguments = ("--sealing-key-file", str(tmp_path / "key"))
    assert run(*arguments).output == KEY.hex() + "\n"
    # the file is asked first
    assert run(*arguments, env={ENVIRONMENT: KEY[::-1].hex()}).output == KEY.hex() + "\n"


def test_the_environment() -> None:
    assert run(env={ENVIRONMENT: KEY.hex()}).output == KEY.hex() + "\n"
    assert run().output == run(env={ENVIRONMENT: ""}).output == "none\n"


@pytest.mark.parametrize("secret", ["secret", KEY.hex()[:-2], KEY.hex() * 20, "é" * 32])
def test_what_is_no_key_is_not_repeated(tmp_path: Path, secret: str) -> None:
    (tmp_path / "key").write_text(secret)
    for place, done in (
        (str(tmp_path / "key"), run("--sealing-key-file", str(tmp_path / "key"))),
        (ENVIRONMENT, run(env={ENVIRONMENT: secret})),
    ):
        assert isinstance(done.exception, SealingKeyFormError)
        text = str(done.exception)
        assert text.startswith(f"{place}: a sealing key is 32 bytes, or 64 hexadecimal digits")
        assert secret[:6] not in text


def test_no_file(tmp_path: Path) -> None:
    done = run("--sealing-key-file", str(tmp_path / "key"))
    assert isinstance(done.exception, FileNotFoundError)  # which ``main`` tells by name
