"""The OATH application, command by command."""

import base64
import hashlib
import hmac

import pyotp
import pytest

from firmware_sim.card.oath_accounts import Account
from firmware_sim.card.tlv import tlv
from firmware_sim.otp.hotp import hotp
from firmware_sim.otp.token import TokenKind, TokenSpec
from firmware_sim.world.finger import ScriptedFinger
from firmware_sim.world.flash import MemoryFlash

from .oath_host import HOTP, KEY, SHA1, SHA256, SHA512, TOTP, OathHost, digits, members

TOUCH, INCREASING = 2, 1


@pytest.fixture
def make_oath(make_host):
    return lambda *args, **options: OathHost(make_host(*args, **options))


@pytest.fixture
def oath(make_oath):
    return make_oath()


def test_select(make_oath):
    oath = make_oath("yubikey-5.4")
    assert oath.version == (5, 4, 3)
    assert len(oath.salt) == 8
    assert oath.challenge is None
    salt = oath.salt
    oath.host.key.power_cycle()
    assert set(oath.select()) == {0x79, 0x71}
    assert oath.salt == salt
    assert make_oath("reference").version == (5, 7, 0)


@pytest.mark.parametrize(("algorithm", "name"), [(SHA1, "SHA1"), (SHA256, "SHA256"),
                                                  (SHA512, "SHA512")])  # fmt: skip
@pytest.mark.parametrize("count", [6, 7, 8])
def test_codes(oath, algorithm, name, count):
    assert oath.put(b"totp", algorithm=algorithm, digits=count)[1] == 0x9000
    assert oath.put(b"hotp", kind=HOTP, algorithm=algorithm, digits=count, imf=7)[1] == 0x9000
    for step in (0, 1, 37037036, 2**40):
        assert oath.code(b"totp", step) == hotp(KEY, step, count, name)
    for counter in (7, 8, 9):
        assert oath.code(b"hotp") == hotp(KEY, counter, count, name)


def test_the_whole_hmac(oath):
    oath.put(b"a", algorithm=SHA512)
    answer, status = oath.calculate(b"a", b"any challenge", truncated=False)
    assert (members(answer), status) == (
        [(0x75, b"\x06" + hmac.digest(KEY, b"any challenge", "sha512"))],
        0x9000,
    )


def test_a_counter_outlives_the_power(oath):
    oath.put(b"hotp", kind=HOTP)
    assert oath.code(b"hotp") == hotp(KEY, 0)
    oath.host.key.power_cycle()
    oath.select()
    assert oath.code(b"hotp") == hotp(KEY, 1)


def test_the_highest_counter(oath):
    oath.put(b"hotp", kind=HOTP, imf=0xFFFFFFFF)
    assert oath.code(b"hotp") == hotp(KEY, 0xFFFFFFFF)
    assert oath.code(b"hotp") == hotp(KEY, 1 << 32)


def test_list_in_order_of_places(oath):
    for name in (b"one", b"two", b"three"):
        oath.put(name)
    oath.delete(b"two")
    oath.put(b"four", kind=HOTP, algorithm=SHA256)
    oath.put(b"one", algorithm=SHA512)
    assert oath.names() == [(0x23, b"one"), (0x12, b"four"), (0x21, b"three")]


def test_calculate_all(oath):
    oath.put(b"30", digits=8)
    oath.put(b"hotp", kind=HOTP, digits=7)
    oath.put(b"touch", properties=TOUCH)
    assert oath.calculate_all(5) == {
        b"30": (0x76, b"\x08" + oath.calculate(b"30", (5).to_bytes(8, "big"))[0][3:]),
        b"hotp": (0x77, b"\x07"),
        b"touch": (0x7C, b"\x06"),
    }
    assert digits(oath.calculate_all(5)[b"30"][1]) == hotp(KEY, 5, 8)
    whole = oath.calculate_all(5, truncated=False)[b"30"]
    assert whole == (0x75, b"\x08" + hmac.digest(KEY, (5).to_bytes(8, "big"), "sha1"))
    assert oath.code(b"hotp") == hotp(KEY, 0, 7)  # looking at all costs no counter


def test_touch(make_oath):
    oath = make_oath(finger=ScriptedFinger([2.5, None, 14, 16]))
    oath.put(b"touch", properties=TOUCH)
    clock, step = oath.host.key.clock, (9).to_bytes(8, "big")
    start_s = clock.now()
    assert oath.code(b"touch", 9) == hotp(KEY, 9)
    assert clock.now() == start_s + 2.5
    assert oath.calculate(b"touch", step) == (b"", 0x6982)
    assert oath.calculate(b"touch", step)[1] == 0x9000
    assert oath.calculate(b"touch", step) == (b"", 0x6982)
    assert clock.now() == start_s + 2.5 + 14 + 15


def test_a_counter_that_nobody_touches_for_stays(make_oath):
    oath = make_oath(finger=ScriptedFinger([None, 0]))
    oath.put(b"hotp", kind=HOTP, properties=TOUCH)
    assert oath.calculate(b"hotp")[1] == 0x6982
    assert oath.code(b"hotp") == hotp(KEY, 0)


