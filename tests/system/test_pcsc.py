"""Keys as smart cards for real programs: pcscd and vpcd, pyscard, python-fido2, ykman, tokenkit."""

import json
import shutil
import sys
from pathlib import Path

import pyotp
import pytest

from firmware_sim.world.finger import ScriptedFinger, Touch
from firmware_sim.world.flash import SqliteFlash

from .pcscd import READERS, Pcscd, Rig, UnavailableError

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
KEYRING = """
import json, os, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1
    path = pathlib.Path(os.environ["TEST_KEYRING"])

    def _load(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        return self._load().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.path.write_text(json.dumps(self._load() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        found = self._load()
        del found[f"{service} {username}"]
        self.path.write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def pcscd(tmp_path_factory):
    try:
        pcscd = Pcscd(tmp_path_factory.mktemp("pcscd"))
        pcscd.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield pcscd
    pcscd.stop()


@pytest.fixture
def rig(pcscd):
    rig = Rig(pcscd)
    yield rig
    rig.close()


# -- pyscard -------------------------------------------------------------------------------------


def test_pyscard(rig):
    rig.lay_on()
    names, atr, answers = rig.python("""
c = connect()
sent = ["00a4040008a00000030800100000", SELECT_FIDO, "801000000104", "00c0000000", "00c00000ff",
        "80100000000001040000", "80100000000001040010", "0003000000", "03", "00a404",
        "901000000201", "04a4040000", "00a10000", SELECT_OATH, "00a1000000"]
answers = [send(c, each) for each in sent]
print(json.dumps([[str(each) for each in readers()], bytes(c.getATR()).hex(), answers]))
""")
    assert names == list(READERS)
    assert atr == "3b8d80018073c021c057597562694b6579f9"
    statuses = [status for _, status in answers]
    info = answers[5][0]
    assert len(info) // 2 > 256
    assert statuses[:2] == ["6a82", "9000"]
    assert answers[1][0] == b"U2F_V2".hex()
    assert statuses[2:5] == [f"61{len(info) // 2 - 256:02x}", "9000", "6985"]
    assert answers[2][0] + answers[3][0] == info
    assert answers[6] == [info[:32], "6100"]
    assert answers[7] == [b"U2F_V2".hex(), "9000"]
    assert statuses[9:] == ["6700", "6700", "6882", "6d00", "9000", "9000"]


def test_the_largest_messages(rig):
    """65,535 bytes of data in one APDU, and in a chain; CTAP's own limit is less."""
    rig.lay_on("reference")
    found = rig.python("""
c = connect()
send(c, SELECT_FIDO)
head = "80100000"
answers = [send(c, head + "00" + f"{size:04x}" + "00" * size) for size in (7609, 7610, 65528)]
parts = [send(c, "90100000ff" + "00" * 255)[1] for _ in range(258)]
print(json.dumps([answers, sorted(set(parts[:257])), parts[257], send(c, "0003000000")]))
""")
    invalid, too_large = ["01", "9000"], ["39", "9000"]
    assert found == [
        [invalid, too_large, too_large],
        ["9000"],
        "6700",
        [b"U2F_V2".hex(), "9000"],
    ]


def test_a_client_that_vanishes_while_the_key_waits(rig):
    """Its command goes on until the touch or its timeout; then the next client's turn comes."""
    touch = Touch()

    class Later:
        def requested(self, reason, now_s):
            return touch

    key, plug = rig.lay_on(finger=Later())
    client = rig.start_python("""
c = connect()
send(c, SELECT_FIDO)
threading.Timer(0.3, lambda: print("sent", flush=True)).start()
send(c, "80100000010b00")
""")
    client.kill()
    client.communicate()

    def press():
        touch.true_s = key.clock.now()
        plug.poke()

    rig.call(press)
    assert rig.python("print(json.dumps(send(connect(), SELECT_FIDO)))")[1] == "9000"


def test_two_clients_at_once(rig):
    """Each of whose exchanges is whole, as a card has one state for all; PC/SC takes turns."""
    rig.lay_on()
    code = """
c = connect()
send(c, SELECT_FIDO)
print("ready", flush=True)
answers = {send(c, "80100000000001040000") for _ in range(200)}
print(len(answers), flush=True)
time.sleep(600)  # whoever leaves resets the card
"""
    clients = [rig.start_python(code) for _ in range(2)]
    try:
        assert [client.stdout.readline().strip() for client in clients] == ["1", "1"]
    finally:
        for client in clients:
            client.kill()
            client.communicate()


