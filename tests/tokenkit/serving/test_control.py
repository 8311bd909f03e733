"""The control API, over HTTP as a program uses it."""

import asyncio
import json
import socket
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tokenkit.serving import ControlClient, ControlError, ControlServer, ServeError
from tokenkit.virtual import inspect_state

from .conftest import Play, Scene

CBOR = 0x90
SELECTION = b"\x0b"
OK = bytes((CBOR, 0, 1, 0))


def raw(file: Path, path: str, **options: Any) -> tuple[int, Any]:
    """A request with urllib alone; status and JSON."""
    said = json.loads(file.read_text())
    headers = {"Authorization": f"Bearer {said['token']}"}
    request = urllib.request.Request(said["url"] + path, headers=headers, **options)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def exchange(file: Path, path: str, *headers: bytes) -> tuple[int, Any]:
    """A request of nothing but a head."""
    host, port = json.loads(file.read_text())["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = [f"POST {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *headers]
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])


def test_the_control_file_is_private_and_goes(play: Play, control_file: Path) -> None:
    async def scene(scene: Scene) -> None:
        assert stat.S_IMODE(control_file.stat().st_mode) == 0o600
        assert json.loads(control_file.read_text())["url"].startswith("http://127.0.0.1:")

    play(scene)
    assert not control_file.exists()


def test_without_the_token_everything_is_refused(play: Play, control_file: Path) -> None:
    async def scene(scene: Scene) -> None:
        for token in (b"", b"wrong", "é".encode()):
            for path in ("/keys", "/keys/-/touch", "/nowhere"):
                header = b"Authorization: Bearer " + token
                status, said = await asyncio.to_thread(exchange, control_file, path, header)
                assert (status, list(said)) == (401, ["error"])
        assert (await asyncio.to_thread(exchange, control_file, "/keys"))[0] == 401

    play(scene)


