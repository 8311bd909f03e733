"""What a scenario file holds."""

from datetime import datetime
from typing import Annotated

import msgspec

from tokenkit.scenario.durations import PositiveDuration
from tokenkit.scenario.steps import AnyStep


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verifier's rules for codes, where they are to differ from its defaults.

    ``window_steps``: time steps to either side of the learned offset in which a code is accepted.
    """

    window_steps: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    resync_range: PositiveDuration | None = None
    enrol_range: PositiveDuration | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One TOML file; it begins at true time ``start``, 15 s into 2026 if not said."""

    title: str
    step: Annotated[list[AnyStep], msgspec.Meta(min_length=1)]
    summary: str = ""
    start: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    policy: Policy = Policy()
