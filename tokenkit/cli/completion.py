"""``tokenkit completion``."""

import click
from click.shell_completion import get_completion_class

from tokenkit.cli.output import echo


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(tokenkit completion bash)"
    zsh:   eval "$(tokenkit completion zsh)"
    fish:  tokenkit completion fish | source
    """
    from tokenkit.cli import root

    completion = get_completion_class(shell)
    assert completion is not None
    echo(completion(root, {}, "tokenkit", "_TOKENKIT_COMPLETE").source())
