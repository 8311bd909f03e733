"""What is said of logs that tell little, or nothing: no more than they do."""

from dataclasses import replace

from msgspec import structs

from tests.tokenkit.drift.fleet import DAY_S, START_S, YEAR_S, Sample, log_of, sample
from tokenkit.drift.diagnose import Options, diagnose
from tokenkit.drift.diagnosis import Dated, TokenDiagnosis
from tokenkit.drift.words import day, instant, of_token
from tokenkit.verifier.policy import TotpPolicy
from tokenkit.virtual import Step

NEAR = Options(range_s=3 * 3600.0)


def told(of: Sample, options: Options = NEAR) -> tuple[TokenDiagnosis, str]:
    [token] = diagnose([of.seed], log_of([of]), options).tokens
    return token, " ".join(token.sentences)


def test_codes_of_another_token_are_not_placed_by_accident() -> None:
    own, other = sample(9, 1), sample(9, 2)
    own.rows = [replace(row, serial_number=own.seed.serial_number) for row in other.rows]
    for days in (2.0, 60.0):
        token, said = told(own, Options(range_s=days * DAY_S))
        assert token.offset_s is None
        assert token.placed == []
        assert "alone" in {row.reason for row in token.unplaced}
        assert "a code of a time in range but for " in said
        assert "the seed is another token's, or its clock is off by more" in said


def test_a_clock_that_is_far_off_is_no_accident() -> None:
    token, _ = told(sample(9, 1, sign_ins=2, events=[Step(START_S, 40 * 3600.0)]), Options())
    assert len(token.placed) == 2


def test_one_right_code_among_wrong_ones_is_placed_if_it_is_near() -> None:
    own, other = sample(9, 1), sample(9, 2)
    own.rows[1:] = [replace(row, serial_number=own.seed.serial_number) for row in other.rows[1:]]
    token, said = told(own, NEAR)
    assert len(token.placed) == 1
    assert said.startswith("1 of 30 rows tells of its clock, 2026-")


def test_where_no_code_was_accepted_nobody_knows_the_window() -> None:
    log = sample(8, 1)
    log.rows = [replace(row, accepted=False) for row in log.rows]
    token, said = told(log)
    assert token.leaves_window is None
    assert "All 30 were refused, so nobody can tell when it leaves the window." in said
    log.rows[20:] = [replace(row, accepted=None) for row in log.rows[20:]]
    token, said = told(log)
    assert token.leaves_window is not None
    assert "20 of them were refused" in said


def test_a_minute_tells_nothing_of_a_rate() -> None:
    token, said = told(sample(7, 5, sign_ins=2, years=60 / YEAR_S))
    assert token.rate_ppm is not None  # what is known before: ±39 ppm
    assert "2 of 2 rows tell of its clock, 2026-01-01. " in said
    assert "too little to tell its rate" in said
    assert "a year" not in said
    assert "It may leave the window (learned offset ±1, no further sign-in) from 2026-" in said


def test_a_log_of_one_token_has_no_other_to_compare_with() -> None:
    events = [Step(START_S + 200 * DAY_S, 3600.0)]
    one, other = sample(5, 1, events=events), sample(5, 2)
    _, said = told(one)
    assert "No other token" not in said
    assert "one token alone cannot tell its clock from the server's" in said
    tokens = diagnose([one.seed, other.seed], log_of([one, other]), NEAR).tokens
    assert "No other token shows the same, so it was likely its own" in " ".join(
        tokens[0].sentences
    )


