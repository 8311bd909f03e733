"""The USB/IP server over loopback: a client that speaks the protocol, as vhci-hcd does."""

import asyncio
import logging
import socket
import struct
import threading

import pytest
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link import usb
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.port.usbip import UsbIpPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import Touch
from firmware_sim.world.flash import MemoryFlash, PowerCutError

BUSY, NO_DEVICE = 2, 4
EPIPE, EOVERFLOW, ECONNRESET = -32, -75, -104
DEVICE_LIST = bytes.fromhex("0111800500000000")
IMPORT = bytes.fromhex("0111800300000000")
INIT = b"\xff\xff\xff\xff\x86\0\x08" + bytes(range(8)) + bytes(49)


def make_key(profile="reference", **options):
    return SecurityKey(
        load_profile(profile), clock=SystemClock(), entropy=SeededEntropy(1), **options
    )


class Server:
    """The port on a loop in a thread of its own, as keys and ports want it."""

    def __init__(self):
        self.errors = []  # what nobody caught
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.port = UsbIpPort(port=0)
        self.run(self.port.open())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def plug(self, key=None, tap=None):
        return self.run(self.port.plug(key or make_key(), tap))

    def connect(self):
        return Client(self.port.port)

    def attach(self, number=1):
        """Attach as soon as whoever had the key is seen to be gone."""
        while True:
            client = self.connect()
            if client.attach(number) == 0:
                return client
            client.close()

    def listed(self):
        with self.connect() as client:
            return client.list()

    def close(self):
        self.run(self.port.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        assert self.errors == []


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seqnum = 0
        self.devid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def ended(self):
        """Whether the server closes the connection; it sends nothing more before."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def list(self):
        """Bus ids and product ids of the devices that may be imported."""
        self.send(DEVICE_LIST)
        assert self.receive(8) == bytes.fromhex("0111000500000000")
        found = {}
        for _ in range(int.from_bytes(self.receive(4), "big")):
            device = self.receive(312 + 4)
            found[device[256:288].rstrip(b"\0").decode()] = int.from_bytes(device[302:304], "big")
        assert self.ended()
        return found

    def attach(self, number=1):
        """The status of an import."""
        self.send(IMPORT + f"1-{number}".encode().ljust(32, b"\0"))
        head = self.receive(8)
        assert head[:4] == bytes.fromhex("01110003")
        status = int.from_bytes(head[4:], "big")
        if status == 0:
            device = self.receive(312)
            assert device[256:288].rstrip(b"\0").decode() == f"1-{number}"
            self.devid = 1 << 16 | number
        return status

    def submit(self, endpoint, *, to_host=False, data=b"", length=0, setup=bytes(8)):
        """Send a transfer; its sequence number."""
        self.seqnum += 1
        head = (1, self.seqnum, self.devid, to_host, endpoint, 0, length or len(data), 0, 0, 4)
        self.send(struct.pack(">10I8s", *head, setup) + data)
        return self.seqnum

    def unlink(self, target):
        self.seqnum += 1
        self.send(struct.pack(">6I24x", 2, self.seqnum, self.devid, 0, 0, target))
        return self.seqnum

    def answer(self, *, to_host=False):
        """The next answer: (command, sequence number, status, data or length)."""
        header = self.receive(48)
        command, seqnum, devid, direction, endpoint, status, length = struct.unpack_from(
            ">5IiI", header
        )
        assert devid == direction == endpoint == 0
        return command, seqnum, status, self.receive(length) if to_host else length

    def control(self, setup, data=b""):
        """(status, data) of a control transfer."""
        to_host = bool(setup[0] & 0x80)
        length = int.from_bytes(setup[6:], "little")
        seqnum = self.submit(
            0, to_host=to_host, data=data, length=length if to_host else 0, setup=setup
        )
        command, answered, status, found = self.answer(to_host=to_host)
        assert (command, answered) == (3, seqnum)
        return status, found

    def write(self, report):
        """An OUT report; nothing else may be under way."""
        seqnum = self.submit(1, data=report)
        assert self.answer() == (3, seqnum, 0, len(report))

    def read(self):
        """The next IN report."""
        seqnum = self.submit(1, to_host=True, length=64)
        command, answered, status, report = self.answer(to_host=True)
        assert (command, answered, status) == (3, seqnum, 0)
        return report

    def init(self):
        """A channel."""
        self.write(INIT)
        report = self.read()
        assert report[:15] == b"\xff\xff\xff\xff\x86\0\x11" + bytes(range(8))
        return report[15:19]


class UrbConnection(CtapHidConnection):
    """python-fido2 over transfers."""

    def __init__(self, client):
        self.client = client

    def write_packet(self, data):
        self.client.write(data)

    def read_packet(self):
        return self.client.read()

    def close(self):
        self.client.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def long_lived():
    server = Server()
    server.plug()
    yield server
    server.close()


def test_keys_are_listed_by_bus_id(server):
    assert server.listed() == {}
    plugs = [server.plug(), server.plug(make_key("yubikey-5.7"))]
    assert server.listed() == {"1-1": 0x0001, "1-2": 0x0407}
    assert [plug.where for plug in plugs] == [
        f"usbip://127.0.0.1:{server.port.port}/1-1",
        f"usbip://127.0.0.1:{server.port.port}/1-2",
    ]


def test_enumeration_as_a_kernel_does_it(server):
    key = make_key()
    server.plug(key)
    identity = UsbIdentity.of(key.profile, key.serial_number)
    with server.attach() as client:
        for setup, answer in (
            ("8006000100004000", identity.device_descriptor),
            ("8006000200000900", usb.CONFIGURATION_DESCRIPTOR[:9]),
            ("8006000200002900", usb.CONFIGURATION_DESCRIPTOR),
            ("800600030000ff00", identity.string_descriptor(0)),
            ("800602030904ff00", identity.string_descriptor(2)),
            ("8106002200002200", REPORT_DESCRIPTOR),
        ):
            assert client.control(bytes.fromhex(setup)) == (0, answer)
        assert client.control(bytes.fromhex("0009010000000000")) == (0, 0)
        assert client.control(bytes.fromhex("210a000000000000")) == (0, 0)
        assert client.control(bytes.fromhex("8006000f00000500")) == (EPIPE, b"")  # BOS


def test_init_and_ping(server):
    tapped = []
    plug = server.plug(tap=lambda from_host, report: tapped.append((from_host, report)))
    with server.attach() as client:
        channel = client.init()
        client.write((channel + b"\x81\0\x05hello").ljust(64, b"\0"))
        assert client.read() == (channel + b"\x81\0\x05hello").ljust(64, b"\0")
    assert plug.counts == {"in": 2, "out": 2}
    assert [from_host for from_host, _ in tapped] == [True, False, True, False]


def test_python_fido2_makes_a_credential(server):
    server.plug()
    descriptor = HidDescriptor("usbip", 0x1209, 1, 64, 64, None, None)
    with server.attach() as client:
        ctap = Ctap2(CtapHidDevice(descriptor, UrbConnection(client)))
        made = ctap.make_credential(
            bytes(32),
            {"id": "example.com"},
            {"id": b"user"},
            [{"type": "public-key", "alg": -7}],
        )
        credential = made.auth_data.credential_data
        allowed = [{"type": "public-key", "id": credential.credential_id}]
        assertion = ctap.get_assertion("example.com", bytes(32), allowed)
        assertion.verify(bytes(32), credential.public_key)


def test_a_transfer_waits_for_its_report(server):
    touch = Touch()

    class Later:
        def requested(self, reason, now_s):
            return touch

    key = make_key(finger=Later())
    plug = server.plug(key)

    async def press():
        touch.true_s = key.clock.now()
        plug.poke()

    with server.attach() as client:
        channel = client.init()
        client.write((channel + b"\x90\0\x01\x0b").ljust(64, b"\0"))  # selection
        assert client.read()[4] == 0xBB  # keep-alive
        server.run(press())
        while (report := client.read())[4] == 0xBB:
            pass
        assert report[4:8] == b"\x90\0\x01\0"


def test_reports_that_nobody_waits_for_are_kept_in_order(server):
    server.plug()
    with server.attach() as client:
        channel = client.init()
        for number in range(3):
            client.write((channel + b"\x81\0\x01" + bytes((number,))).ljust(64, b"\0"))
        assert [client.read()[7] for _ in range(3)] == [0, 1, 2]


def test_unlink(server):
    server.plug()
    with server.attach() as client:
        waiting = client.submit(1, to_host=True, length=64)
        unlink = client.unlink(waiting)
        assert client.answer() == (4, unlink, ECONNRESET, 0)
        again = client.unlink(waiting)  # gone already
        assert client.answer() == (4, again, 0, 0)
        client.init()  # the report goes to a transfer that is wanted


def test_odd_transfers(server, caplog):
    server.plug()
    with server.attach() as client:
        assert client.submit(2, to_host=True, length=64)
        assert client.answer(to_host=True)[2:] == (EPIPE, b"")  # no such endpoint
        client.write(INIT)
        client.submit(1, to_host=True, length=32)
        assert client.answer(to_host=True)[2] == EOVERFLOW
        client.write(b"short")
        client.write(b"")
        client.write(INIT + INIT)  # two packets
        assert client.read() != client.read()
    assert "dropped a report of 5 bytes" in caplog.text


def test_a_report_by_endpoint_0(server):
    server.plug()
    with server.attach() as client:
        assert client.control(bytes.fromhex("2109000200004000"), INIT) == (0, 64)
        assert client.read()[4] == 0x86


def test_a_key_has_one_client_at_a_time(server, caplog):
    server.plug()
    server.plug()
    with server.attach(1) as first, server.connect() as second, server.connect() as third:
        assert second.attach(1) == BUSY
        assert second.ended()
        assert third.attach(2) == 0
        assert first.init()
        assert third.init()
    assert "wants 1-1, which another client has" in caplog.text
    with server.attach(1) as client:
        assert client.init()


def test_no_such_key(server, caplog):
    with server.connect() as client:
        assert client.attach(9) == NO_DEVICE
        assert client.ended()
    assert "wants '1-9', which is not there" in caplog.text


def test_pulled_out_while_attached_and_plugged_in_again(server):
    key = make_key()
    plug = server.plug(key)
    with server.attach() as client:
        client.submit(1, to_host=True, length=64)
        server.run(plug.pull())
        server.run(plug.pull())
        assert client.ended()
    assert not key.powered
    assert server.listed() == {}
    assert server.plug(key).where.endswith("/1-1")
    with server.attach() as client:
        assert client.init()


def test_to_the_key_attaching_is_plugging_in(server):
    key = make_key()
    server.plug(key)
    with server.attach() as client:
        channel = client.init()
    with server.attach() as client:
        client.write((channel + b"\x81\0\x05hello").ljust(64, b"\0"))
        assert client.read()[4] == 0xBF  # an error: it knows the channel no more


def test_a_power_cut_takes_the_key_away(server):
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes):
            if self.cut:
                raise PowerCutError
            super().write(changes)

    flash = Cut()
    key = make_key(flash=flash)
    server.plug(key)
    with server.attach() as client:
        channel = client.init()
        flash.cut = True
        client.submit(1, data=(channel + b"\x90\0\x01\x07").ljust(64, b"\0"))  # reset writes
        assert client.answer()[2] == 0
        assert client.ended()
    assert server.listed() == {}


def test_a_client_that_vanishes_lets_go_of_its_key(server, caplog):
    server.plug()
    client = server.attach()
    client.send(struct.pack(">10I8s", 1, 9, client.devid, 0, 1, 0, 64, 0, 0, 4, bytes(8)) + b"half")
    client.close()
    with server.attach() as client:
        assert client.init()
    assert "went away in the middle of a message" in caplog.text


def test_a_client_that_resets_the_connection(server):
    server.plug()
    client = server.attach()
    client.init()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with server.attach() as client:
        assert client.init()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "USB/IP version 0x4745"),
        (bytes.fromhex("0106800500000000"), "USB/IP version 0x0106"),
        (bytes.fromhex("0111800900000000"), "unknown request 0x8009"),
    ],
)
def test_a_request_that_is_none_is_logged_and_ends_its_connection(server, caplog, data, why):
    with server.connect() as client:
        client.send(data)
        assert client.ended()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert why in record.getMessage()
    assert server.listed() == {}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((7, 1, 0x10001, 0, 1, 0, 64, 0, 0, 4, 0, 0), "unknown command 0x00000007"),
        ((1, 1, 0x10001, 0, 1, 0, 0x7FFFFFFF, 0, 0, 4, 0, 0), "a transfer of 2147483647 bytes"),
        ((1, 1, 0x10002, 1, 1, 0, 64, 0, 0, 4, 0, 0), "device 0x10002, not 0x10001"),
        ((1, 1, 0x10001, 1, 1, 0, 64, 0, 8, 4, 0, 0), "isochronous"),
    ],
)
def test_a_command_that_is_none_is_logged_and_ends_its_connection(server, caplog, words, why):
    server.plug()
    with server.attach() as client:
        client.send(struct.pack(">12I", *words))
        assert client.ended()
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert why in record.getMessage()
    with server.attach() as client:
        assert client.init()


def test_too_many_transfers_that_wait(server, caplog):
    server.plug()
    with server.attach() as client:
        for _ in range(1025):
            client.submit(1, to_host=True, length=64)
        assert client.ended()
        assert "1024 transfers that wait already" in caplog.text


def test_a_client_that_does_not_read_is_in_nobody_s_way(server):
    plug = server.plug()
    setup = bytes.fromhex("8006000100001200")
    with server.attach() as client:
        for _ in range(5000):
            client.submit(0, to_host=True, length=18, setup=setup)
        assert server.listed()
        server.run(plug.pull())
        with pytest.raises((EOFError, ConnectionError)):
            client.receive(5001 * (48 + 18))


def test_a_transfer_twice(server, caplog):
    server.plug()
    with server.attach() as client:
        client.submit(1, to_host=True, length=64)
        client.seqnum -= 1
        client.submit(1, to_host=True, length=64)
        assert client.ended()
    assert "transfer 1 twice" in caplog.text


def test_closed_it_is_gone_for_all(server):
    key = make_key()
    server.plug(key)
    with server.attach() as client, server.connect() as idle:
        assert server.listed()  # so the idle client has been accepted
        server.run(server.port.close())
        assert client.ended()
        assert idle.ended()
    assert not key.powered
    with pytest.raises(ConnectionError):
        server.connect()


def test_a_port_that_is_taken_or_none(server):
    port = server.port.port
    with pytest.raises(OSError, match=f"port {port}: .*choose another port, or stop what listens"):
        server.run(UsbIpPort(port=port).open())
    with pytest.raises(OSError, match=r"port 70000: .*choose another port"):
        server.run(UsbIpPort(port=70000).open())
    with pytest.raises(OSError, match="is not open"):
        server.run(UsbIpPort().plug(make_key()))


def test_a_bus_is_full_at_127_devices(server):
    key = make_key()
    for _ in range(127):
        server.plug(key)
    assert len(server.listed()) == 127
    with pytest.raises(OSError, match="takes 127 devices"):
        server.plug(key)


words = st.sampled_from([0, 1, 2, 3, 64, 0x10001, 0x10002, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
submits = st.builds(
    lambda seqnum, to_host, endpoint, setup, data: (
        struct.pack(
            ">10I8s", 1, seqnum, 0x10001, to_host, endpoint, 0, len(data), 0, 0, 4, bytes(setup)
        )
        + (b"" if to_host else data)
    ),
    st.integers(0, 5),
    st.integers(0, 1),
    st.integers(0, 2),
    st.binary(min_size=8, max_size=8),
    st.just(INIT) | st.binary(max_size=130),
)
pieces = st.one_of(
    submits,
    submits,
    st.builds(
        lambda seqnum, target: struct.pack(">6I24x", 2, seqnum, 0x10001, 0, 0, target),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    st.lists(words, min_size=12, max_size=12).map(lambda each: struct.pack(">12I", *each)),
    st.binary(max_size=80),
)
beginnings = st.sampled_from([b"", DEVICE_LIST, *[IMPORT + b"1-1".ljust(32, b"\0")] * 4])


@given(beginnings, st.lists(pieces, max_size=8), st.booleans())
def test_whatever_comes_it_keeps_serving(long_lived, beginning, pieces, at_once):
    with long_lived.connect() as client:
        try:
            client.send(beginning + b"".join(pieces))
            if not at_once:
                client.socket.shutdown(socket.SHUT_WR)
                while client.socket.recv(4096):
                    pass
        except ConnectionError:
            pass
    with long_lived.attach() as client:
        assert client.init()
