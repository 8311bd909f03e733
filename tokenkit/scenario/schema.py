"""What a scenario file holds."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from tokenkit.scenario.durations import Duration, PositiveDuration
from tokenkit.scenario.server import Server
from tokenkit.scenario.steps import AnyStep
from tokenkit.verifier import Drift, TotpPolicy
from tokenkit.virtual import START_S


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verifier's rules for codes, where they are to differ from its defaults.

    ``window_steps``: time steps to either side of the learned offset in which a code is accepted.
    ``delay`` and ``lock_after`` are about wrong codes. With ``drift = "rate"`` the window is where
    the token's rate predicts it, and ``max_window_steps``, ``max_rate_ppm`` and ``entry`` are as in
    TotpPolicy.
    """

    window_steps: int | None = None
    resync_range: PositiveDuration | None = None
    enrol_range: PositiveDuration | None = None
    drift: Drift | None = None
    max_window_steps: int | None = None
    max_rate_ppm: float | None = None
    entry: PositiveDuration | None = None
    delay: Duration | None = None
    lock_after: int | None = None

    def totp(self) -> TotpPolicy:
        """The verifier's own policy where the scenario says nothing. ValidationError."""
        said: dict[str, Any] = {
            "window_steps": self.window_steps,
            "resync_range_s": self.resync_range,
            "enrol_range_s": self.enrol_range,
            "drift": self.drift,
            "max_window_steps": self.max_window_steps,
            "max_rate_ppm": self.max_rate_ppm,
            "entry_s": self.entry,
            "delay_s": self.delay,
            "lock_after": self.lock_after,
        }
        return TotpPolicy(**{name: value for name, value in said.items() if value is not None})


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One TOML file; it begins at true time ``start``, 15 s into 2026 if not said."""

    title: str
    step: Annotated[list[AnyStep], msgspec.Meta(min_length=1)]
    summary: str = ""
    start: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    policy: Policy = Policy()
    server: Server = Server()

    @property
    def start_s(self) -> float:
        """True time."""
        return START_S if self.start is None else self.start.timestamp()
