"""A study file: which tokens, how people use them, what the verifier's rules are, for how long."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.fleet.rules import Policy
from tokenkit.scenario.document import END_S, Document, read
from tokenkit.scenario.durations import DAY_S, YEAR_S, Duration, PositiveDuration, in_words
from tokenkit.scenario.explain import hint
from tokenkit.scenario.places import Place
from tokenkit.scenario.server import Server
from tokenkit.server_clock import Ntp, ServerClock, ServerClockError
from tokenkit.virtual import GRADES, SeededEntropy

Habit = Literal["daily", "weekly", "monthly", "after-holidays", "drawer"]
_Problem = tuple[tuple[str | int, ...], str]

_MOST_TOKENS = 99_999_999  # a serial number ends in eight digits, and 0 is nobody's
_LONGEST_YEARS = 50.0
_SHORTEST_S = 10 * DAY_S  # tokens are enrolled on the first
_LONGEST_MONTHS = 120.0
_LONGEST_ENTRY_S = 3600.0
_MOST_POLLS = 2_000_000  # they are kept in memory
_NAME = re.compile(r"[A-Za-z0-9_+=/:,.@-]{1,40}")


class StudyError(TokenkitError):
    """A study file that cannot be read or run; the message starts with file and line."""


class Grade(str):
    """A grade of crystals, known to exist."""

    @classmethod
    def of(cls, value: Any) -> "Grade":
        """Check ``value``; ValueError says which grades there are."""
        if not isinstance(value, str):
            raise ValueError('a grade is a name in quotes, like "token"')
        if value.endswith(".toml"):
            raise ValueError(
                f"{value!r}: a study takes no file of one's own, only `tokenkit otp make --grade`"
                " does; here it is one of those that `tokenkit otp crystals` shows"
            )
        if value not in GRADES:
            raise ValueError(f"no grade {value!r}; {hint(value, list(GRADES))}")
        return cls(value)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a study file."""


class Person(_Table, frozen=True, kw_only=True):
    """How people sign in.

    attempts: codes that are tried, each the next one, before one gives up: that is a lock-out.
    entry: from reading a code to its arrival: uniform between the two.
    help: after a lock-out, until two consecutive codes resynchronise the token.
    """

    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    entry: tuple[Duration, Duration] = (Duration(3.0), Duration(12.0))
    help: PositiveDuration = PositiveDuration(DAY_S)


class BatteryChange(_Table, frozen=True, kw_only=True):
    """A battery lasts ``life``, from the factory on; then the clock stands for ``outage``."""

    life: PositiveDuration
    outage: Duration


class Batch(_Table, frozen=True, kw_only=True):
    """Tokens that are used alike; their serial numbers are ``name`` and eight digits.

    grade, period: as the factory has them.
    months_in_stock: before the study, uniform between the two; they lie in the first place.
    places: where they lie; with several, each is carried to another one every ``stay``, which is
        uniform between the two.
    """

    name: str
    tokens: Annotated[int, msgspec.Meta(ge=1, le=_MOST_TOKENS)]
    grade: Grade = Grade("token")
    period: Literal[30, 60] = 30
    months_in_stock: tuple[float, float] = (0.0, 24.0)
    places: Annotated[list[Place], msgspec.Meta(min_length=1, max_length=20)] = msgspec.field(
        default_factory=lambda: [Place("desk")]
    )
    stay: tuple[Duration, Duration] = (Duration(20 * DAY_S), Duration(120 * DAY_S))
    habit: Habit = "daily"
    battery: BatteryChange | None = None

    def problems(self) -> Iterator[_Problem]:
        """What cannot be, and where."""
        if not _NAME.fullmatch(self.name):
            meant = "-".join(self.name.split())
            yield (
                ("name",),
                f"'name' begins the serial numbers: 1 to 40 of A-Z a-z 0-9 _ + = / : , . @ -,"
                f" not {self.name!r}"
                + (f"; did you mean {meant!r}?" if _NAME.fullmatch(meant) else ""),
            )
        low, high = self.months_in_stock
        if not 0.0 <= low <= high <= _LONGEST_MONTHS:
            yield (
                ("months_in_stock",),
                "'months_in_stock' are two numbers, the smaller one first, from 0 to"
                f" {_LONGEST_MONTHS:.0f}: not {low:g} and {high:g}",
            )
        for number, place in enumerate(self.places):
            if place in self.places[:number]:
                yield ("places", number), f"{str(place)!r} is listed twice"
        yield from _range_problem("stay", self.stay, DAY_S, 1000 * YEAR_S)
        if self.battery is not None:
            yield from _battery_problems(self.battery)


