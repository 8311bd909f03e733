"""Playing plans of one token until they come out as a log says, then with less and less in them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tokenkit.drift.minimise import minimised
from tokenkit.drift.plan import ATTEMPTS, Plan, Planned, planned, scenario_text, start_before
from tokenkit.drift.planted import Path
from tokenkit.drift.timeline import Fault, Jump, Row, Timeline
from tokenkit.errors import TokenkitError
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.seed_file import Seed

_ACCEPTED = "accepted"
_MOST_CORRECTIONS = 60
_Part = Row | Jump | Fault
Progress = Callable[[str], None]


class ReproduceError(TokenkitError):
    """A refusal that cannot be shown again; the message says why, and what may help."""


class Trials:
    """``plan`` is the one of all rows that came out as in the log: ``outcomes``, by line.

    ``missing`` says of the other rows why they did not, ``assumed`` what the log does not say.
    """

    def __init__(self, seed: Seed, policy: TotpPolicy, found: Timeline, progress: Progress) -> None:
        start_s = start_before(found.rows[0], seed.period_s)
        rows, faults = tuple(found.rows), tuple(found.faults)
        self.plan = Plan(seed, policy, start_s, rows, tuple(found.jumps), faults)
        self.missing = dict(found.missing)
        self.outcomes: dict[int, str] = {}
        self.assumed: list[str] = []
        self._jumps = self.plan.jumps  # what the rows' offsets contain
        self._path: Path | None = None
        self._progress = progress

    def agree(self) -> None:
        """Leave out what does not come out as in the log, and say so.

        A token whose codes are taken again after refusals was unlocked or resynchronised meanwhile.
        One that is refused before any other code was right at some time before the log begins.
        """
        tried: set[tuple[int, str]] = set()
        for number in range(_MOST_CORRECTIONS):
            self._progress(f"playing {len(self.plan.rows)} rows, {number} corrections so far")
            laid, outcomes = self._play(self.plan)
            wrong = laid.wrong
            row = next((r for r in self.plan.rows if not _agrees(r, outcomes, wrong)), None)
            if row is None:
                self._path, self.outcomes = laid.path, outcomes
                return
            outcome = outcomes.get(row.line, "")
            helps = (row.line, outcome) not in tried
            tried.add((row.line, outcome))
            if helps and row.accepted and outcome == "out-of-window":
                self.plan = replace(self.plan, resyncs=self.plan.resyncs | {row.line})
            elif helps and row.accepted and outcome == "locked":
                self.plan = replace(self.plan, unlocks=self.plan.unlocks | {row.line})
            elif helps and row is self.plan.rows[0] and outcome == _ACCEPTED and not self.assumed:
                self._assume_past(row)
            else:
                self._leave_out(row, wrong.get(row.line), outcome)
        raise ReproduceError(
            f"more than {_MOST_CORRECTIONS} rows come out otherwise than in the log: the verifier"
            " has other rules; say which by --policy or --window-steps"
        )

    def _assume_past(self, row: Row) -> None:
        by_s = round((row.low_s + row.high_s) / 2.0, 1)
        self.assumed.append(
            f"the clock was right when the token was enrolled, and {by_s:+g} s off by line"
            f" {row.line}"
        )
        past = Jump(self.plan.start_s + 4.0 * self.plan.seed.period_s, by_s)
        self._jumps = (past, *self._jumps)
        self.plan = replace(self.plan, jumps=self._jumps)

    def _leave_out(self, row: Row, why: str | None, outcome: str) -> None:
        if why is None:
            logged = _ACCEPTED if row.accepted else "refused"
            why = f"{logged} in the log, {outcome} by this policy"
        self.missing[row.line] = why
        rows = tuple(each for each in self.plan.rows if each != row)
        self.plan = replace(self.plan, rows=rows)

    def smallest(self, asked: Sequence[Row]) -> Plan:
        """The plan of fewest rows and events that shows the same refusals for the same reasons."""
        last_s = max(row.true_s for row in asked)
        first_s = min(row.true_s for row in asked)
        before = [row for row in self.plan.rows if row.true_s <= last_s and row not in asked]
        good = [row for row in before if row.accepted and row.true_s < first_s]
        # enrolled when it was last seen to be well; failing that, when the log begins
        for row in good[-1:]:
            start_s = float(row.true_s // 1 - 2 * self.plan.seed.period_s)
            later = [each for each in before if each.true_s > row.true_s]
            parts = [*self._events(start_s, last_s), *later]
            if start_s > self.plan.start_s and self._shows(start_s, parts, asked):
                return self._fewest(start_s, parts, asked)
        start_s = self.plan.start_s
        return self._fewest(start_s, [*self._events(start_s, last_s), *before], asked)

    def _events(self, start_s: float, last_s: float) -> list[_Part]:
        jumps = [jump for jump in self._jumps if start_s < jump.true_s <= last_s]
        faults = [
            fault
            for fault in self.plan.faults
            if fault.true_s <= last_s and (fault.mended_s is None or fault.mended_s > start_s)
        ]
        return [*jumps, *faults]

    def _fewest(self, start_s: float, parts: Sequence[_Part], asked: Sequence[Row]) -> Plan:
        def shows(some: Sequence[_Part]) -> bool:
            self._progress(f"trying {len(some)} of {len(parts)} rows and events")
            return self._shows(start_s, some, asked)

        return self._plan_of(start_s, minimised(parts, shows), asked)

    def _shows(self, start_s: float, parts: Sequence[_Part], asked: Sequence[Row]) -> bool:
        try:
            laid, outcomes = self._play(self._plan_of(start_s, parts, asked))
        except ReproduceError:
            return False
        if laid.wrong or any(outcomes[row.line] != self.outcomes[row.line] for row in asked):
            return False
        return all(_agrees(row, outcomes, {}) for row in laid.plan.rows)

    def _plan_of(self, start_s: float, parts: Sequence[_Part], asked: Sequence[Row]) -> Plan:
        rows = [part for part in parts if isinstance(part, Row)] + list(asked)
        return replace(
            self.plan,
            start_s=start_s,
            rows=tuple(sorted(rows, key=lambda row: (row.true_s, row.line))),
            jumps=tuple(part for part in parts if isinstance(part, Jump)),
            faults=tuple(part for part in parts if isinstance(part, Fault)),
        )

    def laid(self, plan: Plan) -> Planned:
        """The steps of ``plan``; its clock keeps close to that of all rows."""
        path = self._path
        if path is None:
            return planned(plan, self._jumps)
        before_s = sum(jump.by_s for jump in self._jumps if jump.true_s <= plan.start_s)
        return planned(plan, self._jumps, lambda true_s: path.at(true_s) + before_s)

    def _play(self, plan: Plan) -> tuple[Planned, dict[int, str]]:
        laid = self.laid(plan)
        enrolled, *attempts = outcomes_of(scenario_text(laid, None, "a trial", ""))
        if enrolled != _ACCEPTED:
            raise ReproduceError(f"the token cannot be enrolled with such a clock: {enrolled}")
        shown = [step for step in laid.steps if step.members["do"] in ATTEMPTS]
        pairs = zip(shown, attempts, strict=True)
        return laid, {step.row.line: outcome for step, outcome in pairs if step.row is not None}


def outcomes_of(text: str) -> list[str]:
    """What the attempts of a scenario come to. ReproduceError if it cannot be."""
    from tokenkit.scenario import ScenarioError, parse, run

    try:
        record = run(parse(text, "the scenario"))
    except ScenarioError as error:
        raise ReproduceError(f"no scenario can show this: {error}") from None
    return [next(iter(step.outcomes)) for step in record.steps if step.expected is not None]


def _agrees(row: Row, outcomes: dict[int, str], wrong: dict[int, str]) -> bool:
    return row.line not in wrong and (outcomes[row.line] == _ACCEPTED) == row.accepted
