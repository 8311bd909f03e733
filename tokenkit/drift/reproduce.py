"""From a diagnosis a scenario in which codes are accepted and refused as the log says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.drift.minimise import minimised
from tokenkit.drift.observations import Observation
from tokenkit.drift.plan import Plan, Planned, planned, scenario_text, start_before
from tokenkit.drift.planted import Path
from tokenkit.drift.timeline import Fault, Jump, Row, Timeline, timeline
from tokenkit.errors import TokenkitError
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.seed_file import Seed

_ACCEPTED = "accepted"
_MOST_CORRECTIONS = 60
Progress = Callable[[str], None]


class ReproduceError(TokenkitError):
    """A refusal that cannot be shown again; the message says why, and what may help."""


@dataclass(frozen=True)
class Reproduction:
    """A scenario, ``text``, in which the refusals on ``lines`` of the log come again.

    ``outcomes`` are those of all rows that came out as in the log, by line; ``missing`` says of the
    others why not. ``kept`` are the lines that the scenario shows. ``assumed`` is what the log
    does not say.
    """

    serial_number: str
    lines: list[int]
    text: str
    outcomes: dict[int, str]
    missing: dict[int, str]
    kept: list[int]
    assumed: list[str]


def reproduce(
    diagnosis: Diagnosis,
    observations: Sequence[Observation],
    seeds: Iterable[Seed],
    policy: TotpPolicy,
    *,
    serial_number: str | None = None,
    lines: Sequence[int] = (),
    whole: bool = False,
    progress: Progress = lambda text: None,
) -> Reproduction:
    """Show the refusals on ``lines`` again, by default the last one, of ``serial_number`` if given.

    All rows of the token are played first, by a new token with a clock like its own. Then rows and
    events are left out for as long as the refusals come: unless the ``whole`` is wanted. Raises
    ReproduceError.
    """
    token = _token(diagnosis, observations, serial_number, lines)
    seed = next((each for each in seeds if each.serial_number == token.serial_number), None)
    if seed is None:
        raise ReproduceError(f"{token.serial_number}: the seed file has no such token")
    if seed.period_s not in (30, 60):
        raise ReproduceError(
            f"{token.serial_number}: scenarios have tokens of 30 and 60 s, not of {seed.period_s} s"
        )
    found = timeline(diagnosis, token, observations)
    asked = _asked(found, lines)
    studio = _Studio(seed, policy, found, progress)
    studio.agree(asked)
    last = max(asked, key=lambda row: row.true_s)
    plan = studio.plan if whole else studio.smallest(asked, last)
    return studio.finish(plan, token, asked)


class _Studio:
    """Plays plans of one token; ``plan`` is the one that comes out as the log says."""

    def __init__(self, seed: Seed, policy: TotpPolicy, found: Timeline, progress: Progress) -> None:
        start_s = start_before(found.rows[0], seed.period_s)
        # offsets are as of the beginning
        self.jumps = tuple(jump for jump in found.jumps if jump.true_s > start_s)
        rows = tuple(found.rows)
        self.plan = Plan(seed, policy, start_s, rows, self.jumps, tuple(found.faults))
        self.path: Path | None = None
        self.missing = dict(found.missing)
        self.outcomes: dict[int, str] = {}
        self._progress = progress

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.plan.rows

    def _laid(self, plan: Plan) -> Planned:
        path = self.path
        if path is None:
            return planned(plan, self.jumps)
        before_s = sum(jump.by_s for jump in self.jumps if jump.true_s <= plan.start_s)
        return planned(plan, self.jumps, lambda true_s: path.at(true_s) + before_s)

    def play(self, plan: Plan) -> tuple[Planned, dict[int, str]]:
        """Run it; the outcomes by line."""
        from tokenkit.scenario import parse, run

        laid = self._laid(plan)
        record = run(parse(scenario_text(laid, None, "a trial", ""), "a trial"))
        came = [step for step in record.steps if step.expected is not None]
        enrolled, *attempts = (next(iter(step.outcomes)) for step in came)
        if enrolled != _ACCEPTED:
            raise ReproduceError(f"the token cannot be enrolled with such a clock: {enrolled}")
        shown = [step for step in laid.steps if step.members["do"] in _ATTEMPTS]
        pairs = zip(shown, attempts, strict=True)
        return laid, {step.row.line: outcome for step, outcome in pairs if step.row is not None}

    def agree(self, asked: Sequence[Row]) -> None:
        """Leave out what does not come out as in the log, and say so.

        Codes that are taken again after a refusal were resynchronised meanwhile.
        """
        tried: set[int] = set()
        for number in range(_MOST_CORRECTIONS):
            self._progress(f"playing {len(self.rows)} rows, {number} corrections")
            laid, outcomes = self.play(self.plan)
            wrong = dict(laid.wrong)
            row = next((row for row in self.rows if not _agrees(row, outcomes, wrong)), None)
            if row is None:
                self.path = laid.path
                self.outcomes = outcomes
                return
            if row.accepted and row.line not in tried and outcomes.get(row.line) == "out-of-window":
                tried.add(row.line)
                resyncs = self.plan.resyncs | {row.line}
            else:
                resyncs = self.plan.resyncs - {row.line}
                self._leave_out(row, wrong.get(row.line) or outcomes[row.line], asked)
            self.plan = replace(self.plan, resyncs=resyncs)
        raise ReproduceError(
            f"more than {_MOST_CORRECTIONS} rows come out otherwise than in the log: the server has"
            " other rules; say which by --policy and --window-steps"
        )

    def _leave_out(self, row: Row, why: str, asked: Sequence[Row]) -> None:
        logged = _ACCEPTED if row.accepted else "refused"
        if why in _OUTCOMES:
            why = f"{logged} in the log, {why if row.accepted else 'accepted'} by this policy"
        if row in asked:
            raise ReproduceError(
                f"line {row.line} cannot be shown again: {why}. The server may have other rules:"
                " see --policy and --window-steps"
            )
        self.missing[row.line] = why
        self.plan = replace(self.plan, rows=tuple(each for each in self.rows if each != row))

    def smallest(self, asked: Sequence[Row], last: Row) -> Plan:
        """The plan of fewest rows and events that shows the same refusals for the same reasons."""
        before = [row for row in self.rows if row.true_s <= last.true_s and row not in asked]
        first_asked_s = min(row.true_s for row in asked)
        good = [row for row in before if row.accepted and row.true_s < first_asked_s]
        # enrolled when it was last seen to be well; failing that, when the log begins
        starts = [(row.true_s // 1 - 2 * self.plan.seed.period_s, row) for row in good[-1:]]
        for start_s, row in starts:
            if start_s > self.plan.start_s:
                parts = self._parts(start_s, before, last, after=row)
                if self._shows(start_s, parts, asked):
                    return self._fewest(start_s, parts, asked)
        start_s = self.plan.start_s
        return self._fewest(start_s, self._parts(start_s, before, last), asked)

    def _parts(
        self, start_s: float, before: Sequence[Row], last: Row, after: Row | None = None
    ) -> list["_Part"]:
        parts: list[_Part] = [j for j in self.jumps if start_s < j.true_s <= last.true_s]
        parts += [
            fault
            for fault in self.plan.faults
            if fault.true_s <= last.true_s and not (fault.mended_s and fault.mended_s < start_s)
        ]
        from_s = start_s if after is None else after.true_s
        return parts + [row for row in before if row.true_s > from_s]

    def _fewest(self, start_s: float, parts: Sequence["_Part"], asked: Sequence[Row]) -> Plan:
        def shows(some: Sequence[_Part]) -> bool:
            self._progress(f"trying {len(some)} sign-ins and events")
            return self._shows(start_s, some, asked)

        return self._plan_of(start_s, minimised(parts, shows), asked)

    def _shows(self, start_s: float, parts: Sequence["_Part"], asked: Sequence[Row]) -> bool:
        laid, outcomes = self.play(self._plan_of(start_s, parts, asked))
        if laid.wrong or any(outcomes[row.line] != self.outcomes[row.line] for row in asked):
            return False
        return all(_agrees(row, outcomes, {}) for row in laid.plan.rows)

    def _plan_of(self, start_s: float, parts: Sequence["_Part"], asked: Sequence[Row]) -> Plan:
        rows = [part for part in parts if isinstance(part, Row)] + list(asked)
        return replace(
            self.plan,
            start_s=start_s,
            rows=tuple(sorted(rows, key=lambda row: (row.true_s, row.line))),
            jumps=tuple(part for part in parts if isinstance(part, Jump)),
            faults=tuple(part for part in parts if isinstance(part, Fault)),
        )

    def finish(self, plan: Plan, token: TokenDiagnosis, asked: Sequence[Row]) -> Reproduction:
        """Write it with what it shows, and see that it does."""
        from tokenkit.scenario import parse, run

        laid = self._laid(plan)
        when = datetime.fromtimestamp(asked[-1].true_s, UTC)
        title = f"{token.serial_number} is refused on {when:%Y-%m-%d}"
        lines = [row.line for row in asked]
        summary = " ".join([f"As line {lines[-1]} of the log says.", *token.sentences[1:2]])
        record = run(parse(scenario_text(laid, None, title, summary), "the scenario"))
        came = [next(iter(s.outcomes)) for s in record.steps if s.expected is not None]
        text = scenario_text(laid, came, title, summary)
        assert run(parse(text, "the scenario")).held
        kept = [row.line for row in plan.rows if row.line not in laid.wrong]
        enrolled = datetime.fromtimestamp(plan.start_s, UTC)
        assumed = [
            f"it was enrolled on {enrolled:%Y-%m-%d %H:%M} UTC, when its clock was as it was"
        ]
        assumed += [
            f"it was resynchronised before line {line}"
            for line in sorted(plan.resyncs.intersection(kept))
        ]
        return Reproduction(
            token.serial_number, lines, text, self.outcomes, self.missing, kept, assumed
        )


_Part = Row | Jump | Fault
_ATTEMPTS = ("sign-in", "resync", "replay")
_OUTCOMES = ("accepted", "out-of-window", "replayed", "throttled", "locked", "no-code")


def _agrees(row: Row, outcomes: dict[int, str], wrong: dict[int, str]) -> bool:
    return row.line not in wrong and (outcomes[row.line] == _ACCEPTED) == row.accepted


def _token(
    diagnosis: Diagnosis,
    observations: Sequence[Observation],
    serial_number: str | None,
    lines: Sequence[int],
) -> TokenDiagnosis:
    by_serial = {token.serial_number: token for token in diagnosis.tokens}
    if serial_number is None:
        refused = [row for row in observations if row.accepted is False]
        if lines:
            refused = [row for row in refused if row.line in lines]
        placed = {row.line for token in diagnosis.tokens for row in token.placed}
        placed |= {
            row.line
            for token in diagnosis.tokens
            for row in token.unplaced
            if row.reason == "replayed"
        }
        shown = [row for row in refused if row.line in placed]
        if not refused:
            raise ReproduceError("there is no refusal in the log: nothing to reproduce")
        if not shown:
            raise ReproduceError(
                "no code that was refused is one that its token showed about then: wrong codes are"
                " nothing that a clock explains"
            )
        serial_number = max(shown, key=lambda row: (row.server_s, row.line)).serial_number
    if serial_number not in by_serial:
        raise ReproduceError(f"{serial_number}: the log has no such token")
    return by_serial[serial_number]


def _asked(found: Timeline, lines: Sequence[int]) -> list[Row]:
    refused = {row.line: row for row in found.rows if not row.accepted}
    if not lines:
        if not refused:
            raise ReproduceError("no code of this token was refused: nothing to reproduce")
        return [max(refused.values(), key=lambda row: (row.true_s, row.line))]
    for line in lines:
        if line not in refused:
            why = found.missing.get(line, "it is no refusal of this token")
            raise ReproduceError(f"line {line} cannot be shown again: {why}")
    return sorted((refused[line] for line in set(lines)), key=lambda row: row.true_s)
