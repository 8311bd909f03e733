"""From a diagnosis a scenario in which codes are accepted and refused as the log says."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.drift.observations import Observation
from tokenkit.drift.plan import Plan, scenario_text
from tokenkit.drift.timeline import Row, Timeline, timeline
from tokenkit.drift.trials import Progress, ReproduceError, Trials, outcomes_of
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.seed_file import Seed


@dataclass(frozen=True)
class Reproduction:
    """A scenario, ``text``, in which the refusals on ``lines`` of the log come again.

    ``outcomes`` are those of all rows that came out as in the log, by line; ``missing`` says of the
    others why not. ``kept`` are the lines that the scenario shows. ``assumed`` is what the log
    does not say. ``first_refused`` is the line of the first refusal after the last code that was
    accepted before ``lines``, if it is another: a lock, say, tells less than what led to it.
    """

    serial_number: str
    lines: list[int]
    text: str
    outcomes: dict[int, str]
    missing: dict[int, str]
    kept: list[int]
    assumed: list[str]
    first_refused: int | None


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
    """Show the refusals on ``lines`` again, by default the last one that can be.

    The token is that of ``serial_number``, else that of the last refusal. All its rows are played
    first, by a new token with a clock like its own. Then rows and events are left out for as long
    as the refusals come, unless the ``whole`` is wanted. Raises ReproduceError.
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
    refused = _refused(found, lines)
    trials = Trials(seed, policy, found, progress)
    trials.agree()
    asked = [row for row in trials.plan.rows if row in refused]
    if not asked or (lines and len(asked) < len(refused)):
        line = next(row.line for row in reversed(refused) if row not in asked)
        raise ReproduceError(
            f"line {line} cannot be shown again: {trials.missing[line]}. The verifier may have"
            " other rules: see --policy and --window-steps"
        )
    asked = asked if lines else asked[-1:]
    plan = trials.plan if whole else trials.smallest(asked)
    return _written(trials, plan, token, asked)


def _written(
    trials: Trials, plan: Plan, token: TokenDiagnosis, asked: Sequence[Row]
) -> Reproduction:
    laid = trials.laid(plan)
    lines = [row.line for row in asked]
    title = f"{token.serial_number} is refused on {_utc(asked[-1].true_s):%Y-%m-%d}"
    summary = " ".join([f"As line {lines[-1]} of the log says.", *token.sentences[1:2]])
    came = outcomes_of(scenario_text(laid, None, title, summary))
    text = scenario_text(laid, came, title, summary)
    assert outcomes_of(text) == came
    kept = [row.line for row in plan.rows]
    assumed = [f"it was enrolled on {_utc(plan.start_s):%Y-%m-%d %H:%M} UTC", *trials.assumed]
    for what, before in (("unlocked", plan.unlocks), ("resynchronised", plan.resyncs)):
        assumed += [f"it was {what} before line {line}" for line in kept if line in before]
    return Reproduction(
        token.serial_number,
        lines,
        text,
        trials.outcomes,
        trials.missing,
        kept,
        assumed,
        _first_refused(trials.plan.rows, asked),
    )


def _first_refused(rows: Sequence[Row], asked: Sequence[Row]) -> int | None:
    before = rows[: rows.index(asked[0])]
    since = itertools.takewhile(lambda row: not row.accepted, reversed(before))
    first = [row.line for row in since if row.act == "sign-in"]
    return first[-1] if first else None


def _utc(true_s: float) -> datetime:
    return datetime.fromtimestamp(true_s, UTC)


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


def _refused(found: Timeline, lines: Sequence[int]) -> list[Row]:
    """The refusals on ``lines``, else all."""
    refused = [row for row in found.rows if not row.accepted]
    for line in lines:
        if line not in {row.line for row in refused}:
            why = found.missing.get(line, "it is no refusal of this token")
            raise ReproduceError(f"line {line} cannot be shown again: {why}")
    if not refused:
        raise ReproduceError("no code of this token was refused: nothing to reproduce")
    return [row for row in refused if row.line in lines] if lines else refused