def test_list_and_one(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        keys = await scene.get("/keys")
        assert [key["profile"] for key in keys] == ["reference", "u2f-only"]
        assert keys[0] == {
            "serial_number": scene.server.keys[0].serial_number,
            "profile": "reference",
            "name": "tokenkit reference key",
            "where": "loop0",
            "powered": True,
            "awaits_touch": None,
            "touches_by_itself": False,
        }
        assert await scene.get(f"/keys/{keys[1]['serial_number']}") == keys[1]
        with pytest.raises(ControlError, match="several keys are served"):
            await scene.get("/keys/-")
        with pytest.raises(ControlError, match="no key with serial number 7 is served"):
            await scene.get("/keys/7")

    play(scene, "virtual:reference?seed=1", "virtual:u2f-only?seed=1")


@pytest.mark.parametrize(("action", "status"), [("tap", 0x00), ("refuse", 0x27)])
def test_touch_and_refuse(play: Play, action: str, status: int) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(CBOR, SELECTION)
        assert (await scene.get("/keys/-"))["awaits_touch"] == "select this key"
        said = await scene.post("/keys/-/touch", action=action)
        assert said["touched_to"] == "select this key"
        assert (await host.answer())[3] == status
        with pytest.raises(ControlError, match="waits for no touch"):
            await scene.post("/keys/-/touch", action=action)

    play(scene)


def test_a_touch_may_come_before_it_is_asked_for(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        [key] = scene.server.keys
        asked = asyncio.create_task(scene.post("/keys/-/touch", wait_s=10))
        while not key._asked._waiters:  # the order has arrived and waits
            await asyncio.sleep(0)
        host.send(CBOR, SELECTION)
        assert (await host.answer()).startswith(OK)
        assert (await asked)["touched_to"] == "select this key"

    play(scene)


def test_an_order_whose_client_has_left_touches_nothing(play: Play, control_file: Path) -> None:
    def give_up(file: Path) -> None:
        said = json.loads(file.read_text())
        host, port = said["url"].removeprefix("http://").split(":")
        body = b'{"wait_s": 60}'
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            head = f"POST /keys/-/touch HTTP/1.1\r\nAuthorization: Bearer {said['token']}\r\n"
            connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        [key] = scene.server.keys
        await asyncio.to_thread(give_up, control_file)
        while not key._asked._waiters:  # the order has arrived and waits
            await asyncio.sleep(0)
        while key._asked._waiters:  # until it is found that nobody does
            await asyncio.sleep(0)
        host.send(CBOR, SELECTION)
        assert (await scene.get("/keys/-"))["awaits_touch"]

    play(scene)


def test_two_hands_at_once_are_one_after_the_other(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [key] = scene.server.keys
        await key.unplug()
        await asyncio.gather(key.plug(), key.plug())
        assert len(scene.port.plugs) == 2
        await asyncio.gather(key.unplug(), key.plug(), key.unplug())
        assert key.where is None
        assert not any(plug.plugged for plug in scene.port.plugs)

    play(scene)


def test_a_key_that_vanished_is_plugged_in_again(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        await scene.port.plugs[0].pull()  # as at a power cut
        assert (await scene.get("/keys/-"))["where"] is None
        with pytest.raises(ControlError, match="is unplugged"):
            await scene.post("/keys/-/touch")
        with pytest.raises(ControlError, match="plug it in first"):
            await scene.post("/keys/-/power", on=True)
        assert (await scene.post("/keys/-/plug", **{"in": True}))["where"] == "loop1"

    play(scene)


def test_a_key_may_be_called_by_its_number_alone(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        key = scene.server.keys[0].serial_number
        number = str(int(key.removeprefix("VIRTUAL-")))
        assert (await scene.get(f"/keys/{number}"))["serial_number"] == key

    play(scene, "virtual:yubikey-5.4?seed=1", "virtual:yubikey-5.4?seed=2")


def test_another_file_is_not_taken_for_the_control_file(play: Play, control_file: Path) -> None:
    async def nothing(scene: Scene) -> None:
        return

    control_file.write_text("precious")
    with pytest.raises(ServeError, match="it is there already"):
        play(nothing)
    assert control_file.read_text() == "precious"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        control_file.write_text(json.dumps({"url": url, "token": "t"}))  # of one that was killed
        play(nothing)
    assert not control_file.exists()


def test_a_control_file_in_use_stays(play: Play, control_file: Path) -> None:
    async def scene(scene: Scene) -> None:
        second = ControlServer(scene.server, control_file)
        with pytest.raises(ServeError, match="it is there already"):
            await asyncio.to_thread(asyncio.run, begin(second))
        assert (await scene.get("/keys/-"))["powered"]

    async def begin(second: ControlServer) -> None:
        second.start()

    play(scene)


def test_the_key_gives_up_and_a_late_touch_is_told(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(CBOR, SELECTION)
        host.send(0x91, b"")  # cancel
        assert (await host.answer())[3] == 0x2D
        with pytest.raises(ControlError, match="waits for no touch"):
            await scene.post("/keys/-/touch")

    play(scene)


def test_by_itself_and_on_order_again(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(CBOR, SELECTION)
        await scene.post("/keys/-/touch", action="at-once")
        assert (await host.answer()).startswith(OK)
        host.send(CBOR, SELECTION)
        assert (await host.answer()).startswith(OK)
        said = await scene.post("/keys/-/touch", action="ask")
        assert not said["touches_by_itself"]
        host.send(CBOR, SELECTION)
        assert (await scene.get("/keys/-"))["awaits_touch"]

    play(scene)


def test_a_finger_has_a_name_and_a_placement(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(CBOR, SELECTION)
        touch = scene.server.keys[0].finger._asked
        order = {"finger": "left thumb", "placement": "too-fast", "held_s": 2.0}
        await scene.post("/keys/-/touch", **order)
        assert touch is not None
        press = touch[1].press
        assert (press.finger, press.placement.name, press.held_s) == ("left thumb", "TOO_FAST", 2.0)

    play(scene)


@pytest.mark.parametrize(
    ("path", "order", "message"),
    [
        ("touch", {"action": "dance"}, "action is tap, refuse"),
        ("touch", {"placement": "upside-down"}, "placement is one of good, too-high"),
        ("touch", {"held_s": -1}, "held_s is from 0"),
        ("touch", {"wait_s": 1e9}, "wait_s is from 0"),
        ("touch", {"fingr": "x"}, "unknown field `fingr`"),
        ("power", {}, "missing required field `on`"),
        ("plug", {"in": "yes"}, "Expected `bool`"),
        ("snapshot", {"file": "/a\0b"}, "null"),
        ("snapshot", {"file": "here.key"}, "absolute path"),
        ("dance", {}, "there is no POST"),
    ],
)
def test_wrong_orders(play: Play, path: str, order: dict[str, Any], message: str) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(CBOR, SELECTION)
        with pytest.raises(ControlError, match=message):
            await scene.post(f"/keys/-/{path}", **order)
        assert (await scene.get("/keys/-"))["awaits_touch"]

    play(scene)


def test_bodies_that_are_no_orders(play: Play, control_file: Path) -> None:
    async def scene(scene: Scene) -> None:
        for body in (b"", b"{", b"[]", b"\xff", b"null"):
            status, said = await asyncio.to_thread(raw, control_file, "/keys/-/power", data=body)
            assert (status, list(said)) == (400, ["error"])
        token = f"Authorization: Bearer {json.loads(control_file.read_text())['token']}".encode()
        for size in (b"2000000", b"-1", b"many"):
            sized = token, b"Content-Length: " + size
            status, _ = await asyncio.to_thread(exchange, control_file, "/keys/-/power", *sized)
            assert status == 413

    play(scene)


def test_power_off_and_on_behind_a_plug_that_stays(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        assert not (await scene.post("/keys/-/power", on=False))["powered"]
        host.send(0x81, b"hello")
        assert host.inbox.empty()
        assert (await scene.post("/keys/-/power", on=True))["powered"]
        await host.init()
        host.send(0x81, b"hello")
        assert (await host.answer())[3:8] == b"hello"

    play(scene)


def test_unplug_and_plug(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        await scene.port.plugs[0].init()
        for _ in range(2):
            said = await scene.post("/keys/-/plug", **{"in": False})
            assert (said["where"], said["powered"]) == (None, False)
        with pytest.raises(ControlError, match="plug it in first"):
            await scene.post("/keys/-/power", on=True)
        for _ in range(2):
            assert (await scene.post("/keys/-/plug", **{"in": True}))["where"] == "loop1"
        await scene.port.plugs[1].init()
        serial = scene.server.keys[0].serial_number
        assert (await scene.get("/metrics"))[serial]["from_host"] == 2

    play(scene)


def test_a_port_that_has_no_room_is_told(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        await scene.post("/keys/-/plug", **{"in": False})
        scene.port.refuses = True
        with pytest.raises(ControlError, match="no room"):
            await scene.post("/keys/-/plug", **{"in": True})
        scene.port.refuses = False
        assert (await scene.post("/keys/-/plug", **{"in": True}))["powered"]

    play(scene)


def test_snapshot(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "copy.key"

    async def scene(scene: Scene) -> None:
        await scene.post("/keys/-/snapshot", file=str(file))
        assert inspect_state(file).identity.serial_number == scene.server.keys[0].serial_number
        with pytest.raises(ControlError, match=r"copy\.key is there already"):
            await scene.post("/keys/-/snapshot", file=str(file))
        await scene.post("/keys/-/snapshot", file=str(file), overwrite=True)
        with pytest.raises(ControlError, match="No such file"):
            await scene.post("/keys/-/snapshot", file=str(tmp_path / "no/copy.key"))

    play(scene)


def test_a_snapshot_over_the_file_of_the_key_itself_is_refused(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "my.key"

    async def scene(scene: Scene) -> None:
        with pytest.raises(ControlError, match="another key or program uses it"):
            await scene.post("/keys/-/snapshot", file=str(file), overwrite=True)

    play(scene, f"virtual:reference?state={file}")
    assert inspect_state(file).identity.profile == "reference"


def test_faults_come_and_go(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        plan = '[[fault]]\nkind = "drop"\ncommand = "PING"\n'
        await scene.post("/keys/-/faults", plan=plan)
        host.send(0x81, b"hello")
        assert host.inbox.empty()
        serial = scene.server.keys[0].serial_number
        assert (await scene.get("/metrics"))[serial]["faults"] == {"drop": 1}
        for wrong in ("kind =", '[[fault]]\nkind = "drip"\n'):
            with pytest.raises(ControlError, match="sent"):
                await scene.post("/keys/-/faults", plan=wrong)
        await scene.post("/keys/-/faults", plan=None)
        host.send(0x81, b"hello")
        assert (await host.answer())[3:8] == b"hello"
        assert (await scene.get("/metrics"))[serial]["faults"] == {}

    play(scene)


def test_metrics(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        [host] = scene.port.plugs
        await host.init()
        host.send(0x88, b"")
        host.send(CBOR, SELECTION)
        assert (await host.answer())[0] == 0x88
        assert (await host.answer()).startswith(OK)
        counted = (await scene.get("/metrics"))[scene.server.keys[0].serial_number]
        assert counted["from_host"] == 3
        assert (counted["winks"], counted["touches_asked"]) == (1, 1)

    play(scene, by_itself=True)


def test_a_client_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "x.control"
    with pytest.raises(ControlError, match="No such file"):
        ControlClient(file)
    file.write_text("{}")
    with pytest.raises(ControlError, match="it is no control file"):
        ControlClient(file)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        file.write_text(json.dumps({"url": url, "token": "t"}))
        with pytest.raises(ControlError, match="is it still served"):
            ControlClient(file).get("/keys")
