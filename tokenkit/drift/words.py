"""A diagnosis in plain sentences."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tokenkit.drift.diagnosis import (
    Change,
    Dated,
    Estimate,
    Fault,
    Leaving,
    ServerFault,
    TokenDiagnosis,
    accepted_later,
)
from tokenkit.scenario.durations import DAY_S, YEAR_S

_UNPLACED = {
    "malformed": "no code at all",
    "no time": "a code of no time in range",
    "off track": "a code of another time",
    "replayed": "a code that was shown before",
    "duplicate": "a row twice in the log",
}
_CAUSES = {
    "battery": "as if its clock had stood for so long: a new battery",
    "set": "as if somebody had set it",
    "time zone": "whole hours: somebody set it, or its time zone",
    "server": "so did other tokens: it was the server's clock",
}
_OWN = ("none had an event of its own clock", "1 had an event of its own clock")
_UNTOLD_PPM = 10.0  # half of what is known of a rate before the first code
_NAMED = 3  # tokens, not more
_SLOWEST = 25e-6  # a token in the cold, seconds a second


def of_token(token: TokenDiagnosis, others: bool = True) -> list[str]:
    """``others`` says whether there are tokens to compare it with."""
    said = [_rows(token)]
    if token.offset_s is not None and token.until_s is not None:
        said.append(_clock(token, token.offset_s, token.until_s))
    if (same := token.same_code) is not None:
        said.append(
            f"One code came {same.rows} times, {_days(same.from_s, same.until_s)}: its display"
            " stands still, or somebody sends the same code again."
        )
    said += [_change(change) for change in token.changes]
    steps = [each for each in token.changes if each.kind == "step" and each.cause != "server"]
    said += _whose(steps, others)
    if token.corrected:
        said.append(
            f"{_count(token.corrected, 'row')} came while the server's clock was wrong, and"
            f" {'was' if token.corrected == 1 else 'were'} corrected for it."
        )
    if token.leaves_window is not None and token.until_s is not None:
        if token.leaves_window.outside:
            said += _left(token.leaves_window, token.changes)
        else:
            said.append(_leaving(token.leaves_window, token.until_s, _is_untold(token.rate_ppm)))
    return said


def _whose(steps: Sequence[Change], others: bool) -> list[str]:
    """The token's doing or the server's, as far as other tokens tell."""
    alone = "one token alone cannot tell its clock from the server's."
    if not others:
        return [f"There is no other token to compare it with: {alone}"] if steps else []
    said = []
    likely = [step for step in steps if step.likely_server]
    if likely:
        few = "two" if all(len(step.alike) == 1 for step in likely) else "so few"
        said.append(
            f"{_same(likely)}: likely the server's clock; {few} tokens are too few to be sure."
        )
    shared = [step for step in steps if step.alike and not step.likely_server]
    if shared:
        it = "it was" if len(shared) == 1 else "they were"
        said.append(
            f"{_same(shared)}, but not all that were seen then do, so {it} likely its own; a few"
            " tokens cannot tell their clocks from the server's for sure."
        )
    own = [step for step in steps if not step.alike and not step.likely_server]
    if own:
        it = "it was" if len(own) == 1 else "they were"
        same = "the same" if len(own) == len(steps) else "the rest"
        said.append(f"No other token shows {same}, so {it} likely its own; {alone}")
    return said


def _same(steps: Sequence[Change]) -> str:
    names = sorted({name for step in steps for name in step.alike})
    if len(names) == 1:
        return f"{names[0]} shows the same at the same time"
    shown = names if len(names) <= _NAMED else [*names[: _NAMED - 1], f"{len(names) - 2} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]} show the same at the same time"


def _is_untold(rate: Estimate | None) -> bool:
    return rate is None or rate.deviation > _UNTOLD_PPM


def _rows(token: TokenDiagnosis) -> str:
    if token.from_s is None or token.until_s is None:
        alone = sum(row.reason == "alone" for row in token.unplaced)
        but = f" but for {alone}, as wrong codes are by accident" if alone else ""
        return (
            f"None of its {_count(token.rows, 'row')} has a code of a time in range{but}: the seed"
            " is another token's, or its clock is off by more."
        )
    tell = "tells" if len(token.placed) == 1 else "tell"
    days = _days(token.from_s, token.until_s)
    said = f"{len(token.placed)} of {_count(token.rows, 'row')} {tell} of its clock, {days}"
    reasons = Counter(row.reason for row in token.unplaced)
    if reasons:
        said += "; left out: " + ", ".join(
            f"{count} ({_UNPLACED[reason]})" for reason, count in reasons.items()
        )
    if len(token.placed) == 1:
        said += ". One code alone proves little"
    later = accepted_later(token.unplaced)
    refused = sum(row.accepted is False and row.counter not in later for row in token.placed)
    if token.leaves_window is None:
        who = "It was" if refused == 1 else f"All {refused} were"
        said += f". {who} refused, so nobody can tell when it leaves the window"
    elif refused:
        said += f". {refused} of them {'was' if refused == 1 else 'were'} refused"
    return said + "."


def _clock(token: TokenDiagnosis, offset: Estimate, until_s: float) -> str:
    where = "ahead of" if offset.value > 0 else "behind"
    said = (
        f"On {day(until_s)} its clock was {seconds(abs(offset.value))} {where} the server's"
        f" (±{seconds(offset.value - offset.low)})"
    )
    mean, now = token.mean_rate_ppm, token.rate_ppm
    if mean is None or now is None:
        return said + "."
    if _is_untold(mean):
        return (
            f"{said}; the codes are too little to tell its rate (±{now.value - now.low:.0f} ppm)."
        )
    said += f", at the end {_rate(now)}; on average it ran {_rate(mean)}"
    year_s = abs(mean.value) * 1e-6 * YEAR_S
    said += f", {seconds(year_s)} a year."
    if token.wander_ppm is not None and token.wander_ppm > 1.0:
        said += (
            f" Its rate wanders by some {token.wander_ppm:.0f} ppm in a year, as if it were carried"
            " between warm and cold places."
        )
    return said


def _rate(rate: Estimate) -> str:
    way = "fast" if rate.value > 0 else "slow"
    return f"{abs(rate.value):.2f} ppm {way} (±{rate.value - rate.low:.2f})"


def _change(change: Change) -> str:
    when = dated(change.when)
    if change.by_s is not None:
        by, way = change.by_s, "ahead" if change.by_s.value > 0 else "back"
        said = f"{when} it went {way} by {seconds(abs(by.value))} (±{seconds(by.value - by.low)})"
        if change.likely_server:
            return f"{said}."
        said += f", {_CAUSES[change.cause]}."
        gap_s = change.when.before_s - change.when.after_s
        if change.cause == "battery" and -by.value < _SLOWEST * (gap_s + 90 * DAY_S):
            said += " Some weeks in the cold would do the same."
        return said
    assert change.by_ppm is not None
    by = change.by_ppm
    way = "faster" if by.value > 0 else "slower"
    return (
        f"{when} it began to run {abs(by.value):.1f} ppm {way} (±{by.value - by.low:.1f}), as if"
        " carried to a place of another temperature."
    )


def _left(leaving: Leaving, changes: Sequence[Change]) -> list[str]:
    """That it is outside, since when, and the mend."""
    said = f"It is outside the window ({leaving.policy}) already"
    if leaving.at_s is not None and leaving.at_s > leaving.from_s:
        when = f"about {day(leaving.at_s)}"
        for change in changes:
            if change.kind == "step" and change.when.after_s < leaving.at_s < change.when.before_s:
                when = f"between {instants(change.when)}"
        said = f"It left the window ({leaving.policy}) {when}"
    if leaving.refused_s is not None:
        said += f"; refused since {day(leaving.refused_s)} (line {leaving.refused_line})"
    if leaving.resynchronises:
        return [f"{said}.", "Resynchronise it by two consecutive codes."]
    return [f"{said}.", "It is off by more than two consecutive codes would resynchronise."]


def _leaving(leaving: Leaving, until_s: float, untold: bool) -> str:
    policy = f"the window ({leaving.policy}, no further sign-in)"
    span = f"{(leaving.until_s - until_s) / YEAR_S:.0f} years"
    if leaving.at_s is None:
        if leaving.low_s is None:
            return f"It stays within {policy} for {span}."
        likely = f"It most likely stays within {policy} for {span}"
        return f"{likely}, but may leave it from {day(leaving.low_s)} on."
    if untold:
        when = "now" if leaving.low_s is None else day(leaving.low_s)
        return f"It may leave {policy} from {when} on: its rate is not known."
    said = f"It leaves {policy} about {day(leaving.at_s)}"
    low = "now" if leaving.low_s is None else day(leaving.low_s)
    if leaving.high_s is None:
        return f"{said}, not before {low}, maybe never."
    return f"{said}, between {low} and {day(leaving.high_s)}."


def of_log(
    tokens: Sequence[TokenDiagnosis], servers: Sequence[ServerFault], faults: Sequence[Fault]
) -> list[str]:
    said = [_of_server(fault) for fault in servers]
    changed = sum(any(_is_own(c) for c in token.changes) for token in tokens)
    likely = sum(any(c.likely_server for c in token.changes) for token in tokens)
    told = sum(token.offset_s is not None for token in tokens)
    own = f"{changed} had events of their own clocks" if changed > 1 else _OWN[changed]
    said.append(f"{told} of {_count(len(tokens), 'token')} could be diagnosed; {own}.")
    if likely:
        said.append(f"{_count(likely, 'token')} had one that was likely of the server's clock.")
    if faults:
        kinds = Counter(fault.kind for fault in faults)
        said.append(
            "Contradictory or ambiguous: "
            + ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
            + "."
        )
    return said


def _is_own(change: Change) -> bool:
    return change.cause != "server" and not change.likely_server


def _of_server(fault: ServerFault) -> str:
    by, way = fault.by_s, "ahead" if fault.by_s.value > 0 else "back"
    size = f"{seconds(abs(by.value))} (±{seconds(by.value - by.low)})"
    who = f"{_count(len(fault.tokens), 'token')} show it"
    if fault.end is None:
        return (
            f"{dated(fault.begin)} the server's clock went {way} by {size}: {who}. It did not go"
            " back: it was wrong before, or is now."
        )
    where = "ahead" if by.value > 0 else "behind"
    return (
        f"{dated(fault.begin)} the server's clock went wrong, and was {size} {where} until"
        f" {instant(fault.end)}: {who}."
    )


def dated(when: Dated) -> str:
    return f"Between {instants(when)}"


def instants(when: Dated) -> str:
    if when.before_s - when.after_s > 2 * DAY_S:
        return f"{day(when.after_s)} and {day(when.before_s)}"
    return f"{minute(when.after_s)} and {minute(when.before_s)}"


def instant(when: Dated) -> str:
    """Its middle, and how far it may be off."""
    half_s = (when.before_s - when.after_s) / 2.0
    return f"{minute(when.at_s)} (±{seconds(half_s)})"


def _days(from_s: float, until_s: float) -> str:
    first, last = day(from_s), day(until_s)
    return first if first == last else f"{first} to {last}"


def day(at_s: float) -> str:
    return _moment(at_s, "%Y-%m-%d")


def minute(at_s: float) -> str:
    return _moment(at_s, "%Y-%m-%d %H:%M")


def _moment(at_s: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.0f} s"


def seconds(value_s: float) -> str:
    """Not negative: ``0.8 s``, ``95 s``, ``4 min 31 s``, ``3 h 2 min``."""
    if value_s < 9.95:
        return f"{value_s:.1f} s"
    whole = round(value_s)
    if whole < 120:
        return f"{whole} s"
    for large_s, large, small_s, small in (
        (DAY_S, "days", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= 2 * large_s or small_s == 1:
            count, rest = divmod(round(whole / small_s), round(large_s / small_s))
            return f"{count} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
