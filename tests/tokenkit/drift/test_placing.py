"""Codes are placed on the track that explains most of them, and what is not sure is said."""

from dataclasses import replace

from tokenkit.drift.observations import Observation
from tokenkit.drift.placing import Placement, Row, look_up, place
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import CodeGenerator

SEED = Seed("T1", bytes(range(20)), "SHA1", 6, 30)
DAYS = 2880  # steps


def row(line: int, counter: int, off_steps: int = 0, accepted: bool | None = True) -> Row:
    """A code for ``counter`` that arrives so many steps later, and no other counter has."""
    at_s = (counter + off_steps) * 30.0 + 15.0
    return Row(Observation(line, "T1", str(counter), at_s, accepted), [counter])


def placed(rows: list[Row]) -> Placement:
    return place(rows, 30, 12.0)


def lines(rows: list[Row]) -> list[int]:
    return [each.line for each in placed(rows).placed]


def test_codes_are_looked_up_as_far_as_asked() -> None:
    [code] = CodeGenerator(SEED.secret).codes([1000])
    observation = Observation(2, "T1", code.decode(), 1010 * 30.0, None)
    assert next(look_up(SEED, [observation], 300.0)).counters == [1000]
    assert next(look_up(SEED, [observation], 269.0)).counters == []
    assert next(look_up(SEED, [replace(observation, code="12345")], 300.0)).counters is None


def test_an_accidental_far_match_is_left_out() -> None:
    rows = [row(n, n * DAYS) for n in range(8)]
    rows[3] = Row(rows[3].row, [3 * DAYS, 3 * DAYS + 2000])
    rows[5] = row(5, 5 * DAYS, off_steps=-1500, accepted=False)
    found = placed(rows)
    assert [each.counter for each in found.placed] == [n * DAYS for n in range(8) if n != 5]
    [stray] = found.unplaced
    assert (stray.line, stray.reason, stray.counter) == (5, "off track", 5 * DAYS)
    assert found.ambiguous == []


def test_a_clock_that_jumps_is_followed() -> None:
    rows = [row(n, n * DAYS, off_steps=0 if n < 4 else 120) for n in range(8)]
    assert lines(rows) == list(range(8))


def test_one_far_code_at_the_end_is_believed_only_if_it_was_accepted() -> None:
    rows = [row(n, n * DAYS) for n in range(6)]
    assert lines([*rows, row(6, 6 * DAYS, 500, accepted=False)]) == list(range(6))
    assert lines([*rows, row(6, 6 * DAYS, 500, accepted=True)]) == list(range(7))


def test_drift_is_no_jump() -> None:
    """50 ppm in a year."""
    rows = [row(n, n * 30 * DAYS, off_steps=4 * n) for n in range(12)]
    assert lines(rows) == list(range(12))
    assert placed(rows).ambiguous == []


def test_two_tracks_as_good_as_each_other_are_told() -> None:
    rows = [Row(row(n, n * DAYS).row, [n * DAYS - 400, n * DAYS + 400]) for n in range(5)]
    found = placed(rows)
    assert [each.counter - each.line * DAYS for each in found.placed] in ([-400] * 5, [400] * 5)
    assert found.ambiguous == list(range(5))


def test_a_code_is_taken_once() -> None:
    again = row(1, DAYS)
    later = Row(replace(again.row, line=2, server_s=again.row.server_s + 5.0), again.counters)
    same = Row(replace(again.row, line=3), again.counters)
    found = placed([row(0, 0), again, same, later])
    assert [each.line for each in found.placed] == [0, 1]
    assert [(each.line, each.reason) for each in found.unplaced] == [
        (3, "duplicate"),
        (2, "replayed"),
    ]


def test_what_a_code_says_of_the_offset() -> None:
    [found] = placed([row(7, 100, off_steps=-2)]).placed
    assert (found.low_s, found.high_s) == (45.0, 45.0 + 30.0 + 12.0)


def test_no_rows() -> None:
    assert placed([]) == Placement([], [], [])
