"""Relying parties see through a key that was put back, and through a clone."""

from pathlib import Path
from typing import Any

import pytest

from tokenkit.keys import OpenKey, open_key
from tokenkit.verifier import Cloned
from tokenkit.virtual import OsEntropy, clone_state, restore_state, snapshot_state

Site = Any


def plug_in(file: Path) -> OpenKey:
    return open_key(f"virtual:?state={file}")


@pytest.fixture
def state(site: Site, tmp_path: Path) -> Path:
    """The file of a key that is registered."""
    file = tmp_path / "key.state"
    with open_key(f"virtual:reference?state={file}&seed=1") as key:
        site.register(key.security_key)
    return file


def test_the_key_that_goes_on_is_no_clone(site: Site, state: Path) -> None:
    for _ in range(3):
        with plug_in(state) as key:
            assert not site.sign_in(key.security_key).device.clone_suspected


def test_a_restored_key_is_refused(site: Site, state: Path, tmp_path: Path) -> None:
    snapshot_state(state, tmp_path / "snapshot")
    with plug_in(state) as key:
        site.sign_in(key.security_key)
    restore_state(tmp_path / "snapshot", state)
    with plug_in(state) as key, pytest.raises(Cloned):
        site.sign_in(key.security_key)


def test_a_snapshot_of_which_nobody_has_seen_more_signs_in(
    site: Site, state: Path, tmp_path: Path
) -> None:
    snapshot_state(state, tmp_path / "snapshot")
    restore_state(tmp_path / "snapshot", state)
    with plug_in(state) as key:
        site.sign_in(key.security_key)


def test_of_key_and_clone_the_second_is_refused(site: Site, state: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone.state"
    identity = clone_state(state, clone, OsEntropy())
    with plug_in(clone) as key:
        assert key.serial_number == identity.serial_number
        site.sign_in(key.security_key)
    with plug_in(state) as key:
        assert key.serial_number != identity.serial_number
        with pytest.raises(Cloned):
            site.sign_in(key.security_key)
