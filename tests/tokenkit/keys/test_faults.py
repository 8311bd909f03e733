"""Virtual keys on which things go wrong, by selector and from Python."""

from pathlib import Path

import pytest

from tokenkit import virtual
from tokenkit.keys import (
    SelectorError,
    UnreadableKeyError,
    check_selector,
    open_key,
    ping,
    read_info,
)
from tokenkit.keys.errors import EchoError
from tokenkit.keys.pin import set_pin
from tokenkit.virtual import World

DROP = '[[fault]]\nkind = "drop"\ncommand = "{}"\nat = {}\n'


@pytest.fixture
def simulated_world() -> World:
    return World(seed=1)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(DROP.format("CBOR", 1))
    return path


def test_a_selector_names_a_plan(plan: Path, simulated_world: World) -> None:
    with open_key(f"virtual:reference?faults={plan}", world=simulated_world) as key:
        assert key.security_key is not None
        with pytest.raises(UnreadableKeyError, match="the key has nothing to send"):
            read_info(key)
        assert key.security_key.faults is not None
        assert key.security_key.faults.counts == {"drop": 1}
        ping(key)
        assert "FIDO_2_1" in read_info(key)["versions"]


def test_a_key_in_a_file_has_one_too(plan: Path, tmp_path: Path, simulated_world: World) -> None:
    file = tmp_path / "my.key"
    selector = f"virtual:reference?state={file}&faults={plan}"
    plan.write_text('[[fault]]\nkind = "power-cut"\nat = 1\n')
    with (
        open_key(selector, world=simulated_world) as key,
        pytest.raises(UnreadableKeyError, match="is unplugged"),
    ):
        set_pin(key, "1234")
    with open_key(f"virtual:?state={file}", world=simulated_world) as key:
        assert read_info(key)["options"]["clientPin"] is False


def test_a_key_that_does_not_even_open_sets_its_file_free(
    plan: Path, tmp_path: Path, simulated_world: World
) -> None:
    plan.write_text(DROP.format("INIT", 1))
    selector = f"virtual:reference?state={tmp_path / 'my.key'}"
    with pytest.raises(UnreadableKeyError, match="nothing to send"):
        open_key(f"{selector}&faults={plan}", world=simulated_world)
    open_key(selector, world=simulated_world).close()


@pytest.mark.parametrize("opening", [check_selector, open_key])
def test_a_plan_that_is_none(opening: object, plan: Path) -> None:
    plan.write_text('[[fault]]\nkind = "dorp"\n')
    with pytest.raises(SelectorError, match=r"plan\.toml: fault 1: .* did you mean drop"):
        opening(f"virtual:reference?faults={plan}")  # type: ignore[operator]
    with pytest.raises(SelectorError, match=r"nowhere\.toml: No such file"):
        opening("virtual:reference?faults=nowhere.toml")  # type: ignore[operator]


def test_a_world_makes_a_key_with_a_plan(simulated_world: World) -> None:
    plan = virtual.parse_plan("test", '[[fault]]\nkind = "drop"\ncommand = "INIT"\nat = 1\n')
    keys = [simulated_world.security_key(faults=plan) for _ in range(2)]
    for key in keys:  # each counts for itself
        with pytest.raises(OSError, match="nothing to send"):
            virtual.connect(key)
        assert key.faults is not None
        assert key.faults.counts == {"drop": 1}
        virtual.connect(key)


def test_a_message_that_comes_back_changed(plan: Path, simulated_world: World) -> None:
    plan.write_text('[[fault]]\nkind = "corrupt"\ncommand = "PING"\nbyte = 20\nat = 3\n')
    with (
        open_key(f"virtual:reference?faults={plan}", world=simulated_world) as key,
        pytest.raises(EchoError, match="message 2 of 57 bytes came back changed"),
    ):
        ping(key)
