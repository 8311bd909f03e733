"""The OATH application against a dictionary and pyotp, in any order, with power cycles between."""

import base64
import hashlib
from dataclasses import dataclass

import pyotp
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import ScriptedFinger
from firmware_sim.world.flash import MemoryFlash

from .conftest import CardHost
from .oath_host import HOTP, TOTP, OathHost, digits

NAMES = st.sampled_from([b"a", b"b", b"60/issuer:c", b"x" * 64])
HASHES = {1: hashlib.sha1, 2: hashlib.sha256, 3: hashlib.sha512}
PASSWORDS = st.sampled_from([b"one", b"two"])


@dataclass
class Expected:
    kind: int
    algorithm: int
    digits: int
    key: bytes
    touch: bool
    counter: int

    def code(self, step):
        secret = base64.b32encode(self.key).decode()
        otp = pyotp.HOTP(secret, digits=self.digits, digest=HASHES[self.algorithm])
        if self.kind == TOTP:
            return otp.at(step)
        self.counter += 1
        return otp.at(self.counter - 1)


class Oath(RuleBasedStateMachine):
    @initialize()
    def lay_on(self):
        self.accounts = {}
        self.password = None
        self.unlocked = True
        self.touches = []
        key = SecurityKey(
            load_profile("reference"),
            clock=SimulatedClock(),
            entropy=SeededEntropy(1),
            flash=MemoryFlash(),
            finger=ScriptedFinger(iter(lambda: self.touches.pop(), "never")),
        )
        self.oath = OathHost(CardHost(key))

    def allowed(self, status):
        """What a command answers that would otherwise be ``status``."""
        return status if self.unlocked else 0x6982

    @rule(
        name=NAMES,
        kind=st.sampled_from([HOTP, TOTP]),
        algorithm=st.sampled_from(sorted(HASHES)),
        count=st.sampled_from([6, 7, 8]),
        key=st.binary(min_size=14, max_size=64),
        touch=st.booleans(),
        imf=st.none() | st.integers(0, 2**32 - 1),
    )
    def put(self, name, kind, algorithm, count, key, touch, imf):
        properties = 2 if touch else None
        status = self.oath.put(name, key, kind, algorithm, count, properties, imf)[1]
        assert status == self.allowed(0x9000)
        if self.unlocked:
            self.accounts[name] = Expected(kind, algorithm, count, key, touch, imf or 0)

    @rule(name=NAMES)
    def delete(self, name):
        there = name in self.accounts
        assert self.oath.delete(name)[1] == self.allowed(0x9000 if there else 0x6984)
        if self.unlocked:
            self.accounts.pop(name, None)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name, new):
        taken = new in self.accounts and new != name
        status = 0x6984 if name not in self.accounts else 0x6A80 if taken else 0x9000
        assert self.oath.rename(name, new)[1] == self.allowed(status)
        if self.unlocked and status == 0x9000:
            # the place stays, and with it the order
            self.accounts = {new if k == name else k: v for k, v in self.accounts.items()}

    @rule(name=NAMES, step=st.integers(0, 2**64 - 1), touched=st.booleans())
    def calculate(self, name, step, touched):
        self.touches = [0 if touched else None]
        account = self.accounts.get(name)
        refused = account is not None and account.touch and not touched
        status = 0x6984 if account is None else 0x6982 if refused else 0x9000
        challenge = step.to_bytes(8, "big")
        answer, found = self.oath.calculate(name, challenge)
        assert found == self.allowed(status)
        if found == 0x9000:
            assert answer[:2] == b"\x76\x05"
            assert digits(answer[2:]) == account.code(step)
        asked = self.unlocked and account is not None and account.touch
        assert len(self.touches) == (0 if asked else 1)

    @rule(step=st.integers(0, 2**64 - 1))
    def calculate_all(self, step):
        if not self.unlocked:
            return
        found = self.oath.calculate_all(step)
        assert set(found) == set(self.accounts)
        for name, account in self.accounts.items():
            tag, value = found[name]
            assert value[0] == account.digits
            if account.kind == HOTP or account.touch:
                assert (tag, len(value)) == (0x77 if account.kind == HOTP else 0x7C, 1)
            else:
                assert (tag, digits(value)) == (0x76, account.code(step))

    @rule(password=PASSWORDS)
    def set_code(self, password):
        assert self.oath.set_code(password)[1] == self.allowed(0x9000)
        if self.unlocked:
            self.password = password

    @rule()
    def unset_code(self):
        assert self.oath.unset_code()[1] == self.allowed(0x9000)
        if self.unlocked:
            self.password = None

    @rule(password=PASSWORDS, cycle=st.booleans())
    def select_and_validate(self, password, cycle):
        if cycle:
            self.oath.host.key.power_cycle()
        self.oath.select()
        assert (self.oath.challenge is None) is (self.password is None)
        self.unlocked = self.password is None
        status = self.oath.validate(password)[1]
        if self.password is None:
            assert status == 0x6984
        else:
            assert status == (0x9000 if password == self.password else 0x6A80)
            self.unlocked = status == 0x9000

    @rule()
    def reset(self):
        assert self.oath.reset()[1] == 0x9000
        self.accounts, self.password, self.unlocked = {}, None, True
        self.oath.select()

    @invariant()
    def what_is_listed_is_there(self):
        if self.unlocked:
            expected = {(each.kind | each.algorithm, n) for n, each in self.accounts.items()}
            assert set(self.oath.names()) == expected
        else:
            assert self.oath.send(0xA1) == (b"", 0x6982)


TestOath = Oath.TestCase
