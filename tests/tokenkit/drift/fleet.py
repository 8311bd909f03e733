"""Logs of simulated tokens, made by the object model, with the truth beside them."""

import base64
import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenkit.drift.observations import Observation
from tokenkit.verifier.seed_file import Seed
from tokenkit.virtual import Battery, BatteryChange, HardwareToken, Step, World, place

START_S = 1_767_225_600.0  # 2026-01-01
DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
PLACES = ("desk", "drawer", "pocket", "car", "warehouse")

Event = BatteryChange | Step


@dataclass
class Sample:
    """One token and what was logged of it; ``read_s`` is when each code was read, true time."""

    token: HardwareToken
    seed: Seed
    rows: list[Observation]
    read_s: list[float]
    events: Sequence[Event]

    def offset_s(self, true_s: float) -> float:
        return self.token.token_clock.error_s(true_s)

    @property
    def mean_rate_ppm(self) -> float:
        """From the first code to the last, without what events did."""
        first, last = self.read_s[0], self.read_s[-1]
        gained = self.offset_s(last) - self.offset_s(first)
        for event in self.events:
            if first < event.at_s < last:
                gained -= event.by_s if isinstance(event, Step) else -event.outage_s
        return 1e6 * gained / (last - first)


def sample(
    seed: int,
    number: int = 1,
    *,
    sign_ins: int = 30,
    years: float = 1.0,
    at: str = "desk",
    stays: Sequence[tuple[float, str]] = (),
    events: Sequence[Event] = (),
    server: Callable[[float], float] = lambda true_s: 0.0,
    entry_s: tuple[float, float] = (3.0, 12.0),
    evenly: bool = False,
    grade: str = "token",
) -> Sample:
    """A token of up to two years in stock; ``server`` is by what the server's clock is ahead.

    ``stays`` are (true time, place): carried there then. Codes are read at random times.
    """
    rng = random.Random(f"{seed} {number}")
    world = World(seed, START_S - DAY_S)
    months = rng.uniform(0.0, 24.0)
    batch = world.make_batch("T", first=number, months_in_stock=months, grade=grade)
    token = world.token(batch.tokens[0], place=at, battery=Battery(capacity_mah=10_000.0))
    for moved_s, to in stays:
        token.environment.move(moved_s, place(to))
    spread = sorted(rng.random() for _ in range(sign_ins))
    if evenly:
        spread = [(n + rng.random()) / sign_ins for n in range(sign_ins)]
    pending = sorted(events, key=lambda event: event.at_s)
    rows: list[Observation] = []
    read_s = []
    for share in spread:
        true_s = START_S + share * years * YEAR_S
        while pending and pending[0].at_s <= true_s:
            token.token_clock.add(pending.pop(0))
        world.clock.wait_until(true_s)
        code = token.code()
        arrived_s = true_s + rng.uniform(*entry_s)
        server_s = arrived_s + server(arrived_s)
        rows.append(Observation(0, token.serial_number, code, server_s, True))
        read_s.append(true_s)
    spec = token.spec
    seed_ = Seed(spec.serial_number, spec.seed, spec.algorithm, spec.digits, spec.period_s)
    return Sample(token, seed_, rows, read_s, events)


def log_of(samples: Sequence[Sample]) -> list[Observation]:
    """All rows by the server's time, numbered as the lines of a CSV file would be."""
    rows = sorted((row for each in samples for row in each.rows), key=lambda row: row.server_s)
    return [
        Observation(line, row.serial_number, row.code, row.server_s, row.accepted)
        for line, row in enumerate(rows, 2)
    ]


def write_files(folder: Path, samples: Sequence[Sample]) -> tuple[Path, Path]:
    """seeds.csv and observations.csv, as ``tokenkit drift`` reads them."""
    seeds, log = folder / "seeds.csv", folder / "observations.csv"
    with seeds.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["serial number", "secret key", "time interval", "digits", "algorithm"])
        for each in samples:
            seed = each.seed
            secret = base64.b32encode(seed.secret).decode()
            rows.writerow([seed.serial_number, secret, seed.period_s, seed.digits, seed.algorithm])
    with log.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["serial number", "code", "time s", "accepted"])
        for row in log_of(samples):
            said = {True: "yes", False: "no", None: ""}[row.accepted]
            rows.writerow([row.serial_number, row.code, f"{row.server_s:.3f}", said])
    return seeds, log
