"""One file an extension; a new file with an ``EXTENSION`` is a new extension."""

import importlib
import pkgutil
from functools import cache

from firmware_sim.fido.extension import Extension


@cache
def all_extensions() -> dict[str, Extension]:
    """Every extension in this folder by its identifier."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").EXTENSION for name in names]
    return {extension.identifier: extension for extension in found}
