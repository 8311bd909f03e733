"""Requests that begin as right ones and are damaged, before they are signed or after.

Whatever comes, the answer is a status or canonical CBOR, a refusal leaves no trace in flash but
spent retries, and what is in flash then makes a key that works.
"""

import copy
import dataclasses
import hashlib
from functools import cache
from itertools import zip_longest

from fido2 import cbor
from fido2.ctap import CtapError
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.hid import CTAPHID, CtapHidDevice
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.fido.fingerprint import Template
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import ScriptedFinger, TouchAfter, never_touch, touch_at_once
from firmware_sim.world.flash import MemoryFlash

PROFILE = dataclasses.replace(
    load_profile("reference"),
    # ES256, EdDSA, and ML-DSA-44 where this machine has it, for its long answers
    algorithms=tuple(each for each in (-7, -8, -48) if each in ALGORITHMS),
)
STATUSES = {status.value for status in CtapError.ERR}
MAKE, GET, INFO, PIN, RESET, NEXT, BIO = 1, 2, 4, 6, 7, 8, 9
MANAGE, SELECTION, BLOBS, CONFIG = 10, 11, 12, 13
# what a refused request may change: a wrong PIN (§6.5.5), a strange finger (§6.5.3.1)
FINGER_SPENT = {"uv/retries", "uv/count-since-pin"}
MAY_CHANGE = {PIN: FINGER_SPENT | {"pin/retries"}, MAKE: FINGER_SPENT, GET: FINGER_SPENT}

ESP256 = -9  # previewSign's
HASH = hashlib.sha256(b"client data").digest()
PIN_HASH = hashlib.sha256(b"1234").digest()[:16]
TEMPLATE_ID = b"\x01\x02"
_ARRAY = cbor.encode([{1: bytes(16), 2: bytes(12), 3: 100}])
BLOB = _ARRAY + hashlib.sha256(_ARRAY).digest()[:16]


class Platform:
    """A key and what a platform needs to make requests that it grants."""

    def __init__(self, contents, protocol, finger):
        self.flash = MemoryFlash(contents)
        self.key = SecurityKey(
            PROFILE,
            clock=SimulatedClock(),
            entropy=SeededEntropy(2),
            flash=self.flash,
            finger=finger,
        )
        self.protocol = protocol
        self.connect()

    def connect(self):
        self.device = CtapHidDevice(hid_descriptor(self.key, "test"), InProcessConnection(self.key))

    def ask(self, request):
        return self.device.call(CTAPHID.CBOR, request)

    def granted(self, code, parameters=None):
        answer = self.ask(encoded(code, parameters, None))
        assert answer[0] == 0
        return cbor.decode(answer[1:])

    def enumerated(self, number, details, total):
        """All answers of a credential management enumeration."""
        answers = [self.granted(MANAGE, self.signed(MANAGE, {1: number, **details}))]
        while len(answers) < answers[0][total]:
            answers.append(self.granted(MANAGE, {1: number + 1}))
        return answers

    @property
    def own_protocol(self):
        return self.key._authenticator.protocols[self.protocol.VERSION]

    def tag(self, *parts):
        """By a new token with all permissions; parts of the wrong type count for nothing."""
        permissions = Permission(0x3F)
        token = self.key._authenticator.token.issue(self.own_protocol, permissions, None)
        message = b"".join(part for part in map(as_bytes, parts))
        return self.protocol.authenticate(token, message)

    def signed(self, code, parameters):
        """``parameters`` and a tag that is right for them, however wrong they are."""
        get, number = parameters.get, self.protocol.VERSION
        if code == MAKE:
            return parameters | {8: self.tag(get(1)), 9: number}
        if code == GET:
            return parameters | {6: self.tag(get(2)), 7: number}
        if code == BIO:
            return parameters | {4: number, 5: self.tag(get(1), get(2), get(3))}
        if code == MANAGE:
            return parameters | {3: number, 4: self.tag(get(1), get(2))}
        if code == CONFIG:
            return parameters | {3: number, 4: self.tag(b"\xff" * 32 + b"\x0d", get(1), get(2))}
        if code == BLOBS and 2 in parameters:
            offset = get(3) if type(get(3)) is int else 0
            begin = b"\xff" * 32 + b"\x0c\0" + (offset & 0xFFFFFFFF).to_bytes(4, "little")
            return parameters | {
                5: self.tag(begin, hashlib.sha256(as_bytes(get(2))).digest()),
                6: number,
            }
        return parameters

    def hmac_secret(self):
        key_agreement, secret = self.protocol.encapsulate(self.own_protocol.public_key())
        salts = self.protocol.encrypt(secret, bytes(32))
        tag = self.protocol.authenticate(secret, salts)
        return {1: key_agreement, 2: salts, 3: tag, 4: self.protocol.VERSION}

    def pin(self, number, new=b"4321", old=PIN_HASH):
        """A clientPIN request; ``new`` and ``old`` may be no PIN and no hash of one."""
        key_agreement, secret = self.protocol.encapsulate(self.own_protocol.public_key())
        new_pin = self.protocol.encrypt(secret, new.ljust(64, b"\0"))
        pin_hash = self.protocol.encrypt(secret, old)
        message = new_pin + pin_hash if number == 4 else new_pin
        members = {
            3: ((3, 4, 5, 6, 9), key_agreement),
            4: ((3, 4), self.protocol.authenticate(secret, message)),
            5: ((3, 4), new_pin),
            6: ((4, 5, 9), pin_hash),
            9: ((6, 9), 3),
            10: ((6, 9), "example.com"),
        }
        wanted = {key: value for key, (numbers, value) in members.items() if number in numbers}
        return {1: self.protocol.VERSION, 2: number, **wanted}


