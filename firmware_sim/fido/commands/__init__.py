"""One file a command; a new file with a ``COMMAND`` is a new command."""

import importlib
import pkgutil
from functools import cache

from firmware_sim.fido.command import Command


@cache
def all_commands() -> dict[int, Command]:
    """Every command in this folder by its byte."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").COMMAND for name in names]
    return {command.code: command for command in found}