def test_challenges_that_only_grow(oath):
    oath.put(b"a", properties=INCREASING)
    assert oath.code(b"a", 5) == hotp(KEY, 5)
    assert oath.code(b"a", 5) == hotp(KEY, 5)
    oath.host.key.power_cycle()
    oath.select()
    assert oath.calculate(b"a", (4).to_bytes(8, "big")) == (b"", 0x6982)
    assert digits(oath.calculate_all(6)[b"a"][1]) == hotp(KEY, 6)
    assert oath.calculate(b"a", (5).to_bytes(8, "big")) == (b"", 0x6982)


def test_put_replaces(oath):
    oath.put(b"a")
    oath.put(b"a", key=KEY[::-1], digits=8, properties=0)
    assert oath.names() == [(TOTP | SHA1, b"a")]
    assert oath.code(b"a", 1) == hotp(KEY[::-1], 1, 8)


def test_rename(oath):
    oath.put(b"a", kind=HOTP)
    oath.put(b"b")
    oath.code(b"a")
    assert oath.rename(b"a", b"b")[1] == 0x6A80
    assert oath.rename(b"a", b"")[1] == 0x6A80
    assert oath.rename(b"a", bytes(65))[1] == 0x6A80
    assert oath.rename(b"none", b"c")[1] == 0x6984
    assert oath.rename(b"a", b"a")[1] == 0x9000
    assert oath.rename(b"a", b"c")[1] == 0x9000
    assert oath.names() == [(0x11, b"c"), (0x21, b"b")]
    assert oath.code(b"c") == hotp(KEY, 1)


def test_rename_came_with_5_3_1(make_oath):
    oath = make_oath("yubikey-5.2")
    oath.put(b"a")
    assert oath.rename(b"a", b"b")[1] == 0x6D00


def test_what_is_not_there(oath):
    assert oath.delete(b"a") == (b"", 0x6984)
    assert oath.calculate(b"a", bytes(8)) == (b"", 0x6984)
    assert oath.names() == []
    assert oath.calculate_all(1) == {}
    assert oath.validate(b"x") == (b"", 0x6984)
    assert oath.send(0xA5) == (b"", 0x6985)


@pytest.mark.parametrize(("profile", "capacity"), [("yubikey-5.4", 32), ("yubikey-5.7", 64)])
def test_capacity(make_oath, profile, capacity):
    """And answers of thousands of bytes, fetched part by part."""
    oath = make_oath(profile)
    names = [f"{number:064}".encode() for number in range(capacity)]
    for name in names:
        assert oath.put(name)[1] == 0x9000
    assert oath.put(b"one more") == (b"", 0x6A84)
    assert oath.put(names[3], digits=8)[1] == 0x9000
    assert [name for _, name in oath.names()] == names
    assert list(oath.calculate_all(1)) == names
    oath.delete(names[3])
    assert oath.put(b"one more")[1] == 0x9000


def test_an_access_key(make_oath):
    flash = MemoryFlash()
    oath = make_oath(flash=flash)
    oath.put(b"a")
    assert oath.set_code(b"secret")[1] == 0x9000
    assert oath.names()  # who set it is in
    found = oath.select()
    assert found[0x7B] == b"\x01"
    first = found[0x74]
    for locked in (
        lambda: oath.put(b"b"),
        lambda: oath.delete(b"a"),
        lambda: oath.rename(b"a", b"b"),
        lambda: oath.send(0xA1),
        lambda: oath.calculate(b"a", bytes(8)),
        lambda: oath.send(0xA4, tlv(0x74, bytes(8)), p2=1),
        lambda: oath.set_code(b"other"),
        oath.unset_code,
    ):
        assert locked() == (b"", 0x6982)
    assert oath.validate(b"wrong") == (b"", 0x6A80)
    assert oath.validate(b"secret", bytes(7)) == (b"", 0x6A80)
    answer, status = oath.validate(b"secret", b"host says")
    proof = hmac.digest(oath.derive(b"secret"), b"host says", "sha1")
    assert (members(answer), status) == ([(0x75, proof)], 0x9000)
    assert oath.names()
    assert oath.select()[0x74] != first
    assert oath.send(0xA1)[1] == 0x6982
    oath.host.key.power_cycle()
    oath.select()
    assert oath.send(0xA1)[1] == 0x6982
    oath.validate(b"secret")
    assert oath.unset_code()[1] == 0x9000
    assert 0x74 not in oath.select()
    assert oath.names()


def test_who_lost_the_access_key_may_erase_all(oath):
    oath.put(b"a")
    oath.set_code(b"secret")
    oath.select()
    salt = oath.salt
    assert oath.send(0x04, p1=0xDE, p2=0xAF) == (b"", 0x6B00)
    assert oath.reset()[1] == 0x9000
    assert oath.names() == []
    assert 0x74 not in oath.select()
    assert oath.salt != salt


