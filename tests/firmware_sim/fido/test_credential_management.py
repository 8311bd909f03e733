"""authenticatorCredentialManagement through python-fido2's CredentialManagement."""

import hashlib

import pytest
from fido2.ctap2 import CredentialManagement, PinProtocolV1, PinProtocolV2
from fido2.ctap2.credman import CredentialManagement as Credman

PIN = "271828"
RESULT = Credman.RESULT
RPS = ["a.example", "b.example", "c.example"]


def rp_id_hash(rp_id):
    return hashlib.sha256(rp_id.encode()).digest()


class Managed:
    """A key with a PIN, three credentials at a.example, two at b.example, one at c.example."""

    def __init__(self, bench, protocol):
        self.bench = bench
        self.protocol = protocol
        self.client.set_pin(PIN)
        self.made = {
            rp_id: [self.make(rp_id, f"user {number}") for number in range(count)]
            for rp_id, count in zip(RPS, (3, 2, 1), strict=True)
        }

    @property
    def client(self):
        return self.bench.pin(self.protocol)

    def token(self, permission, rp_id=None):
        return self.client.get_pin_token(PIN, permission, rp_id)

    def make(self, rp_id, user, **extensions):
        token = self.token(self.client.PERMISSION.MAKE_CREDENTIAL, rp_id)
        return self.bench.make(
            user.encode(),
            rp={"id": rp_id, "name": "Example"},
            options={"rk": True},
            extensions=extensions or None,
            pin_uv_param=self.client.protocol.authenticate(token, self.bench.client_data_hash),
            pin_uv_protocol=self.client.protocol.VERSION,
        )

    def manage(self, rp_id=None):
        token = self.token(self.client.PERMISSION.CREDENTIAL_MGMT, rp_id)
        return CredentialManagement(self.bench.ctap, self.client.protocol, token)


@pytest.fixture(params=[PinProtocolV1, PinProtocolV2])
def managed(bench, request):
    return Managed(bench, request.param())


def described(credential):
    return {"id": credential.auth_data.credential_data.credential_id, "type": "public-key"}


def test_metadata(managed):
    assert managed.manage().get_metadata() == {
        RESULT.EXISTING_CRED_COUNT: 6,
        RESULT.MAX_REMAINING_COUNT: 94,
    }


def test_rps(managed):
    found = managed.manage().enumerate_rps()
    assert [each[RESULT.RP]["id"] for each in found] == RPS
    assert [each[RESULT.RP_ID_HASH] for each in found] == [rp_id_hash(rp_id) for rp_id in RPS]
    assert found[0][RESULT.TOTAL_RPS] == 3


@pytest.mark.parametrize("bound", [True, False])
def test_credentials(managed, bound):
    for rp_id in RPS:
        manage = managed.manage(rp_id if bound else None)
        found = manage.enumerate_creds(rp_id_hash(rp_id))
        newest_first = managed.made[rp_id][::-1]
        assert found[0][RESULT.TOTAL_CREDENTIALS] == len(newest_first)
        for answer, made in zip(found, newest_first, strict=True):
            assert answer[RESULT.CREDENTIAL_ID] == described(made)
            assert answer[RESULT.PUBLIC_KEY] == made.auth_data.credential_data.public_key
            assert answer[RESULT.USER]["displayName"].startswith("User ")
            assert answer[RESULT.CRED_PROTECT] == 1
            assert answer[RESULT.THIRD_PARTY_PAYMENT] is False


def test_protection_and_payment_are_told(managed):
    managed.make("d.example", "user", credProtect=3, thirdPartyPayment=True)
    [answer] = managed.manage().enumerate_creds(rp_id_hash("d.example"))
    assert answer[RESULT.CRED_PROTECT] == 3
    assert answer[RESULT.THIRD_PARTY_PAYMENT] is True


def test_delete(managed):
    managed.manage().delete_cred(described(managed.made["a.example"][1]))
    manage = managed.manage()
    assert manage.get_metadata()[RESULT.EXISTING_CRED_COUNT] == 5
    assert len(manage.enumerate_creds(rp_id_hash("a.example"))) == 2
    manage.delete_cred(described(managed.made["c.example"][0]))
    assert [each[RESULT.RP]["id"] for each in manage.enumerate_rps()] == RPS[:2]
    failed = managed.bench.fails(manage.delete_cred, described(managed.made["c.example"][0]))
    assert failed == "NO_CREDENTIALS"
    managed.bench.power_cycle()
    assert managed.manage().get_metadata()[RESULT.EXISTING_CRED_COUNT] == 4


def test_update_user(managed):
    chosen = managed.made["a.example"][0]
    manage = managed.manage()
    manage.update_user_info(described(chosen), {"id": b"user 0", "name": "renamed"})
    managed.bench.power_cycle()
    found = managed.manage().enumerate_creds(rp_id_hash("a.example"))
    users = {answer[RESULT.CREDENTIAL_ID]["id"]: answer[RESULT.USER] for answer in found}
    assert users[described(chosen)["id"]] == {"id": b"user 0", "name": "renamed"}
    other = {"id": b"another", "name": "user"}
    failed = managed.bench.fails(managed.manage().update_user_info, described(chosen), other)
    assert failed == "INVALID_PARAMETER"


