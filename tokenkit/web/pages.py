"""Templates: Jinja, everything escaped."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tokenkit.web.admin_text import FILTERS
from tokenkit.web.navigation import NAVIGATION


def render(template: str, form: Mapping[str, str], **context: object) -> str:
    """The text of a page; of ``form`` it may ask any field, and gets "" for those not typed."""
    typed = defaultdict(str, form)
    return _environment().get_template(template).render(form=typed, **context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tokenkit.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"date": date, **FILTERS}
    environment.globals |= {"counted": counted, "navigation": NAVIGATION}
    return environment


def date(seconds: float) -> Markup:
    """A time as a person in any place reads it, and a program."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M UTC")
    )


def counted(number: int, one: str, many: str = "") -> str:
    """Such as "1 device" and "2 devices"."""
    return f"{number} {one if number == 1 else many or one + 's'}"
