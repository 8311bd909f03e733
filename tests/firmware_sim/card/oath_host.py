"""What a host says to the OATH application, as yubikit says it."""

import hashlib
import hmac

from firmware_sim.card.oath import OathApplet
from firmware_sim.card.tlv import tlv

HOTP, TOTP = 0x10, 0x20
SHA1, SHA256, SHA512 = 1, 2, 3
KEY = b"12345678901234567890"  # of RFC 4226 Appendix D


def members(data):
    """Tags and values, in order."""
    found = []
    while data:
        length, start = data[1], 2
        if length & 0x80:
            start = 2 + (length & 0x0F)
            length = int.from_bytes(data[2:start], "big")
        found.append((data[0], data[start : start + length]))
        assert len(data) >= start + length
        data = data[start + length :]
    return found


class OathHost:
    """Commands by name; each returns data and status word."""

    def __init__(self, host):
        self.host = host
        self.select()

    def select(self):
        answer, status = self.host.select(OathApplet.aid)
        assert status == 0x9000
        found = dict(members(answer))
        self.version, self.salt = tuple(found[0x79]), found[0x71]
        self.challenge = found.get(0x74)
        return found

    def send(self, ins, data=b"", p1=0, p2=0):
        return self.host.send(ins, p1, p2, data, more=0xA5)

    def put(self, name, key=KEY, kind=TOTP, algorithm=SHA1, digits=6, properties=None, imf=None):
        data = tlv(0x71, name) + tlv(0x73, bytes((kind | algorithm, digits)) + key)
        if properties is not None:
            data += bytes((0x78, properties))
        if imf is not None:
            data += tlv(0x7A, imf.to_bytes(4, "big"))
        return self.send(0x01, data)

    def delete(self, name):
        return self.send(0x02, tlv(0x71, name))

    def rename(self, old, new):
        return self.send(0x05, tlv(0x71, old) + tlv(0x71, new))

    def reset(self):
        return self.send(0x04, p1=0xDE, p2=0xAD)

    def names(self):
        answer, status = self.send(0xA1)
        assert status == 0x9000
        return [(value[0], value[1:]) for tag, value in members(answer)]

    def calculate(self, name, challenge=b"", truncated=True):
        data = tlv(0x71, name) + tlv(0x74, challenge)
        return self.send(0xA2, data, p2=int(truncated))

    def code(self, name, step=None):
        """The digits for a time step, or for the next counter."""
        challenge = b"" if step is None else step.to_bytes(8, "big")
        answer, status = self.calculate(name, challenge)
        assert status == 0x9000, hex(status)
        [(tag, value)] = members(answer)
        assert tag == 0x76
        return digits(value)

    def calculate_all(self, step, truncated=True):
        data = tlv(0x74, step.to_bytes(8, "big"))
        answer, status = self.send(0xA4, data, p2=int(truncated))
        assert status == 0x9000, hex(status)
        found = members(answer)
        assert {tag for tag, _ in found[::2]} <= {0x71}
        names = [name for _, name in found[::2]]
        return dict(zip(names, found[1::2], strict=True))

    def set_code(self, password, algorithm=0x21):
        key = self.derive(password)
        challenge = bytes(range(8))
        proof = hmac.digest(key, challenge, "sha1")
        data = tlv(0x73, bytes((algorithm,)) + key) + tlv(0x74, challenge) + tlv(0x75, proof)
        return self.send(0x03, data)

    def unset_code(self):
        return self.send(0x03, tlv(0x73, b""))

    def validate(self, password, challenge=bytes(8)):
        proof = hmac.digest(self.derive(password), self.challenge or b"", "sha1")
        return self.send(0xA3, tlv(0x75, proof) + tlv(0x74, challenge))

    def derive(self, password):
        return hashlib.pbkdf2_hmac("sha1", password, self.salt, 1000, 16)


def digits(value):
    """The code in the value of a truncated answer."""
    number = int.from_bytes(value[1:], "big")
    assert number < 1 << 31
    return f"{number % 10 ** value[0]:0{value[0]}d}"
