"""The names that steps make and use, and time, followed through a scenario before it is run."""

import difflib
from collections.abc import Callable, Sequence
from typing import Literal

from tokenkit.scenario.document import END_S
from tokenkit.verifier.errors import ValidationError
from tokenkit.verifier.names import check_app_name, check_device_name, check_user_name

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
_RULES: dict[Kind, Callable[[str], None]] = {"user": check_user_name, "app": check_app_name}


class WrongNameError(ValueError):
    """A wrong name, or something else that cannot be, in ``field`` of a step."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Names:
    """What exists at one point of a scenario that began at true time ``start_s``.

    Raises :class:`WrongNameError`.
    """

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s
        self._kinds: dict[tuple[str, str], Kind] = {("user", "root"): "user"}
        self._owned: set[str] = set()
        self._shipped: set[str] = set()
        self._snapshot_taken = False

    def make(self, field: str, kind: Kind, name: str) -> None:
        """``name`` comes into being; devices of all kinds share their names."""
        try:
            _RULES.get(kind, check_device_name)(name)
        except ValidationError as error:
            raise WrongNameError(field, str(error)) from None
        if name != name.strip():
            raise WrongNameError(field, f"the name {name!r} begins or ends with a space")
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

    def use_each(self, field: str, names: Sequence[str], *kinds: Kind) -> None:
        """Each of ``names`` must be one of ``kinds``, and none may stand there twice."""
        seen: set[str] = set()
        for number, name in enumerate(names):
            self.use(f"{field}.{number}", name, *kinds)
            if name in seen:
                raise WrongNameError(f"{field}.{number}", f"{name!r} is listed twice")
            seen.add(name)

    def ship(self, field: str, batch: str) -> None:
        """The batch reaches the verifier, which takes it once."""
        self.use(field, batch, "batch")
        if batch in self._shipped:
            raise WrongNameError(field, f"the seeds of {batch!r} have been shipped already")
        self._shipped.add(batch)

    def wait(self, field: str, seconds: float) -> None:
        """Time passes."""
        self._now_s += seconds
        if self._now_s >= END_S:
            raise WrongNameError(field, "simulated time ends with the year 9998; wait less")

    def wait_until(self, field: str, true_s: float) -> None:
        """Time passes until ``true_s``."""
        if true_s < self._now_s:
            raise WrongNameError(field, "that is past: it is later already when this step comes")
        self.wait(field, true_s - self._now_s)

    def snapshot(self) -> None:
        """There is a snapshot of the server."""
        self._snapshot_taken = True

    def need_snapshot(self, field: str) -> None:
        """A step before must have taken a snapshot of the server."""
        if not self._snapshot_taken:
            raise WrongNameError(
                field, "there is no snapshot yet; add a step snapshot-server before"
            )

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
