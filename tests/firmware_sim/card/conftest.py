"""A host's end of a card: command APDUs in bytes, on a simulated clock."""

import math

import pytest
from fido2.ctap import CtapDevice, CtapError
from fido2.hid import CAPABILITY

from firmware_sim.card.fido import FidoApplet
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy


class CardHost:
    """Sends commands to a key that lies on a reader, and waits for the answers."""

    def __init__(self, key):
        self.key = key
        key.power_on(as_card=True)

    def exchange(self, command):
        """One command and its answer, as they are on the wire."""
        key = self.key
        key.transmit(command)
        while not key.card.responses:
            assert key.card.wake_s() < math.inf, "the card will never answer"
            key.clock.wait_until(key.card.wake_s())
            key.poll()
        response = key.card.responses.popleft()
        assert not key.card.responses
        return response[:-2], int.from_bytes(response[-2:], "big")

    def send(self, ins, p1=0, p2=0, data=b"", cla=0, extended=False, more=0xC0, part=255):
        """A command with all its data, in parts if it is long, and the whole answer."""
        if extended:
            head = bytes((cla, ins, p1, p2, 0)) + len(data).to_bytes(2, "big")
            return self.exchange(head + data if data else head)
        while len(data) > part:
            head = bytes((cla | 0x10, ins, p1, p2, part))
            answer, status = self.exchange(head + data[:part])
            if (answer, status) != (b"", 0x9000):
                return answer, status
            data = data[part:]
        body = bytes((len(data),)) + data if data else b""
        answer, status = self.exchange(bytes((cla, ins, p1, p2)) + body + b"\0")
        while status >> 8 == 0x61:
            rest, status = self.exchange(bytes((0, more, 0, 0, status & 0xFF)))
            answer += rest
        return answer, status

    def select(self, aid):
        return self.send(0xA4, 4, 0, aid)


class NfcDevice(CtapDevice):
    """python-fido2's device over a card, as its CtapPcscDevice does it."""

    def __init__(self, host, extended=False, polls=True):
        self.host, self.extended, self.polls = host, extended, polls
        self.keepalives = []
        self.selected = host.select(FidoApplet.aid)[0]

    @property
    def capabilities(self):
        return CAPABILITY.CBOR

    def call(self, cmd, data=b"", event=None, on_keepalive=None):
        send = self.host.send
        answer, status = send(0x10, 0x80 * self.polls, 0, data, 0x80, self.extended)
        while status == 0x9100:
            self.keepalives.append(answer)
            if event is not None and event.is_set():
                answer, status = send(0x11, 0x11, cla=0x80)
                continue
            self.host.key.clock.advance(0.1)
            answer, status = send(0x11, cla=0x80)
        if status != 0x9000:
            raise CtapError(CtapError.ERR.OTHER)
        return answer

    def close(self):
        pass

    @classmethod
    def list_devices(cls):
        return iter(())


@pytest.fixture
def make_host():
    def make(profile="reference", seed=1, **options):
        return CardHost(
            SecurityKey(
                load_profile(profile) if isinstance(profile, str) else profile,
                clock=SimulatedClock(),
                entropy=SeededEntropy(seed),
                **options,
            )
        )

    return make


@pytest.fixture
def host(make_host):
    return make_host()


@pytest.fixture
def device(host):
    return NfcDevice(host)


@pytest.fixture
def make_device(make_host):
    def make(*args, extended=False, polls=True, **options):
        return NfcDevice(make_host(*args, **options), extended, polls)

    return make
