"""Makes docs/examples/drift: ``python -m tests.tokenkit.drift.example``.

The picture in docs/drift.md is made of it by the command that stands there.
"""

from pathlib import Path

from tests.tokenkit.drift.fleet import DAY_S, START_S, Sample, sample, write_files
from tokenkit.virtual import BatteryChange, Step

FOLDER = Path(__file__).parents[3] / "docs/examples/drift"
SERVER_S = START_S + 60.4 * DAY_S, START_S + 72.6 * DAY_S
BATTERY = BatteryChange(START_S + 250.3 * DAY_S, 180.0)
SET = Step(START_S + 200.7 * DAY_S, 3600.0)
MOVED_S = START_S + 180.5 * DAY_S


def samples() -> list[Sample]:
    """Six tokens for a year, of which the second to fourth have a tale to tell."""

    def ahead_s(true_s: float) -> float:
        return 300.0 if SERVER_S[0] < true_s < SERVER_S[1] else 0.0

    return [
        sample(26, 1, server=ahead_s, evenly=True),
        sample(26, 2, server=ahead_s, evenly=True, events=[BATTERY]),
        sample(26, 3, server=ahead_s, evenly=True, stays=[(MOVED_S, "warehouse")]),
        sample(26, 4, server=ahead_s, evenly=True, events=[SET]),
        sample(26, 5, server=ahead_s, evenly=True, at="pocket"),
        sample(26, 6, server=ahead_s, evenly=True, at="drawer"),
    ]


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_files(FOLDER, samples())