def as_bytes(part):
    if type(part) is dict:
        return cbor.encode(part)
    if type(part) is int and 0 <= part < 256:
        return bytes((part,))
    return part if type(part) is bytes else b""


def descriptor(credential_id):
    return {"id": credential_id, "type": "public-key"}


def registration(platform):
    return {
        1: HASH,
        2: {"id": "example.com", "name": "Example"},
        3: {"id": b"new", "name": "new", "displayName": "New"},
        4: [{"alg": each, "type": "public-key"} for each in PROFILE.algorithms],
        5: [descriptor(bytes(32))],
        6: {
            "credBlob": b"blob",
            "credProtect": 2,
            "hmac-secret": True,
            "hmac-secret-mc": platform.hmac_secret(),
            "largeBlobKey": True,
            "minPinLength": True,
            "pinComplexityPolicy": True,
            "previewSign": {3: [ESP256], 4: 1},
            "thirdPartyPayment": True,
        },
        7: {"rk": True},
        11: ["packed"],
    }


def assertion(platform):
    _, ids, handle = prepared()
    return {
        1: "example.com",
        2: HASH,
        3: [descriptor(each) for each in ids],
        4: {
            "credBlob": True,
            "hmac-secret": platform.hmac_secret(),
            "largeBlobKey": True,
            "previewSign": {2: handle, 6: b"message"},
            "thirdPartyPayment": True,
        },
        5: {"up": True},
    }


def user(name):
    return {"id": name.encode(), "name": name, "displayName": name.title()}


def credential_id(data):
    """The one in attested authenticator data (WebAuthn §6.5.1)."""
    return data[55 : 55 + int.from_bytes(data[53:55], "big")]


@cache
def prepared():
    """The flash of a key with PIN, finger and credentials; ids at example.com; a signing key's
    handle that goes with the first."""
    platform = Platform({}, PinProtocolV2(), touch_at_once())
    made = [
        platform.granted(MAKE, registration(platform) | {3: user(name)})
        for name in ("alice", "bob")
    ]
    plain = {key: value for key, value in registration(platform).items() if key < 5}
    made.append(platform.granted(MAKE, plain))
    platform.granted(MAKE, registration(platform) | {2: {"id": "other.example"}})
    platform.key._authenticator.pin.set(b"1234".ljust(64, b"\0"), {})
    platform.key._authenticator.fingerprints.store(Template(TEMPLATE_ID, "right index"))
    signing_key = cbor.decode(made[0][6]["previewSign"][7])
    ids = [credential_id(each[2]) for each in made]
    return dict(platform.flash.contents), ids, credential_id(signing_key[2])


def sample(platform):
    """The next one of the enrolment that is under way, if there is one."""
    enrolment = platform.key._authenticator.continuation.get(BIO)
    return {1: 1, 2: 2, 3: {1: enrolment.template_id if enrolment else TEMPLATE_ID}}


def of(code, *parameters):
    """Requests with parameters that depend on no key."""
    return [(code, lambda platform, members=members: dict(members)) for members in parameters]


