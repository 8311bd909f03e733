"""One thing that was looked at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """``subject`` is what it is about, ``mend`` what to do where it is not ``good``."""

    subject: str
    good: bool
    found: str
    mend: str = ""
