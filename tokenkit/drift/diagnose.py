"""The whole way from rows of a log to a diagnosis."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple

from msgspec import structs

from tokenkit.drift import words
from tokenkit.drift.case import corrected, examined, seen, shifts
from tokenkit.drift.diagnosis import Diagnosis
from tokenkit.drift.faults import faults_of_log, faults_of_token
from tokenkit.drift.observations import Observation
from tokenkit.drift.placing import look_up
from tokenkit.drift.server_faults import company, server_faults
from tokenkit.drift.told import told
from tokenkit.verifier import search as code_search
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.verifier.seed_file import Seed

MOST_RANGE_S = 60 * 86_400.0
MOST_ENTRY_S = 600.0
_WORTH_COMPILING = 5_000_000  # codes to look at


class Options(NamedTuple):
    """``range_s``: how far off clocks are looked for; ``entry_s``: until a code usually arrives."""

    range_s: float = 2 * 86_400.0
    entry_s: float = 12.0
    policy: TotpPolicy = TotpPolicy()


_DEFAULT = Options()


def diagnose(
    seeds: Iterable[Seed],
    observations: Sequence[Observation],
    options: Options = _DEFAULT,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Diagnosis:
    """What ``observations`` say of each token; ``progress`` is told of rows done, of how many."""
    by_serial = {seed.serial_number: seed for seed in seeds}
    rows: dict[str, list[Observation]] = {}
    for row in observations:
        rows.setdefault(row.serial_number, []).append(row)
    faults = faults_of_log(observations, by_serial)
    known = sorted(rows.keys() & by_serial.keys())
    counters = sum(
        len(rows[name]) * 2 * options.range_s / by_serial[name].period_s for name in known
    )
    if counters > _WORTH_COMPILING:
        code_search.warm()
    cases = []
    done, count = 0, sum(len(rows[name]) for name in known)
    for name in known:
        by_time = sorted(rows[name], key=lambda row: (row.server_s, row.line))
        found = []
        for row_found in look_up(by_serial[name], by_time, options.range_s):
            found.append(row_found)
            progress(done + len(found), count)
        done += len(found)
        cases.append(examined(by_serial[name], found, options.entry_s))
    found_shifts = [shift for case in cases for shift in shifts(case)]
    of_server = server_faults(found_shifts, seen(cases))
    cases = [corrected(case, of_server, options.entry_s) for case in cases]
    left_shifts = [shift for case in cases for shift in shifts(case)]
    counted = sum(case.model is not None for case in cases)
    others = company(left_shifts, seen(cases), of_server, counted)
    tokens = [told(case, of_server, options.policy, others) for case in cases]
    for case, token in zip(cases, tokens, strict=True):
        faults += faults_of_token(token, case.placement.ambiguous)
    return Diagnosis(tokens, of_server, faults, words.of_log(tokens, of_server, faults))


def only(diagnosis: Diagnosis, serials: Container[str]) -> Diagnosis:
    """What is in it of the tokens ``serials``; the sentences on the whole log stay."""
    tokens = [token for token in diagnosis.tokens if token.serial_number in serials]
    faults = [f for f in diagnosis.faults if f.serial_number is None or f.serial_number in serials]
    return structs.replace(diagnosis, tokens=tokens, faults=faults)
