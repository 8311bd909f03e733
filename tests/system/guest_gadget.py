"""In the guest: keys as USB gadgets at the kernel's dummy_hcd, which is a controller and a host."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from guest import TOUCH_S, Loop, appeared, key_of, report, run, sign_in, start, use, vanished

from firmware_sim.port.gadget import GadgetPort

CONFIGFS = Path("/sys/kernel/config")
GADGETS = CONFIGFS / "usb_gadget"


def gadgets() -> list[str]:
    return sorted(each.name for each in GADGETS.iterdir())


async def serve_until_killed() -> None:
    port = GadgetPort()
    await port.open()
    print((await port.plug(key_of("reference", "GUEST-1"))).where, flush=True)
    await asyncio.Event().wait()


def refused(loop: Loop, port: GadgetPort) -> str:
    try:
        loop.run(port.plug(key_of("reference", "GUEST-3")))
    except OSError as error:
        return str(error)
    raise AssertionError("a controller took a second key")


def main() -> None:
    start("libcomposite", "usb_f_hid", "dummy_hcd num=2")
    if not GADGETS.is_dir():
        run("mount", "-t", "configfs", "none", str(CONFIGFS))
    loop = Loop()
    port = GadgetPort()
    loop.run(port.open())
    try:
        facts = plug_in_and_use(loop, port)
    finally:
        loop.run(port.close())
    report(**facts, killed_run=leave_and_clean_up(loop, port))


def plug_in_and_use(loop: Loop, port: GadgetPort) -> dict[str, Any]:
    first = key_of("reference", "GUEST-1")
    second = key_of("yubikey-5.7", "GUEST-2", touch_s=TOUCH_S)
    plug = loop.run(port.plug(first))
    loop.run(port.plug(second))
    facts: dict[str, Any] = {
        "reference": use(first, appeared(first)),
        "yubikey-5.7": use(second, appeared(second)),
    }
    assert facts["yubikey-5.7"]["keepalives"] > 0, "nobody was asked to touch it"
    no_more = refused(loop, port)
    assert "one takes one key" in no_more, no_more

    loop.run(plug.pull())
    vanished(first)
    loop.run(port.plug(first))
    sign_in(appeared(first))
    loop.run(port.close())
    vanished(first)
    vanished(second)
    assert gadgets() == []
    return facts | {"no_more": no_more}


def leave_and_clean_up(loop: Loop, port: GadgetPort) -> str:
    """Kill a program that has a key plugged in: the next one removes the gadget."""
    command = [sys.executable, __file__, "until-killed"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        where = killed.stdout.readline()
        assert "at dummy_udc" in where, where
        living = gadgets()
        loop.run(port.open())  # leaves alone what another program has
        assert gadgets() == living != []
        killed.kill()
    assert gadgets() == living
    loop.run(port.open())
    assert gadgets() == []
    assert not list(Path("/dev").glob("hidg*"))
    return where.strip()


if __name__ == "__main__":
    if sys.argv[1:] == ["until-killed"]:
        asyncio.run(serve_until_killed())
    else:
        main()