def test_pcscd_goes_and_comes_back(rig):
    key, plug = rig.lay_on()
    ask = "print(json.dumps(send(connect(), SELECT_FIDO)))"
    assert rig.python(ask)[1] == "9000"
    rig.pcscd.stop()
    rig.pcscd.start()
    wait = """
from smartcard.CardRequest import CardRequest
CardRequest(timeout=20, readers=[reader()]).waitforcard()
"""
    assert rig.python(wait + ask)[1] == "9000"
    rig.take_off(plug)
    assert not key.powered


def test_two_keys_on_two_readers_and_no_third(rig):
    rig.lay_on()
    rig.lay_on("security-key", serial_number="VIRTUAL-0000000007")
    with pytest.raises(OSError, match="take another card off"):
        rig.lay_on("reference")
    listed = json.loads(rig.program(*tokenkit("list", "--json")))
    assert {each["selector"]: each["serial_number"] for each in listed} == {
        f"pcsc:{READERS[0]}": "12345678",
        f"pcsc:{READERS[1]}": "7",
    }


# -- python-fido2 --------------------------------------------------------------------------------

CEREMONY = """
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2 import ClientPin, Ctap2
from fido2.server import Fido2Server

class User(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return "123456"

d = device()
d.use_ext_apdu = EXTENDED
ctap = Ctap2(d)
if not ctap.info.options["clientPin"]:
    ClientPin(ctap).set_pin("123456")
server = Fido2Server({"id": "example.com", "name": "Example"})
client = Fido2Client(d, DefaultClientDataCollector("https://example.com"), User())
create, state = server.register_begin(
    {"id": b"user", "name": "user"}, resident_key_requirement="required",
    user_verification="required")
data = server.register_complete(state, client.make_credential(create.public_key)).credential_data
get, state = server.authenticate_begin(user_verification="required")
got = client.get_assertion(get.public_key).get_response(0)
server.authenticate_complete(state, [data], got)
print(json.dumps(list(ctap.info.transports)))
"""


@pytest.mark.parametrize("profile", ["yubikey-5.7", "reference"])
def test_a_whole_ceremony_by_python_fido2(rig, profile):
    rig.lay_on(profile)
    for extended in (False, True):
        code = CEREMONY.replace("EXTENDED", str(extended))
        assert rig.python(code) == ["nfc", "usb"]


def test_keep_alives_and_cancel(rig):
    rig.lay_on(finger=ScriptedFinger([0.35]))
    found = rig.python("""
from fido2.ctap import CtapError
d = device()
heard = []
first = d.call(0x10, b"\\x0b", on_keepalive=heard.append)
event = threading.Event()
second = d.call(0x10, b"\\x0b", event=event, on_keepalive=lambda status: event.set())
d.use_nfcctap_getresponse = True
print(json.dumps([first.hex(), [each.name for each in heard], CtapError.ERR(second[0]).name]))
""")
    assert found == ["00", ["UPNEEDED"], "KEEPALIVE_CANCEL"]


def test_u2f_by_python_fido2(rig):
    rig.lay_on()
    assert rig.python("""
from fido2.ctap1 import Ctap1
u2f = Ctap1(device())
made = u2f.register(bytes(32), b"a" * 32)
made.verify(b"a" * 32, bytes(32))
signed = u2f.authenticate(bytes(32), b"a" * 32, made.key_handle)
signed.verify(b"a" * 32, bytes(32), made.public_key)
print(json.dumps([u2f.get_version(), signed.user_presence]))
""") == ["U2F_V2", 1]


# -- ykman ---------------------------------------------------------------------------------------


@pytest.fixture
def ykman(rig, tmp_path):
    """Runs ykman on the first reader, with a keyring and settings in a folder of the test."""
    program = shutil.which("ykman", path=str(Path(sys.executable).parent)) or shutil.which("ykman")
    if program is None:
        pytest.skip("ykman is not installed: pip install 'tokenkit[system-tests]'")
    (tmp_path / "test_keyring.py").write_text(KEYRING)
    environment = {
        "TEST_KEYRING": str(tmp_path / "keyring.json"),
        "PYTHON_KEYRING_BACKEND": "test_keyring.Keyring",
        "PYTHONPATH": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "HOME": str(tmp_path),
    }

    def run(*arguments, check=True, **options):
        return rig.program(
            program,
            "-r",
            READERS[0],
            *arguments,
            check=check,
            environment=environment,
            **options,
        )

    return run


@pytest.mark.parametrize(
    ("profile", "lines"),
    [
        ("yubikey-5.7", ["YubiKey 5 NFC", "Serial number: 12345678", "Firmware version: 5.7.1"]),
        ("yubikey-5.4", ["YubiKey 5C", "Serial number: 12345678", "Firmware version: 5.4.3"]),
        ("security-key", ["Security Key NFC", "Firmware version: 5.4.3"]),
    ],
)
def test_ykman_info(rig, ykman, profile, lines):
    rig.lay_on(profile)
    said = ykman("info")
    for line in lines:
        assert line in said