class Study(_Table, frozen=True, kw_only=True):
    """One study file. ``start`` and ``years`` say when codes are shown, in true time."""

    title: str
    batch: Annotated[list[Batch], msgspec.Meta(min_length=1, max_length=100)]
    policy: Annotated[list[Policy], msgspec.Meta(min_length=1, max_length=20)]
    summary: str = ""
    seed: int = 1
    start: Annotated[datetime, msgspec.Meta(tz=True)]
    years: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST_YEARS)]
    person: Person = Person()
    server: Server = Server()

    @property
    def start_s(self) -> float:
        """True time."""
        return self.start.timestamp()

    @property
    def end_s(self) -> float:
        """True time."""
        return self.start_s + self.years * YEAR_S

    @property
    def tokens(self) -> int:
        return sum(batch.tokens for batch in self.batch)

    def server_clock(self) -> ServerClock:
        """ServerClockError."""
        entropy = SeededEntropy(self.seed).child("server clock")
        return self.server.made(self.start_s, entropy.bytes(32))

    def problems(self) -> Iterator[_Problem]:
        """What cannot be, and where."""
        if self.end_s >= END_S:
            yield ("years",), "simulated time ends with the year 9998"
        if self.end_s - self.start_s < _SHORTEST_S:
            yield ("years",), f"a study lasts {in_words(_SHORTEST_S)} at least"
        yield from (
            (("person", *where), said)
            for where, said in _range_problem("entry", self.person.entry, 0.0, _LONGEST_ENTRY_S)
        )
        for name in ("batch", "policy"):
            tables: list[Any] = getattr(self, name)
            seen: set[str] = set()
            for number, table in enumerate(tables):
                yield from (((name, number, *where), said) for where, said in table.problems())
                if table.name in seen:
                    yield (name, number, "name"), f"there is a {name} {table.name!r} already"
                seen.add(table.name)
        for number, policy in enumerate(self.policy):
            for period in {batch.period for batch in self.batch}:
                rule = policy.rule(period)
                if not rule.rate and rule.window_steps + rule.ahead_steps < 0:
                    yield (
                        ("policy", number),
                        f"{policy.name!r} accepts no code of {period} s: 'window_open' leaves out"
                        " the one step there is",
                    )
        try:
            clock = self.server_clock()
        except ServerClockError as error:
            at = () if error.event is None else ("event", error.event)
            yield ("server", *at), str(error)
        else:
            if isinstance(clock.base, Ntp):
                least_s = math.ceil((self.end_s - self.start_s) / _MOST_POLLS)
                if clock.base.poll_s < least_s:
                    yield (
                        ("server", "poll"),
                        f"'poll' is at least {least_s} s in a study of {self.years:g} years",
                    )
        for number, batch in enumerate(self.batch):
            if self.start_s - batch.months_in_stock[1] * YEAR_S / 12 < 0:
                yield ("batch", number, "months_in_stock"), "no token is made before 1970"


def _range_problem(
    name: str, pair: tuple[Duration, Duration], least_s: float, most_s: float
) -> Iterator[_Problem]:
    low, high = pair
    if not least_s <= low <= high <= most_s:
        yield (
            (name,),
            f"{name!r} are two durations, the shorter one first, from {in_words(least_s)} to"
            f" {in_words(most_s)}: not {in_words(low)} and {in_words(high)}",
        )


def _battery_problems(battery: BatteryChange) -> Iterator[_Problem]:
    if battery.life < 30 * DAY_S:
        yield ("battery", "life"), "'life' must be at least 30 days"
    if not 0.0 <= battery.outage <= 10 * DAY_S:
        yield ("battery", "outage"), "'outage' is from 0 s to 10 days"


@dataclass(frozen=True)
class Loaded:
    """A checked study file."""

    name: str
    path: Path
    study: Study


def shipped() -> dict[str, Path]:
    """The studies that come with tokenkit, by name."""
    folder = Path(str(resources.files("tokenkit.fleet") / "shipped"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(file: str) -> Loaded:
    """Read and check ``file``, the path of a TOML file or the name of a shipped study.

    Raises :class:`StudyError`.
    """
    text = read(file, "study", shipped(), StudyError)
    return parse(text, file, shipped().get(file))


def parse(text: str, file: str, path: Path | None = None) -> Loaded:
    """Check the text of a study; ``file`` is its name in messages."""
    document = Document(text, file, Study, StudyError)
    study = document.content
    document.check_lines("title", "summary")
    document.check_start(study.start_s)
    for where, said in study.problems():
        document.wrong(where, said)
    path = path or Path(file)
    return Loaded(path.stem, path, study)