# without previewSign, which wants a list
DISCOVERY = (GET, lambda platform: assertion(platform) | {3: [], 4: {"credBlob": True}})
NEXT_ASSERTION = (NEXT, None)
ENROLMENT = of(BIO, {1: 1, 2: 1, 3: {3: 1000}})
BLOB_WHOLE, BLOB_BEGIN, BLOB_END = of(
    BLOBS,
    {2: BLOB, 3: 0, 4: len(BLOB)},
    {2: BLOB[:20], 3: 0, 4: len(BLOB)},
    {2: BLOB[20:], 3: 20},
)
RP_HASH = hashlib.sha256(b"example.com").digest()
CREDENTIALS, NEXT_CREDENTIAL, RPS, NEXT_RP = of(
    MANAGE, {1: 4, 2: {1: RP_HASH}}, {1: 5}, {1: 2}, {1: 3}
)
NO_PINS = [b"123", b"\xff" * 8, bytes(64), b"1" * 64, b"1234" * 20]  # and one a block too long
NO_HASHES = [bytes(16), PIN_HASH * 2]
SEQUENCES = [
    [DISCOVERY, NEXT_ASSERTION, NEXT_ASSERTION],
    [CREDENTIALS, NEXT_CREDENTIAL, NEXT_CREDENTIAL],
    [RPS, NEXT_RP, NEXT_RP],
    [BLOB_BEGIN, BLOB_END],
    [*ENROLMENT, *[(BIO, sample)] * PROFILE.fingerprint_samples],
]
SEQUENCES += [
    [request]
    for request in (
        (MAKE, registration),
        (MAKE, lambda platform: {k: v for k, v in registration(platform).items() if k < 5}),
        (MAKE, lambda platform: registration(platform) | {2: {"id": "enterprise.example"}, 10: 1}),
        (GET, assertion),
        *[(PIN, lambda platform, n=n: platform.pin(n)) for n in (1, 2, 3, 4, 5, 6, 7, 9)],
        *[(PIN, lambda platform, new=new: platform.pin(4, new)) for new in NO_PINS],
        *[(PIN, lambda platform, old=old: platform.pin(5, old=old)) for old in NO_HASHES],
        *of(MANAGE, {1: 1}),
        (MANAGE, lambda platform: {1: 6, 2: {2: descriptor(prepared()[1][0])}}),
        (MANAGE, lambda platform: {1: 7, 2: {2: descriptor(prepared()[1][1]), 3: user("bob")}}),
        *of(BLOBS, {1: 100, 3: 0}),
        BLOB_WHOLE,
        *of(CONFIG, {1: 1}, {1: 2}, {1: 4}),
        *of(CONFIG, {1: 3, 2: {1: 6, 2: ["example.com"], 3: True, 4: True}}),
        *of(CONFIG, {1: 255, 2: {1: PROFILE.vendor_prototype_config_commands[0]}}),
        *of(BIO, {6: True}, {1: 1, 2: 3}, {1: 1, 2: 4}, {1: 1, 2: 6, 3: {1: TEMPLATE_ID}}),
        *of(BIO, {1: 1, 2: 5, 3: {1: TEMPLATE_ID, 2: "name"}}, {1: 1, 2: 7}),
        *[(code, None) for code in (INFO, RESET, SELECTION)],
    )
]
FAMILIES = [
    [sequence for sequence in SEQUENCES if sequence[0][0] in codes]
    for codes in (
        [MAKE],
        [GET],
        [PIN],
        [MANAGE],
        [BLOBS],
        [CONFIG],
        [BIO],
        [INFO, RESET, SELECTION],
    )
]


# -- damage, as data: which member, what to do with it, and a value for that ----------------------

leaves = (
    st.integers(-(1 << 64), (1 << 64) - 1)
    | st.integers(-10, 300)
    | st.binary(max_size=40)
    | st.text(max_size=12)
    | st.booleans()
    | st.sampled_from(["public-key", "example.com", "up", "rk", "uv", bytes(16), "n" * 3000])
)
keys = st.integers(-3, 12) | st.sampled_from(["id", "type", "alg", "rk", "up", "uv"])
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
edits = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["drop", "replace", "add", "alter"]),
        trees,
    ),
    max_size=2,
)
byte_edits = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "append"]), st.integers(0, 600), st.integers(0, 255)
)
nothing = st.just([])
# signed or not, what is done before and after that, and to the bytes: mostly little
damages = st.tuples(
    st.sampled_from([True, True, True, False]),
    edits,
    nothing | edits,
    st.one_of(*[st.none()] * 12, byte_edits),
)


