"""A scenario in which a new token's codes come as a log says, written as TOML."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tokenkit.drift.planted import Gate, Path, through
from tokenkit.drift.timeline import Fault, Jump, Row
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.seed_file import Seed

ATTEMPTS = ("sign-in", "replay", "unlock", "resync")
_BEFORE_S = 600.0  # enrolled so long before the first row
_INSIDE_S = 0.5  # a code is read so long before its time step is over


@dataclass(frozen=True)
class Plan:
    """What the scenario is to hold; ``start_s`` is true time, like all others.

    ``unlocks`` and ``resyncs`` are lines before which the token is unlocked, resynchronised.
    """

    seed: Seed
    policy: TotpPolicy
    start_s: float
    rows: tuple[Row, ...]
    jumps: tuple[Jump, ...]
    faults: tuple[Fault, ...]
    unlocks: frozenset[int] = frozenset()
    resyncs: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Step:
    """One ``[[step]]`` at ``true_s``; ``row`` is the row that it shows, if it is one."""

    true_s: float
    members: dict[str, object]
    row: Row | None = None


@dataclass(frozen=True)
class Planned:
    """The steps of a plan, the clock planted into the token, and what does not fit, by line."""

    plan: Plan
    path: Path
    steps: list[Step]
    wrong: dict[int, str]


def start_before(row: Row, period_s: int) -> float:
    """When to enrol a token whose first row is ``row``."""
    return float((row.true_s - _BEFORE_S) // period_s * period_s)


def planned(
    plan: Plan, all_jumps: Sequence[Jump], aim: Callable[[float], float] | None = None
) -> Planned:
    """Lay out the steps. ``all_jumps`` are those that the rows' offsets contain.

    ``aim`` is the offset, without jumps since the start, to which the token's keeps close.
    """

    def jumped_s(jumps: Sequence[Jump], true_s: float) -> float:
        return sum(jump.by_s for jump in jumps if plan.start_s < jump.true_s <= true_s)

    gates = []
    for row in plan.rows:
        if row.act == "sign-in":
            by_s = jumped_s(all_jumps, row.true_s)
            gates.append(Gate(row.true_s, row.low_s - by_s, row.high_s - by_s))
    base = through(gates, plan.start_s, aim)
    period_s = plan.seed.period_s
    steps = list(_clock_steps(base, plan.jumps))
    wrong: dict[int, str] = {}
    ready_s = plan.start_s + 2.0 * period_s
    last_counter: int | None = None
    for row in plan.rows:
        offset_s = base.at(row.true_s) + jumped_s(plan.jumps, row.true_s)
        over_s = row.true_s + offset_s - (row.counter + 1) * period_s
        # without a jump that happened it shows another code than in the log
        entry_s = row.high_s - row.low_s - period_s + 2.0 * _INSIDE_S
        late_s = round(over_s + _INSIDE_S, 2) if -0.01 < over_s < entry_s else 0.0
        # what is tried again after a refusal may still be on the display
        act = "sign-in" if row.counter != last_counter else row.act
        late_s = late_s if act == "sign-in" else 0.0
        read_s = round(row.true_s - late_s, 3)
        helped_s = round(read_s - 3.0 * period_s, 3) if row.line in plan.resyncs else read_s
        if helped_s < ready_s and row.line in plan.resyncs:
            wrong[row.line] = "there is no time for the resynchronisation that it needs"
            continue
        if act == "sign-in" and row.act == "replay" and over_s > late_s:
            wrong[row.line] = "the code was not the last one that was accepted"
            continue
        if read_s < ready_s:
            wrong[row.line] = "its code was read before the one before had arrived"
            continue
        for help_, lines in (("unlock", plan.unlocks), ("resync", plan.resyncs)):
            if row.line in lines:
                steps.append(Step(helped_s, {"do": help_, "device": "token"}))
        members: dict[str, object] = {"do": act, "device": "token"}
        if late_s:
            members["entry"] = _seconds(late_s)
        steps.append(Step(read_s, members, row))
        ready_s = row.true_s
        last_counter = row.counter if row.accepted else last_counter
    steps.sort(key=lambda step: step.true_s)
    return Planned(plan, base, steps, wrong)


def _clock_steps(base: Path, jumps: Sequence[Jump]) -> Iterator[Step]:
    for before, line in zip(base.lines, base.lines[1:], strict=False):
        by_s = round(line.offset_s - before.at(line.from_s), 2)
        if by_s:
            yield Step(line.from_s, {"do": "step-clock", "device": "token", "by": _seconds(by_s)})
        by_ppm = round(line.ppm - before.ppm, 4)
        if by_ppm:
            yield Step(line.from_s, {"do": "change-rate", "device": "token", "by_ppm": by_ppm})
    for jump in jumps:
        yield Step(jump.true_s, {"do": "step-clock", "device": "token", "by": _seconds(jump.by_s)})


def scenario_text(
    planned: Planned, expected: Sequence[str] | None, title: str, summary: str
) -> str:
    """The file; ``expected`` are the outcomes of the enrolment and of all attempts after it."""
    plan, seed = planned.plan, planned.plan.seed
    clock = planned.path.lines[0]
    wanted = iter(expected or ())
    tables = [
        _table("", {"title": title, "summary": summary, "start": _Moment(plan.start_s)}),
        _table("[policy]", _policy(plan.policy)),
    ]
    for fault in plan.faults:
        members: dict[str, object] = {"at": _Moment(fault.true_s), "step": _seconds(fault.by_s)}
        if fault.mended_s is not None:
            members["mended_after"] = _seconds(fault.mended_s - fault.true_s)
        tables.append(_table("[[server.event]]", members))
    tables += [
        _table(
            "[[step]]",
            {
                "do": "make-batch",
                "prefix": "REPRODUCED",
                "tokens": ["token"],
                "algorithm": seed.algorithm,
                "digits": seed.digits,
                "period": seed.period_s,
                "clock": {"offset": _seconds(clock.offset_s), "rate_ppm": clock.ppm},
            },
        ),
        _table("[[step]]", {"do": "ship-seeds", "prefix": "REPRODUCED"}),
        _table("[[step]]", _expecting({"do": "enrol", "device": "token"}, wanted)),
    ]
    now_s = plan.start_s
    for step in planned.steps:
        if step.true_s > now_s:
            tables.append(_table("[[step]]", {"do": "wait-until", "at": _Moment(step.true_s)}))
            now_s = step.true_s
        attempts = step.members["do"] in ATTEMPTS
        comment = ""
        if step.row is not None:
            now_s = step.row.true_s
            comment = f"# line {step.row.line} of the log\n"
        members = _expecting(step.members, wanted) if attempts else step.members
        tables.append(comment + _table("[[step]]", members))
    return "\n".join(tables)


def _expecting(members: dict[str, object], wanted: Iterator[str]) -> dict[str, object]:
    outcome = next(wanted, None)
    return members if outcome is None else {**members, "expect": outcome}


def _policy(policy: TotpPolicy) -> dict[str, object]:
    """What differs from the defaults, and the window in any case."""
    plain = TotpPolicy()
    said: dict[str, object] = {"drift": policy.drift}
    said["max_window_steps" if policy.drift == "rate" else "window_steps"] = (
        policy.max_window_steps if policy.drift == "rate" else policy.window_steps
    )
    for name, value in vars(policy).items():
        if value != getattr(plain, name) and name != "window_steps":
            seconds = name.endswith("_s")
            said[name.removesuffix("_s")] = _seconds(value) if seconds else value
    return said


def _seconds(value: float) -> str:
    """A duration, to the millisecond."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + " s"


class _Moment(float):
    """A true time, to the millisecond."""


def _table(head: str, members: dict[str, object]) -> str:
    lines = [head] if head else []
    lines += [f"{name} = {_value(value)}" for name, value in members.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, _Moment):
        at = datetime.fromtimestamp(round(value, 3), UTC)
        return at.isoformat(timespec="milliseconds").replace(".000", "").replace("+00:00", "Z")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    # strings, numbers and lists of them are written alike
    return json.dumps(value, ensure_ascii=False)