def test_a_reset_leaves_the_authenticator_alone(make_host):
    from firmware_sim.card.fido import FidoApplet

    host = make_host()
    before = dict(host.key.flash.items())
    oath = OathHost(host)
    oath.put(b"a")
    oath.reset()
    after = {key: value for key, value in host.key.flash.items() if not key.startswith("oath/")}
    assert after == before
    assert host.select(FidoApplet.aid)[1] == 0x9000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x71",
        b"\x71\x05a",
        b"\x71\x80",
        b"\x71\x84\0\0\0\x01a",
        tlv(0x71, b"a"),
        tlv(0x71, b"") + tlv(0x73, b"\x21\x06" + KEY),
        tlv(0x71, bytes(65)) + tlv(0x73, b"\x21\x06" + KEY),
        tlv(0x73, b"\x21\x06" + KEY) + tlv(0x71, b"a"),
        tlv(0x71, b"a") + tlv(0x73, b""),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x06" + bytes(13)),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x06" + bytes(65)),
        tlv(0x71, b"a") + tlv(0x73, b"\x23\x06" + bytes(129)),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x05" + KEY),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x09" + KEY),
        tlv(0x71, b"a") + tlv(0x73, b"\x24\x06" + KEY),
        tlv(0x71, b"a") + tlv(0x73, b"\x20\x06" + KEY),
        tlv(0x71, b"a") + tlv(0x73, b"\x31\x06" + KEY),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x06" + KEY) + b"\x78",
        tlv(0x71, b"a") + tlv(0x73, b"\x11\x06" + KEY) + tlv(0x7A, bytes(3)),
        tlv(0x71, b"a") + tlv(0x73, b"\x21\x06" + KEY) + b"\0",
    ],
)
def test_bad_puts(oath, data):
    before = dict(oath.host.key.flash.items())
    assert oath.send(0x01, data) == (b"", 0x6A80)
    assert dict(oath.host.key.flash.items()) == before


def test_other_bad_requests(oath):
    oath.put(b"a")
    wrong_code = tlv(0x73, b"\x21" + bytes(16)) + tlv(0x74, bytes(8)) + tlv(0x75, bytes(20))
    bad = [
        (0x02, b"\x71", 0, 0x6A80),
        (0x03, b"", 0, 0x6A80),
        (0x03, tlv(0x73, b"\x21" + bytes(16)), 0, 0x6A80),
        (0x03, wrong_code, 0, 0x6984),
        (0x03, wrong_code.replace(b"\x21", b"\x24", 1), 0, 0x6A80),
        (0xA2, tlv(0x71, b"a"), 1, 0x6A80),
        (0xA2, tlv(0x71, b"a") + tlv(0x74, b""), 1, 0x6A80),
        (0xA2, tlv(0x71, b"a") + tlv(0x74, bytes(65)), 1, 0x6A80),
        (0xA2, tlv(0x71, b"a") + tlv(0x74, bytes(8)), 2, 0x6B00),
        (0xA4, b"", 1, 0x6A80),
        (0xA4, tlv(0x74, b""), 1, 0x6A80),
        (0xA1, b"", 1, 0x6B00),
        (0x06, b"", 0, 0x6D00),
    ]
    for ins, data, p2, status in bad:
        assert oath.send(ins, data, p2=p2) == (b"", status)
    assert oath.host.send(0xA1, cla=0x80) == (b"", 0x6E00)
    assert oath.code(b"a", 1) == hotp(KEY, 1)


def test_keys_up_to_the_block_of_the_hash(oath):
    for algorithm, name, length in ((SHA1, "sha1", 64), (SHA256, "sha256", 64),
                                    (SHA512, "sha512", 128)):  # fmt: skip
        key = bytes(range(length))
        assert oath.put(name.encode(), key, algorithm=algorithm)[1] == 0x9000
        assert oath.code(name.encode(), 3) == hotp(key, 3, 6, name.upper())


def test_a_faulty_key(oath):
    oath.put(b"a")
    applet = oath.host.key.card.applications[1]
    applet.step_offset = -2
    assert oath.code(b"a", 5) == hotp(KEY, 3)
    assert digits(oath.calculate_all(5)[b"a"][1]) == hotp(KEY, 3)


@pytest.mark.parametrize("kind", list(TokenKind))
@pytest.mark.parametrize("length", [20, 100])
def test_a_hardware_token_as_an_account(oath, kind, length):
    spec = TokenSpec("GAHT12345678", bytes(range(length)), kind, "SHA256", 8, 60)
    oath.host.key.card.applications[1].accounts.put(Account.of_token(spec))
    name = b"60/GAHT12345678" if kind == TokenKind.TOTP else b"GAHT12345678"
    [(_, listed)] = oath.names()
    assert listed == name
    secret = base64.b32encode(spec.seed).decode()
    expected = pyotp.HOTP(secret, digits=8, digest=hashlib.sha256)
    step = None if kind == TokenKind.HOTP else 28_000_000
    assert oath.code(name, step) == expected.at(step or 0)
