"""What happened in a run: all that reports are made of, and nothing that differs between runs."""

from collections import Counter
from dataclasses import dataclass, field

ACCEPTED = "accepted"


@dataclass
class Attempted:
    """One code, or pair of codes, shown to the verifier at true time ``at_s``.

    ``clock_error_s`` is token time minus true time at that moment, ``server_error_s`` server time
    minus true time; ``act`` is the step's name.
    """

    at_s: float
    act: str
    outcome: str
    clock_error_s: float
    server_error_s: float = 0.0


@dataclass
class Window:
    """From ``from_s`` on the verifier looks around this learned offset, in time steps.

    It is the token's from server time. Until the next window, or until ``until_s``, when the
    device was removed from its account.
    """

    from_s: float
    offset_steps: int
    until_s: float | None = None


@dataclass
class Stay:
    """From ``from_s`` on the device lies at ``place``."""

    from_s: float
    place: str


@dataclass
class DeviceRecord:
    """One device; all from ``period_s`` on is about tokens and phones alone.

    ``window_steps`` are those to either side of the verifier's offset in which a code is accepted;
    ``curve`` samples the clock error as (true time, seconds). ``reaches`` are (true time, lowest,
    highest token time minus server time accepted) where the window is where the clock is predicted
    to be; it is straight between them, nearly.
    """

    name: str
    kind: str
    serial_number: str
    period_s: int = 30
    window_steps: int = 1
    stays: list[Stay] = field(default_factory=list)
    attempts: list[Attempted] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    reaches: list[tuple[float, float, float]] = field(default_factory=list)

    def learned(self, at_s: float, offset_steps: int) -> None:
        """The verifier's offset as of ``at_s``."""
        last = self.windows[-1] if self.windows else None
        if last is None or last.until_s is not None or last.offset_steps != offset_steps:
            self.windows.append(Window(at_s, offset_steps))

    def removed(self, at_s: float) -> None:
        """The verifier takes no code of it any more."""
        if self.windows:
            self.windows[-1].until_s = at_s


@dataclass
class StepRecord:
    """One step: what was expected, and how often each outcome came.

    ``skipped`` says why a step was not made; ``held`` is then true.
    """

    number: int
    line: int
    do: str
    text: str
    start_s: float
    end_s: float = 0.0
    expected: str | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    notes: list[str] = field(default_factory=list)
    skipped: str | None = None

    @property
    def held(self) -> bool:
        return self.unexpected == 0

    def saw(self, outcome: str) -> None:
        """Count ``outcome`` against the expectation."""
        self.outcomes[outcome] += 1
        if not meets(self.expected, outcome):
            self.unexpected += 1


@dataclass
class ScenarioRecord:
    """One scenario's run; ``file`` is the name of its file without folders.

    ``server_curve`` samples (true time, server time minus true time); a perfect clock's has none.
    """

    name: str
    file: str
    title: str
    summary: str
    seed: int
    start_s: float
    end_s: float = 0.0
    steps: list[StepRecord] = field(default_factory=list)
    devices: list[DeviceRecord] = field(default_factory=list)
    server_curve: list[tuple[float, float]] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return all(step.held for step in self.steps)


def meets(expected: str | None, outcome: str) -> bool:
    """Whether ``outcome`` is what was expected; "rejected" stands for any reason."""
    if expected == "rejected":
        return outcome != ACCEPTED
    return outcome == expected


@dataclass
class RunRecord:
    """Several scenarios run with one seed."""

    seed: int
    scenarios: list[ScenarioRecord] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return all(scenario.held for scenario in self.scenarios)