def test_an_empty_key_has_nothing_to_show(bench):
    client = bench.pin()
    client.set_pin(PIN)
    token = client.get_pin_token(PIN, client.PERMISSION.CREDENTIAL_MGMT)
    manage = CredentialManagement(bench.ctap, client.protocol, token)
    assert manage.get_metadata()[RESULT.EXISTING_CRED_COUNT] == 0
    assert manage.enumerate_rps() == []
    assert manage.enumerate_creds(rp_id_hash("a.example")) == []


def test_a_token_bound_to_an_rp_sees_that_rp_alone(managed):
    manage, fails = managed.manage("a.example"), managed.bench.fails
    assert fails(manage.get_metadata) == "PIN_AUTH_INVALID"
    assert fails(manage.enumerate_rps) == "PIN_AUTH_INVALID"
    assert fails(manage.enumerate_creds, rp_id_hash("b.example")) == "PIN_AUTH_INVALID"
    other = described(managed.made["b.example"][0])
    assert fails(manage.delete_cred, other) == "PIN_AUTH_INVALID"
    user = {"id": b"user 0", "name": "renamed"}
    assert fails(manage.update_user_info, other, user) == "PIN_AUTH_INVALID"
    manage.delete_cred(described(managed.made["a.example"][0]))


def test_a_token_without_the_permission_sees_nothing(managed):
    token = managed.token(managed.client.PERMISSION.GET_ASSERTION, "a.example")
    manage = CredentialManagement(managed.bench.ctap, managed.client.protocol, token)
    assert managed.bench.fails(manage.enumerate_creds, rp_id_hash("a.example")) == (
        "PIN_AUTH_INVALID"
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"sub_cmd": 1}, "PUAT_REQUIRED"),
        ({"sub_cmd": 1, "pin_uv_param": bytes(16)}, "MISSING_PARAMETER"),
        ({"sub_cmd": 1, "pin_uv_param": bytes(16), "pin_uv_protocol": 3}, "INVALID_PARAMETER"),
        ({"sub_cmd": 1, "pin_uv_param": bytes(16), "pin_uv_protocol": 1}, "PIN_AUTH_INVALID"),
        ({"sub_cmd": 8}, "INVALID_SUBCOMMAND"),
        ({"sub_cmd": 3}, "NOT_ALLOWED"),
        ({"sub_cmd": 5}, "NOT_ALLOWED"),
        ({"sub_cmd": "1"}, "CBOR_UNEXPECTED_TYPE"),
    ],
)
def test_wrong_requests(managed, arguments, status):
    assert managed.bench.fails(managed.bench.ctap.credential_mgmt, **arguments) == status


def test_a_missing_parameter(managed):
    manage = managed.manage()
    for subcommand in (4, 6, 7):
        assert managed.bench.fails(manage._call, subcommand, {}) == "MISSING_PARAMETER"


@pytest.mark.parametrize(
    "other",
    [
        lambda manage: manage.ctap.get_info(),
        lambda manage: manage.get_metadata(),
        lambda manage: manage.ctap.selection(),
    ],
)
def test_an_enumeration_ends_with_any_other_command(managed, other):
    manage = managed.manage()
    manage.enumerate_rps_begin()
    manage.enumerate_rps_next()
    other(manage)
    assert managed.bench.fails(manage.enumerate_rps_next) == "NOT_ALLOWED"


def test_an_enumeration_and_assertions_end_each_other(managed):
    manage = managed.manage()
    manage.enumerate_rps_begin()
    assert managed.bench.fails(managed.bench.ctap.get_next_assertion) == "NOT_ALLOWED"
    assert managed.bench.fails(manage.enumerate_rps_next) == "NOT_ALLOWED"
    assert managed.bench.get(rp_id="a.example").number_of_credentials == 3
    assert managed.bench.fails(manage.enumerate_rps_next) == "NOT_ALLOWED"
    assert managed.bench.fails(managed.bench.ctap.get_next_assertion) == "NOT_ALLOWED"


def test_an_enumeration_ends_after_30_seconds_and_at_its_end(managed):
    manage = managed.manage()
    manage.enumerate_creds_begin(rp_id_hash("a.example"))
    managed.bench.clock.advance(30)
    manage.enumerate_creds_next()
    managed.bench.clock.advance(31)
    assert managed.bench.fails(manage.enumerate_creds_next) == "NOT_ALLOWED"
    manage = managed.manage()
    manage.enumerate_creds_begin(rp_id_hash("b.example"))
    assert managed.bench.fails(manage.enumerate_rps_next) == "NOT_ALLOWED"
    manage.enumerate_creds_begin(rp_id_hash("b.example"))
    manage.enumerate_creds_next()
    assert managed.bench.fails(manage.enumerate_creds_next) == "NOT_ALLOWED"
