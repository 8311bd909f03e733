"""The names that steps make and use, followed through a scenario before it is run."""

import difflib
from typing import Literal

Kind = Literal["user", "batch", "app", "token", "phone", "key"]
CODE_DEVICES: tuple[Kind, ...] = ("token", "phone")
DEVICES: tuple[Kind, ...] = ("token", "phone", "key")

_HOW: dict[Kind, str] = {
    "user": "create-user",
    "batch": "make-batch",
    "app": "create-app",
    "token": "make-batch",
    "phone": "scan",
    "key": "make-key",
}


class WrongNameError(ValueError):
    """A wrong name in ``field`` of a step."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Names:
    """What exists at one point of a scenario; raises :class:`WrongNameError`."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Kind] = {("user", "root"): "user"}
        self._owned: set[str] = set()

    def make(self, field: str, kind: Kind, name: str) -> None:
        """``name`` comes into being; devices of all kinds share their names."""
        if not name.strip() or not name.isprintable() or len(name) > 64:
            raise WrongNameError(field, f"{name!r} cannot be a name: 1 to 64 printable characters")
        if (space := (_space(kind), name)) in self._kinds:
            raise WrongNameError(field, f"there is a {self._kinds[space]} {name!r} already")
        self._kinds[space] = kind

    def use(self, field: str, name: str, *kinds: Kind) -> None:
        """``name`` must be one of ``kinds``."""
        made = self._kinds.get((_space(kinds[0]), name))
        if made in kinds:
            return
        wanted = " or ".join(kinds)
        if made is not None:
            raise WrongNameError(field, f"{name!r} is a {made}; this step takes a {wanted}")
        known = sorted(other for (_, other), kind in self._kinds.items() if kind in kinds)
        raise WrongNameError(field, f"no {wanted} {name!r} so far; {_hint(name, known, kinds)}")

    def enrol(self, name: str) -> None:
        """The device has been shown to the verifier."""
        self._owned.add(name)

    def need_owner(self, field: str, name: str, how: str) -> None:
        """The device must have been shown to the verifier by a step before."""
        if name not in self._owned:
            raise WrongNameError(field, f"{name!r} belongs to nobody yet; add a step {how} before")


def _space(kind: Kind) -> str:
    return "device" if kind in DEVICES else kind


def _hint(name: str, known: list[str], kinds: tuple[Kind, ...]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    if known:
        return f"there are: {', '.join(known)}"
    return f"make one by a step {' or '.join(_HOW[kind] for kind in kinds)} before"
