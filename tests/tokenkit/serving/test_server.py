"""Keys that are served: all or none, each its own, and what is free again afterwards."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.keys import parse_selector
from tokenkit.serving import CommandError, ServeError, Server, run_command, until_told
from tokenkit.serving.child import Signals
from tokenkit.virtual import inspect_state, snapshot_state

from .conftest import LoopPort


def serve(*selectors: str) -> list[str]:
    """Serve for a moment; the serial numbers."""

    async def whole() -> list[str]:
        async with Server([parse_selector(each) for each in selectors], "loop") as server:
            return [key.serial_number for key in server.keys]

    return asyncio.run(whole())


def test_keys_of_one_seed_are_several_keys(loop_port: LoopPort) -> None:
    twice = ["virtual:reference?seed=1"] * 2
    serials = serve(*twice, "virtual:reference?seed=2")
    assert len(set(serials)) == 3
    assert serve(*twice)[:2] == serials[:2]
    assert not loop_port.is_open


def test_one_that_cannot_be_plugged_in_pulls_the_others_out(
    loop_port: LoopPort, tmp_path: Path
) -> None:
    loop_port.refuses = True
    file = tmp_path / "my.key"
    with pytest.raises(ServeError, match="no room"):
        serve(f"virtual:reference?state={file}")
    assert not loop_port.is_open
    assert inspect_state(file).identity.profile == "reference"  # its file is free


def test_a_file_in_use_is_refused_and_nothing_is_served(
    loop_port: LoopPort, tmp_path: Path
) -> None:
    file = f"virtual:reference?state={tmp_path / 'my.key'}"
    with pytest.raises(TokenkitError, match="another key or program uses it"):
        serve(file, file)
    assert not loop_port.is_open
    assert loop_port.plugs == []


def test_a_copy_beside_its_original_is_refused(loop_port: LoopPort, tmp_path: Path) -> None:
    original, copy = tmp_path / "a.key", tmp_path / "b.key"
    serve(f"virtual:reference?state={original}")
    snapshot_state(original, copy)
    with pytest.raises(ServeError, match="is another key's here"):
        serve(f"virtual:?state={original}", f"virtual:?state={copy}")
    assert not loop_port.is_open
    assert serve(f"virtual:?state={copy}")


def test_a_trace_of_nothing_is_not_in_the_way(loop_port: LoopPort, tmp_path: Path) -> None:
    trace = tmp_path / "t.pcapng"

    async def whole() -> None:
        async with Server([parse_selector("virtual:reference")], "loop", trace):
            pass

    loop_port.refuses = True
    with pytest.raises(ServeError, match="no room"):
        asyncio.run(whole())
    assert not trace.exists()
    loop_port.refuses = False
    asyncio.run(whole())
    assert trace.exists()


def test_a_key_that_cannot_be_pulled_out_holds_nothing_else(
    loop_port: LoopPort, tmp_path: Path
) -> None:
    files = [tmp_path / "a.key", tmp_path / "b.key"]

    async def stuck() -> None:
        raise OSError("busy")

    async def whole() -> None:
        selectors = [parse_selector(f"virtual:reference?state={file}") for file in files]
        async with Server(selectors, "loop"):
            loop_port.plugs.pop(0).pull = stuck  # type: ignore[method-assign]

    with pytest.raises(OSError, match="busy"):
        asyncio.run(whole())
    assert not loop_port.is_open
    for file in files:
        assert inspect_state(file).identity.profile == "reference"


def test_an_unknown_port() -> None:
    with pytest.raises(ServeError, match="did you mean uhid"):
        Server([], "uhidd")
    with pytest.raises(ServeError, match="nothing may follow uhid"):
        Server([], "uhid:3")


def run(*command: str) -> int:
    async def whole() -> int:
        return await run_command(command, os.environ, Signals(lambda number: None))

    return asyncio.run(whole())


def test_a_commands_status() -> None:
    assert run(sys.executable, "-c", "raise SystemExit(3)") == 3
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(sys.executable, "-c", kill) == 128 + signal.SIGKILL


def test_a_command_that_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no such command") as error:
        run("no-such-command-here")
    assert error.value.status == 127
    with pytest.raises(CommandError, match="Permission denied") as error:
        run(str(tmp_path))
    assert error.value.status == 126


def test_sigterm_is_passed_on() -> None:
    told = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    assert run(sys.executable, "-c", told) == 128 + signal.SIGTERM


def test_until_told() -> None:
    async def whole() -> None:
        waiting = asyncio.create_task(until_told(Signals(lambda number: None)))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(waiting, 10)

    asyncio.run(whole())
