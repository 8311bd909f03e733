"""The windows of a chart are those by which codes are accepted."""

from typing import Any

import pytest

from tokenkit.verifier import NoSuchEntity, TotpPolicy, Verifier
from tokenkit.verifier.seed_file import parse_seed_file
from tokenkit.virtual import World, csv_file

DAY_S = 86_400.0


@pytest.fixture(params=["offset", "rate"])
def bench(request: pytest.FixtureRequest) -> Any:
    """A token that is not used any more, and its verifier."""
    world = World(seed=1)
    verifier = Verifier(now=world.clock.now, totp=TotpPolicy(drift=request.param))
    token = world.token(place="warehouse", grade="50ppm")
    verifier.add_tokens(parse_seed_file(csv_file([token.spec])))
    verifier.enable("root", token.serial_number, *token.two_codes())
    return world, verifier, token


def test_windows_foretell_what_a_device_says_when_the_time_comes(bench: Any) -> None:
    world, verifier, token = bench
    serial_number = token.serial_number
    start_s = world.clock.now()
    times = [start_s + n * DAY_S for n in range(1, 40)]
    windows = verifier.windows(serial_number, times)
    for at_s, (low_s, high_s) in zip(times, windows, strict=True):
        world.clock.set(at_s)
        [device] = verifier.devices("root")
        assert device.window_s == pytest.approx((low_s, high_s))


def test_none_before_the_first_code(bench: Any) -> None:
    world, verifier, _ = bench
    app = verifier.create_authenticator_app("phone")
    assert verifier.windows(app.serial_number, [world.clock.now()]) == []
    with pytest.raises(NoSuchEntity):
        verifier.windows("TKTEST99999999", [])
