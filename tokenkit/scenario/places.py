"""Where a device may lie: a named place, or a temperature such as ``5 °C``."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenkit.virtual import Environment

_TEMPERATURE = re.compile(r"([+-]?\d+(?:\.\d+)?) *°C")


class Place(str):
    """A place's name, known to exist."""

    @classmethod
    def of(cls, value: Any) -> "Place":
        """Check ``value``; ValueError says which places there are."""
        if not isinstance(value, str):
            raise ValueError('a place is a name in quotes, like "desk", or "5 °C"')
        place = cls(value)
        place.environment()
        return place

    def environment(self) -> "Environment":
        """The temperatures there."""
        from tokenkit import virtual

        if match := _TEMPERATURE.fullmatch(self):
            temperature_c = float(match[1])
            if not -40 <= temperature_c <= 85:
                raise ValueError(f"no token survives {self}: -40 to 85 °C")
            return virtual.Constant(temperature_c)
        if re.search(r"\d", self):
            raise ValueError(f'no place {self!r}; write a temperature like "5 °C"')
        return virtual.place(self)