def places(tree):
    """Every member of ``tree``: what holds it, and its key or index there."""
    found = []
    for key, value in list(tree.items() if type(tree) is dict else enumerate(tree)):
        found.append((tree, key))
        if type(value) in (dict, list):
            found += places(value)
    return found


def edited(parameters, script):
    parameters = copy.deepcopy(parameters)
    for which, how, value in script:
        if not parameters:
            return parameters
        at = places(parameters)
        holder, key = at[which % len(at)]
        if how == "drop":
            del holder[key]
        elif how == "replace":
            holder[key] = value
        elif how == "alter":
            holder[key] = altered(holder[key], value)
        elif type(holder) is list:
            holder.append(value)
        else:
            holder[value if type(value) in (int, str, bytes) else which] = value
    return parameters


def altered(old, value):
    """Something of the same type as ``old``."""
    size = value % 70 if type(value) is int else 1
    if type(old) is bool:
        return not old
    if type(old) is int:
        return value if type(value) is int else old ^ 1
    if type(old) is dict:
        return {}
    return (old[:size], old * 2, old[1:] + old[:1])[size % 3]


def encoded(code, parameters, damage):
    """Not longer than a message can be."""
    request = bytearray((code,))
    if parameters is not None:
        request += cbor.encode(parameters)
    if damage is not None:
        how, where, value = damage
        where %= len(request)
        if how == "cut":
            del request[max(where, 1) :]
        elif how == "flip":
            request[where] ^= 1 << value % 8
        elif how == "insert":
            request.insert(where, value)
        else:
            request.append(value)
    return bytes(request[:7609])


sequences = st.sampled_from(FAMILIES).flatmap(st.sampled_from)
UNDAMAGED = (True, [], [], None)


def damaged_request(platform, code, make, is_signed, before_signing, after_signing, damage):
    if make is None:
        return encoded(code, None, damage)
    parameters = edited(make(platform), before_signing)
    if is_signed:
        parameters = platform.signed(code, parameters)
    return encoded(code, edited(parameters, after_signing), damage)


fingers = st.sampled_from(
    [
        touch_at_once,
        lambda: TouchAfter(29.9),
        never_touch,
        lambda: ScriptedFinger([0.0, None, 0.0, None, 0.0, None]),
    ]
)


@settings(max_examples=max(1_000, settings().max_examples))
@given(
    st.sampled_from([PinProtocolV2, PinProtocolV1]),
    fingers,
    st.lists(st.tuples(sequences, st.lists(damages, max_size=5)), min_size=3, max_size=8),
)
def test_damaged_requests(protocol, finger, script):
    contents, _, _ = prepared()
    platform = Platform(contents, protocol(), finger())
    for requests, damaged in script:
        for (code, make), damage in zip_longest(requests, damaged[: len(requests)]):
            request = damaged_request(platform, code, make, *damage or UNDAMAGED)
            before = dict(platform.flash.contents)
            answer = platform.ask(request)
            check(answer)
            if answer[0]:
                after = platform.flash.contents
                changed = {key for key in before | after if before.get(key) != after.get(key)}
                assert changed <= MAY_CHANGE.get(request[0], set())
    platform.key.finger = touch_at_once()
    platform.key.power_cycle()
    platform.connect()
    info = platform.granted(INFO)
    if platform.flash.contents != contents:
        check_credentials(platform, PROFILE.credential_capacity - info[0x14])


random_requests = st.tuples(
    st.integers(0, 14) | st.integers(0x40, 0x42), st.dictionaries(st.integers(0, 12), trees)
).map(lambda request: encoded(*request, None))


@settings(max_examples=max(500, settings().max_examples))
@given(st.lists(random_requests | st.binary(min_size=1, max_size=200), min_size=1, max_size=4))
def test_random_requests(requests):
    platform = Platform({}, PinProtocolV2(), touch_at_once())
    for request in requests:
        check(platform.ask(request))


def check(answer):
    assert answer[0] in STATUSES
    if answer[0] or not answer[1:]:
        assert len(answer) == 1
    else:
        assert cbor.encode(cbor.decode(answer[1:])) == answer[1:]


def check_credentials(platform, stored):
    """As many can be listed as getInfo says are stored."""
    rps = platform.enumerated(2, {}, 5) if stored else []
    found = [platform.enumerated(4, {2: {1: rp[4]}}, 9) for rp in rps]
    assert sum(map(len, found)) == stored