def test_ykman_fido(rig, ykman):
    rig.lay_on()
    assert "PIN:                          Not set" in ykman("fido", "info")
    ykman("fido", "access", "change-pin", "--new-pin", "123456")
    assert "8 attempt(s) remaining" in ykman("fido", "info")
    assert "PIN verified" in ykman("fido", "access", "verify-pin", "--pin", "123456")
    assert ykman("fido", "access", "verify-pin", "--pin", "654321", check=False).returncode == 1
    assert "7 attempt(s) remaining" in ykman("fido", "info")
    rig.python(CEREMONY.replace("EXTENDED", "False"))
    assert "example.com" in ykman("fido", "credentials", "list", "--pin", "123456")


def test_ykman_oath(rig, ykman):
    rig.lay_on(finger=ScriptedFinger([0, None]))
    ykman("oath", "accounts", "add", "--force", "Example:bob", SECRET)
    ykman("oath", "accounts", "add", "--force", "--touch", "--digits", "8", "touch", SECRET)
    ykman("oath", "accounts", "add", "--force", "-o", "HOTP", "--counter", "5", "hotp", SECRET)
    uri = f"otpauth://totp/long:x?secret={SECRET}&period=60&algorithm=SHA512&digits=7"
    ykman("oath", "accounts", "uri", "--force", uri)
    assert ykman("oath", "accounts", "list", "--oath-type", "--period").splitlines() == [
        "Example:bob, TOTP, 30",
        "hotp, HOTP, 0",
        "60/long:x, TOTP, 60",
        "touch, TOTP, 30",
    ]
    said = [line.split() for line in ykman("oath", "accounts", "code").splitlines()]
    assert [line[0] for line in said] == ["Example:bob", "hotp", "60/long:x", "touch"]
    assert [line[1] for line in said[1::2]] == ["[HOTP", "[Requires"]
    assert len(said[2][1]) == 7

    totp = pyotp.TOTP(SECRET)
    code = ykman("oath", "accounts", "code", "--single", "bob").strip()
    assert totp.verify(code, valid_window=1)
    assert pyotp.TOTP(SECRET, digits=8).verify(
        ykman("oath", "accounts", "code", "--single", "touch").strip().splitlines()[-1],
        valid_window=1,
    )
    refused = ykman("oath", "accounts", "code", "--single", "touch", check=False)
    assert "Touch account timed out" in refused.stderr
    hotp = pyotp.HOTP(SECRET)
    for counter in (5, 6):
        assert ykman("oath", "accounts", "code", "--single", "hotp").strip() == hotp.at(counter)

    ykman("oath", "accounts", "rename", "--force", "Example:bob", "Example:alice")
    ykman("oath", "accounts", "delete", "--force", "hotp")
    assert ykman("oath", "accounts", "list").split() == [
        "Example:alice",
        "60/long:x",
        "touch",
    ]
    assert totp.verify(
        ykman("oath", "accounts", "code", "--single", "alice").strip(), valid_window=1
    )
    ykman("oath", "reset", "--force")
    assert ykman("oath", "accounts", "list") == ""


def test_ykman_oath_on_a_key_that_is_no_yubikey(rig, ykman):
    rig.lay_on("reference")
    ykman("oath", "accounts", "add", "--force", "bob", SECRET)
    code = ykman("oath", "accounts", "code", "--single", "bob").strip()
    assert pyotp.TOTP(SECRET).verify(code, valid_window=1)
    ykman("oath", "accounts", "rename", "--force", "bob", "alice")
    assert ykman("oath", "accounts", "list").strip() == "alice"


def test_ykman_oath_password(rig, ykman, tmp_path):
    """Set, asked for, remembered in the keyring, wrong, removed; and all of it kept in a file."""
    flash = SqliteFlash(tmp_path / "key.state")
    _, plug = rig.lay_on(flash=flash)
    ykman("oath", "accounts", "add", "--force", "bob", SECRET)
    ykman("oath", "access", "change", "--new-password", "secret")
    assert "enabled" in ykman("oath", "info")
    wrong = ykman("oath", "accounts", "list", "--password", "wrong", check=False)
    assert "Wrong password?" in wrong.stderr
    assert ykman("oath", "accounts", "list", "--password", "secret").strip() == "bob"
    assert ykman("oath", "accounts", "list", check=False, input="").returncode == 1
    ykman("oath", "access", "remember", "--password", "secret")
    assert ykman("oath", "accounts", "list").strip() == "bob"
    rig.take_off(plug)
    flash.close()

    flash = SqliteFlash(tmp_path / "key.state")
    rig.lay_on(flash=flash)
    assert ykman("oath", "accounts", "list").strip() == "bob"
    ykman("oath", "access", "change", "--password", "secret", "--clear")
    ykman("oath", "access", "forget", "--all")
    assert ykman("oath", "accounts", "list").strip() == "bob"
    assert "disabled" in ykman("oath", "info")
    rig.wait(rig.port.close())
    flash.close()


