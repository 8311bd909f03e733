"""A service on a database that stays: time, tokens and root go on where they were."""

from contextlib import closing
from pathlib import Path

import pytest

from tokenkit.service.opening import opened_service
from tokenkit.service.policy_file import policies
from tokenkit.service.root_account import RootAccountError, prepare_root
from tokenkit.verifier import AccessDenied, Replayed, Verifier
from tokenkit.verifier.backup import backup, restore
from tokenkit.verifier.seed_file import read_seed_file
from tokenkit.verifier.store import Store, parse_url
from tokenkit.virtual import World, write_csv

KEY = bytes(32)
NONE = policies(None, "http://localhost:1")
YEAR_S = 365 * 86_400.0


def random_bytes(count: int) -> bytes:
    return bytes(range(count))


def test_time_goes_on_where_the_log_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path / 'mfa.db'}"
    with opened_service(url, KEY, NONE) as service:
        service.clock.advance(YEAR_S)
        last_s = service.clock.now()
        service.verifier.create_user("ann")
    with opened_service(url, KEY, NONE) as service:
        assert last_s <= service.clock.now() < last_s + 3600
    assert caplog.messages == []
    with opened_service(url, KEY, NONE, simulated=True, start_s=0.0) as service:
        assert service.clock.now() >= last_s
    [warning] = caplog.messages
    assert "where the database's log ends, not at 1970-01-01T00:00:00" in warning


def test_time_goes_on_where_the_log_was_latest(tmp_path: Path) -> None:
    """Which is not where it ends, if another process wrote to it by the computer's clock."""
    url = f"sqlite:///{tmp_path / 'mfa.db'}"
    with opened_service(url, KEY, NONE) as service:
        service.clock.advance(YEAR_S)
        latest_s = service.clock.now()
        service.verifier.create_user("ann")
    with Verifier(url, sealing_key=KEY) as verifier:
        verifier.create_user("ben")
    with opened_service(url, KEY, NONE) as service:
        assert service.clock.now() >= latest_s


def test_after_a_restore_time_goes_on_and_used_codes_stay_used(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path / 'mfa.db'}", tmp_path / "backup"
    with opened_service(url, KEY, NONE, tokens=1) as service:
        service.clock.advance(2 * YEAR_S)
        [token] = service.tokens.all()
        service.verifier.enable("root", token.serial_number, *token.two_codes())
        service.clock.advance(60)
        with closing(Store(parse_url(url))) as store:
            backup(store, path)
        service.clock.advance(60)
        code = token.code()
        service.verifier.sign_in("root", code)
        used_s = service.clock.now()
    url = f"sqlite:///{tmp_path / 'restored.db'}"
    with closing(Store(parse_url(url))) as store:
        restore(store, path)
    with opened_service(url, KEY, NONE) as service:
        assert used_s - 125 < service.clock.now() < used_s
        service.clock.set(used_s)
        with pytest.raises(Replayed):
            service.verifier.sign_in("root", code)


def test_a_simulated_clock_begins_where_it_is_told() -> None:
    with opened_service("sqlite://", None, NONE, simulated=True, start_s=1000.0) as service:
        assert service.clock.now() == 1000.0


def test_tokens_of_a_process_before_are_passed_over(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mfa.db'}"
    seeds = tmp_path / "seeds.csv"
    write_csv(World(seed=1).make_batch("SHELF", 3).tokens, seeds)
    for numbers in ([1, 2], [3, 4]):
        with opened_service(url, KEY, NONE, seeds=read_seed_file(seeds), tokens=2) as service:
            made = [token.serial_number for token in service.tokens.all()]
            assert made == [f"TKTEST{number:08}" for number in numbers]
            assert service.verifier.known_serial_numbers(["SHELF00000003"])


def test_a_token_whose_next_code_is_waited_for_moves_the_clock() -> None:
    with opened_service("sqlite://", None, NONE, tokens=1) as service:
        [token] = service.tokens.all()
        before_s = service.clock.now()
        codes = token.two_codes()
        assert 15 <= service.clock.now() - before_s <= 46
        device = service.verifier.enable("root", token.serial_number, *codes)
        assert device.user == "root"


def test_root_gets_a_password_and_a_key_once() -> None:
    with Verifier() as verifier:
        first = prepare_root(verifier, random_bytes)
        assert first.password is not None
        verifier.check_password("root", first.password)
        again = prepare_root(verifier, random_bytes)
        assert again.password is None
        assert again.access_key.secret == first.access_key.secret
        assert again.access_key.id == first.access_key.id


def test_what_is_given_becomes_roots() -> None:
    pair = ("AKIAROOTROOTROOTROOT", "secret")
    with Verifier() as verifier:
        prepare_root(verifier, random_bytes, password="first password")
        given = prepare_root(verifier, random_bytes, password="another one", access_key=pair)
        assert (given.access_key.id, given.access_key.secret) == pair
        verifier.check_password("root", "another one")
        with pytest.raises(AccessDenied):
            verifier.check_password("root", "first password")
        assert prepare_root(verifier, random_bytes, access_key=pair).access_key.id == pair[0]
        with pytest.raises(RootAccountError, match="another user or secret"):
            prepare_root(verifier, random_bytes, access_key=(pair[0], "other"))
