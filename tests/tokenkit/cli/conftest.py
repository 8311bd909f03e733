"""Operations on a key that stays plugged in from one command to the next."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fido2.hid
import pytest

from tokenkit import virtual
from tokenkit.cli import main
from tokenkit.keys import hid, open_key
from tokenkit.keys.pin import set_pin
from tokenkit.virtual import SecurityKey, World, plugged


@dataclass
class Desk:
    """A key at ``selector``, and ``tokenkit keys`` run on it."""

    world: World
    device: SecurityKey
    selector: str
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, *args: str, stdin: bytes = b"", **env: str) -> tuple[int, str, str]:
        """Exit status, output and errors; KEY in ``args`` is the selector, ``env`` is for once."""
        with self.monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
            with pytest.raises(SystemExit) as caught:
                main(["keys", *(self.selector if each == "KEY" else each for each in args)])
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(caught.value.code or 0), captured.out, captured.err

    def set_pin(self, pin: str = "1234") -> None:
        """And have it in the environment from now on."""
        with open_key(self.selector) as key:
            set_pin(key, pin)
        self.monkeypatch.setenv("TOKENKIT_PIN", pin)

    def open(self) -> Any:
        return open_key(self.selector)

    def looks_physical(self) -> None:
        """From now on the driver layer takes it for a real key."""
        self.monkeypatch.setattr(virtual, "plugged_key", lambda path: None)


@pytest.fixture
def make_desk(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    monkeypatch.setattr(fido2.hid, "list_descriptors", list)
    monkeypatch.setattr(hid, "locked_keys", list)
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("TOKENKIT_PIN", "TOKENKIT_NEW_PIN"):
        monkeypatch.delenv(name, raising=False)
    contexts = []

    def make(profile: str = "reference") -> Desk:
        world = World(seed=1)
        device = world.security_key(profile)
        contexts.append(plugged(device))
        [path] = contexts[-1].__enter__()
        return Desk(world, device, f"hid:{path}", capsys, monkeypatch)

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
