"""What is contradictory or ambiguous in a log: said, not guessed away."""

import itertools
from collections import Counter
from collections.abc import Container, Sequence

from tokenkit.drift.diagnosis import Change, Fault, TokenDiagnosis, Unplaced
from tokenkit.drift.observations import Observation
from tokenkit.drift.words import seconds

_FEW = 0.1  # share of lines whose times go back in a log that is in order otherwise


def faults_of_log(observations: Sequence[Observation], known: Container[str]) -> list[Fault]:
    faults = []
    unknown = Counter(row.serial_number for row in observations if row.serial_number not in known)
    first = {row.serial_number: row.line for row in reversed(observations)}
    for name, rows in unknown.items():
        what = f"no seed of serial number {name}: its {rows} row{'s' * (rows > 1)} cannot be read"
        faults.append(Fault("unknown token", what, name, first[name]))
    back = [
        (before.server_s - after.server_s, after)
        for before, after in itertools.pairwise(observations)
        if after.server_s < before.server_s
    ]
    if 0 < len(back) < _FEW * len(observations):
        by_s, row = max(back, key=lambda each: each[0])
        what = (
            f"times go back at {len(back)} line{'s' * (len(back) > 1)}, here by {seconds(by_s)}:"
            " the server's clock was set back, or the log was put together from several"
        )
        faults.append(Fault("lines out of order", what, None, row.line))
    return faults


def faults_of_token(token: TokenDiagnosis, ambiguous: Sequence[int]) -> list[Fault]:
    name = token.serial_number
    accepted_lines = {row.counter: row.line for row in token.placed if row.accepted}
    faults = []
    for row in token.unplaced:
        if row.accepted and (found := _accepted(name, row, accepted_lines)) is not None:
            faults.append(found)
    for line in ambiguous:
        what = "its code fits two times about as well; the likelier was taken"
        faults.append(Fault("ambiguous", what, name, line))
    latest = None
    for placed in token.placed:
        if latest is not None and placed.counter < latest.counter:
            if not any(
                _between(change, latest.server_s, placed.server_s) for change in token.changes
            ):
                what = f"its code is older than that of line {latest.line}, which came before it"
                faults.append(Fault("out of order", what, name, placed.line))
        else:
            latest = placed
    return sorted(faults, key=lambda fault: fault.line or 0)


def _accepted(name: str, row: Unplaced, accepted: dict[int, int]) -> Fault | None:
    if row.reason in ("no time", "alone", "malformed"):
        what = "accepted, though it is no code of this token: is the seed the right one?"
        return Fault("accepted no code", what, name, row.line)
    if row.reason == "off track":
        what = "accepted, though the token cannot have shown this code then"
        return Fault("accepted off track", what, name, row.line)
    if row.reason == "replayed" and row.counter in accepted:
        what = f"accepted, though it was used in line {accepted[row.counter]} already"
        return Fault("accepted twice", what, name, row.line)
    return None


def _between(change: Change, after_s: float, before_s: float) -> bool:
    return change.when.after_s < before_s and change.when.before_s > after_s
