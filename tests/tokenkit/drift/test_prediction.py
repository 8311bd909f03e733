"""The window that a diagnosis tells is the verifier's own."""

import pytest

from tests.tokenkit.drift.fleet import DAY_S
from tokenkit.drift.diagnose import Options, diagnose
from tokenkit.drift.observations import Observation
from tokenkit.verifier import InvalidAuthenticationCode, TotpPolicy, Verifier
from tokenkit.verifier.seed_file import parse_seed_file
from tokenkit.virtual import World, csv_file, place

RATE = TotpPolicy(drift="rate")


def test_a_code_that_was_found_farther_out_after_a_refused_one() -> None:
    """Weekly for half a year, then six weeks in the cold: refused, and accepted with the next."""
    world = World(seed=4)
    token = world.token()
    verifier = Verifier(now=world.clock.now, totp=RATE)
    seeds = parse_seed_file(csv_file([token.spec]))
    [serial] = verifier.add_tokens(seeds)
    first, second = token.two_codes()
    world.clock.advance(5.0)
    verifier.enable("root", serial, first, second)
    rows = [Observation(1, serial, second, world.clock.now(), True)]

    def sign_in() -> bool:
        code = token.code()
        world.clock.advance(5.0)
        try:
            verifier.sign_in("root", code)
            accepted = True
        except InvalidAuthenticationCode:
            accepted = False
        rows.append(Observation(len(rows) + 1, serial, code, world.clock.now(), accepted))
        return accepted

    for _ in range(26):
        world.clock.advance(7 * DAY_S)
        assert sign_in()
    token.environment.move(world.clock.now(), place("warehouse"))
    world.clock.advance(60 * DAY_S)
    assert not sign_in()
    world.clock.advance(30.0)
    assert sign_in()

    [found] = diagnose(seeds, rows, Options(range_s=3600.0, policy=RATE)).tokens
    assert found.leaves_window is not None
    for ahead in found.leaves_window.path[:6]:
        [(low_s, high_s)] = verifier.windows(serial, [ahead.at_s])
        # half of a step and what an entry takes are added, for more than half of the codes
        width_s = high_s - low_s + RATE.entry_s + 30.0
        assert ahead.high_s - ahead.low_s == pytest.approx(width_s, abs=1.0)
