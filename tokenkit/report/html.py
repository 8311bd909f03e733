"""Pages of HTML that need nothing else: no script, no font, no network."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tokenkit.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment


def check_installed() -> None:
    """Raise MissingExtraError unless the packages for HTML reports are there."""
    if find_spec("jinja2") is None or find_spec("matplotlib") is None:
        raise MissingExtraError("an HTML report", "report")


def environment(package: str) -> "Environment":
    """The templates of ``package``, which extend ``base.html.j2``; unknown names are errors."""
    check_installed()
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        autoescape=True,
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("tokenkit.report", ".")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
