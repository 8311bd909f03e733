"""In the guest: keys by USB/IP, attached by the real usbip to the kernel's vhci-hcd."""

from typing import Any

from guest import TOUCH_S, Loop, appeared, key_of, report, run, sign_in, start, use, vanished

from firmware_sim.port.usbip import UsbIpPort


def attach(busid: str, status: int = 0) -> str:
    return run("usbip", "attach", "-r", "127.0.0.1", "-b", busid, status=status)


def main() -> None:
    start("vhci-hcd")
    loop = Loop()
    port = UsbIpPort()
    loop.run(port.open())
    try:
        report(**attach_and_use(loop, port))
    finally:  # or this process could not end: the kernel would wait for answers from it
        loop.run(port.close())


def attach_and_use(loop: Loop, port: UsbIpPort) -> dict[str, Any]:
    first = key_of("reference", "GUEST-1")
    second = key_of("yubikey-5.7", "GUEST-2", touch_s=TOUCH_S)
    plug = loop.run(port.plug(first))
    loop.run(port.plug(second))

    listed = run("usbip", "list", "-r", "127.0.0.1")
    assert "1-1: " in listed, listed
    assert "(1050:0407)" in listed, listed
    attach("1-1")
    path = appeared(first)
    busy = attach("1-1", status=1)
    assert "busy" in busy, busy
    missing = attach("1-9", status=1)
    assert "not found" in missing, missing
    attach("1-2")
    facts: dict[str, Any] = {
        "reference": use(first, path),
        "yubikey-5.7": use(second, appeared(second)),
    }
    assert facts["yubikey-5.7"]["keepalives"] > 0, "nobody was asked to touch it"
    ports = run("usbip", "port")
    assert ports.count("<Port in Use> at Full Speed") == 2, ports

    loop.run(plug.pull())
    vanished(first)
    assert "1-1: " not in run("usbip", "list", "-r", "127.0.0.1")
    loop.run(port.plug(first))
    attach("1-1")
    sign_in(appeared(first))

    for number in range(2):
        run("usbip", "detach", "-p", str(number))
    vanished(first)
    vanished(second)
    attach("1-2")
    sign_in(appeared(second))
    loop.run(port.close())
    vanished(second)
    return facts | {"busy": busy.strip(), "missing": missing.strip()}


if __name__ == "__main__":
    main()
