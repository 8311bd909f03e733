"""What the finger does when a security key blinks."""

from typing import Any

from tokenkit.scenario.durations import PositiveDuration

_WORDS = ("at once", "refuse", "never", "unplug")


class Touching(str):
    """``at once``, ``refuse``, ``never``, ``unplug`` (pull the key out while it blinks), or a
    delay such as ``5 s``."""

    @classmethod
    def of(cls, value: Any) -> "Touching":
        """Check ``value``; ValueError says what there is."""
        if not isinstance(value, str):
            raise ValueError('a touch is text in quotes, like "never" or "5 s"')
        if value not in _WORDS:
            try:
                PositiveDuration.of(value)
            except ValueError:
                words = ", ".join(f'"{word}"' for word in _WORDS)
                raise ValueError(f'{value!r} is no touch; write {words} or "5 s"') from None
        return cls(value)

    @property
    def delay_s(self) -> float:
        return 0.0 if self in _WORDS else PositiveDuration.of(str(self))

    def text(self) -> str:
        """What it adds to a sentence."""
        notes = {
            "at once": "",
            "refuse": "; the touch is refused",
            "never": "; nobody touches it",
            "unplug": "; it is pulled out while it blinks",
        }
        return notes.get(self, f"; touched after {self}")