def test_two_tokens_that_show_the_same_are_likely_the_servers() -> None:
    """A clock six minutes ahead for four days."""

    def server(true_s: float) -> float:
        return 360.0 if 30 * DAY_S < true_s - START_S < 34 * DAY_S else 0.0

    log = [sample(6, n, sign_ins=60, years=60 / 365.25, evenly=True, server=server) for n in (1, 2)]
    seeds = [each.seed for each in log]
    found = diagnose(seeds, log_of(log), NEAR)
    assert found.server_faults == []
    names = [token.serial_number for token in found.tokens]
    for token, other in zip(found.tokens, reversed(names), strict=True):
        steps = [change for change in token.changes if change.kind == "step"]
        assert [(step.alike, step.likely_server) for step in steps] == 2 * [([other], True)]
        said = " ".join(token.sentences)
        assert (
            f"{other} shows the same at the same time: likely the server's clock; two tokens are"
            " too few to be sure." in said
        )
        assert "likely its own" not in said
        assert "battery" not in said
    assert "none had an event of its own clock. 2 tokens had one that was likely" in " ".join(
        found.sentences
    )
    away = sample(6, 3, sign_ins=60, years=60 / 365.25, evenly=True)  # saw nothing of it
    tokens = diagnose([*seeds, away.seed], log_of([*log, away]), NEAR).tokens
    assert (
        f"{names[1]} shows the same at the same time, but not all that were seen then do, so they"
        " were likely its own" in " ".join(tokens[0].sentences)
    )


def test_a_token_that_left_the_window_and_was_refused_from_then_on() -> None:
    """Accepted until mid-January, refused from September on, in the cold meanwhile."""
    log = sample(12, 1, sign_ins=60, evenly=True, at="warehouse")
    log.rows = [
        replace(row, accepted=days < 15.0)
        for row in log.rows
        if not 15.0 <= (days := (row.server_s - START_S) / DAY_S) < 245.0
    ]
    token, said = told(log)
    leaves = token.leaves_window
    assert leaves is not None
    assert leaves.outside
    assert leaves.at_s is not None
    [last, first] = [row for row in token.placed if row.accepted][-1:] + [
        row for row in token.placed if not row.accepted
    ][:1]
    assert leaves.from_s == leaves.path[0].at_s == last.server_s
    assert (leaves.refused_s, leaves.refused_line) == (first.server_s, first.line)
    assert last.server_s < leaves.at_s < first.server_s
    # the window stays where the last accepted code left it, and the true clock leaves it then
    middle_s = (leaves.path[0].low_s + leaves.path[0].high_s) / 2.0
    assert abs(middle_s - (last.counter * 30 - last.server_s)) < 40.0
    assert leaves.path[-1].low_s == leaves.path[0].low_s
    truth_s = START_S
    while abs(log.offset_s(truth_s) - middle_s) < 45.0:
        truth_s += DAY_S
    assert abs(leaves.at_s - truth_s) < 15 * DAY_S
    assert f"It left the window (learned offset ±1) about {day(leaves.at_s)}; refused since" in said
    assert f"(line {first.line}). Resynchronise it by two consecutive codes." in said
    _, said = told(log, NEAR._replace(policy=TotpPolicy(resync_range_s=30.0)))
    assert "off by more than two consecutive codes would resynchronise" in said


def test_a_restless_clock_may_have_been_carried() -> None:
    token, _ = told(sample(8, 1, sign_ins=10))
    said = " ".join(of_token(structs.replace(token, wander_ppm=7.0)))
    assert "7 ppm in a year, as if it were carried between warm and cold places." in said


def test_a_display_that_stands_still() -> None:
    log = sample(11, 1)
    log.rows[20:] = [replace(row, code=log.rows[20].code, accepted=False) for row in log.rows[20:]]
    token, said = told(log)
    assert token.same_code is not None
    assert token.same_code.rows == 10
    assert token.same_code.until_s == log.rows[-1].server_s
    assert "One code came 10 times, 2026-" in said
    token, _ = told(sample(11, 1))
    assert token.same_code is None


def test_how_far_an_instant_may_be_off_is_said_in_units_of_its_size() -> None:
    when = Dated(START_S, START_S + 2 * 13_734.0, START_S + 13_734.0)
    assert instant(when) == "2026-01-01 03:48 (±3 h 49 min)"


def test_a_refused_code_that_is_accepted_at_the_next_attempt() -> None:
    log = sample(31, 1)
    later = [replace(row, server_s=row.server_s + 5.0) for row in log.rows]
    log.rows = [*(replace(row, accepted=False) for row in log.rows), *later]
    token, said = told(log)
    assert token.leaves_window is not None
    assert "refused" not in said