def test_ykman_oath_until_it_is_full(rig, ykman):
    rig.lay_on("yubikey-5.4")
    assert (
        rig.python("""
from yubikit.oath import CredentialData, HASH_ALGORITHM, OATH_TYPE, OathSession
from ykman.pcsc import ScardSmartCardConnection
session = OathSession(ScardSmartCardConnection(reader().createConnection()))
for number in range(32):
    name = f"account {number:02}".ljust(60, "x")
    session.put_credential(
        CredentialData(name, OATH_TYPE.TOTP, HASH_ALGORITHM.SHA1, bytes(20)))
print(json.dumps(len(session.calculate_all())))
""")
        == 32
    )
    assert len(ykman("oath", "accounts", "list").splitlines()) == 32
    full = ykman("oath", "accounts", "add", "--force", "one more", SECRET, check=False)
    assert "No space left" in full.stderr
    assert "FIDO2" in ykman("info")
    assert ykman("fido", "info", check=False).returncode != 0  # there is no NFC


# -- tokenkit ------------------------------------------------------------------------------------


def tokenkit(*arguments):
    return [sys.executable, "-m", "tokenkit", "keys", *arguments]


def test_tokenkit_keys(rig):
    rig.lay_on()
    selector = f"pcsc:{READERS[0]}"
    pin = {"environment": {"TOKENKIT_PIN": "123456"}}

    def run(*arguments, **options):
        return rig.program(*tokenkit(*arguments), **options)

    [listed] = json.loads(run("list", "--json"))
    assert listed["selector"] == selector
    assert listed["serial_number"] == "12345678"
    for each in (selector, "pcsc:Virtual", "serial:12345678", "auto"):
        assert "FIDO_2_1" in json.dumps(json.loads(run("info", "--json", each)))
    for unknown in ("ping", "wink"):
        refused = run(unknown, "auto", check=False)
        assert refused.returncode == 2
        assert "over USB HID only, not over PC/SC" in refused.stderr
    guard = ("--yes", "--serial", "12345678")
    run("pin", "set", "auto", *guard, environment={"TOKENKIT_NEW_PIN": "123456"})
    run("pin", "verify", "auto", **pin)
    rig.python(CEREMONY.replace("EXTENDED", "False"))
    assert "example.com" in run("creds", "list", "--json", "auto", **pin)
    run("config", "min-pin-length", "6", "auto", *guard, **pin)
    assert "6" in run("config", "show", "auto")
    refused = run("info", "pcsc:Virtual PCD 00 01", check=False)
    assert "has no FIDO card on it" in refused.stderr
    assert refused.returncode == 2


def test_tokenkit_resets_a_key_that_is_laid_on_anew(rig):
    key, plug = rig.lay_on()
    rig.python(CEREMONY.replace("EXTENDED", "False"))

    def has_pin():
        return rig.python("""
from fido2.ctap2 import Ctap2
print(json.dumps(Ctap2(device()).info.options["clientPin"]))
""")

    assert has_pin() is True
    program = rig.start_python("""
print("begins", flush=True)
from tokenkit.keys import open_key
from tokenkit.keys.reset import reset

def say(word, *rest):
    print(word, flush=True)
    input()

with open_key("serial:12345678") as key:
    reset(key, say, lambda seconds: say("waits"))
""")
    assert "take it off the reader" in program.stdout.readline()
    print(file=program.stdin, flush=True)
    assert program.stdout.readline() == "waits\n"  # until it is gone
    rig.take_off(plug)
    rig.python("""
from smartcard.Exceptions import CardConnectionException, NoCardException
while True:
    try:
        connect().disconnect()
    except NoCardException:
        break
    except CardConnectionException:  # it lost its power, which is not yet noticed
        continue
print("null")
""")
    print(file=program.stdin, flush=True)
    assert program.stdout.readline() == "waits\n"  # until it is back
    rig.lay_on_again(key)
    print(file=program.stdin, flush=True)
    assert program.stdout.readline() == ""
    assert program.wait() == 0
    assert has_pin() is False


def test_no_pcscd(rig, tmp_path):
    nowhere = {"environment": {"PCSCLITE_CSOCK_NAME": str(tmp_path / "nowhere")}}
    done = rig.program(*tokenkit("info", "pcsc:Virtual"), check=False, **nowhere)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    listed = rig.program(*tokenkit("list", "--json"), check=False, **nowhere)
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    assert "is pcscd running?" in listed.stderr
