"""Every operation with whatever its model's shapes allow, and with what they do not.

No 5xx, the modelled error, and nothing half done: what is refused changes nothing but counters of
failures and the log.
"""

import re
import string
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import QueryParser
from botocore.serialize import QuerySerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.iam.actions import ACTIONS
from tokenkit.iam.api import load_api
from tokenkit.iam.app import Iam
from tokenkit.iam.signature import HttpRequest
from tokenkit.service import Service
from tokenkit.verifier import Verifier, store
from tokenkit.virtual import World

OPERATIONS = [(service, name) for service in ACTIONS for name in ACTIONS[service]]
EXAMPLES = max(15, settings().max_examples // 7)  # for each of many operations
KEY = Credentials("AKIAROOTROOTROOTROOT", "secret")
# what there is, so that requests get past "no such"
PRESENT = {
    "UserName": ["ann", "bob", "root"],
    "SerialNumber": [
        "arn:aws:iam::123456789012:mfa/held",
        "arn:aws:iam::123456789012:mfa/free",
        "TKTEST00000001",
    ],
    "VirtualMFADeviceName": ["held", "new"],
    "RoleName": ["admin"],
    "RoleArn": ["arn:aws:iam::123456789012:role/admin"],
    "PolicyName": ["all"],
    "AccessKeyId": ["AKIAROOTROOTROOTROOT"],
    "AuthenticationCode1": ["123456"],
    "AuthenticationCode2": ["654321"],
}
POLICY = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
TRUST = '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}'
PRESENT["PolicyDocument"] = [POLICY, TRUST, "{", "[" * 50_000]
PRESENT["AssumeRolePolicyDocument"] = [TRUST, POLICY, "null"]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)


class Account:
    """An account with something of each kind."""

    def __init__(self) -> None:
        world = World(seed=1)
        random_bytes = world.child_entropy("verifier").bytes
        self.verifier = Verifier(
            now=world.clock.now, random_bytes=random_bytes, sealing_key=bytes(32)
        )
        verifier = self.verifier
        verifier.create_access_key("root", key_id=KEY.access_key, secret=KEY.secret_key)
        for name in ("ann", "bob"):
            verifier.create_user(name)
        verifier.put_user_policy("ann", "all", POLICY)
        verifier.create_role("admin", TRUST)
        verifier.create_authenticator_app("held")
        verifier.create_authenticator_app("free")
        self.service = Service(verifier, world, computer_now=world.clock.now)
        [serial_number] = self.service.tokens.make()
        token = self.service.tokens.find(serial_number)
        verifier.enable("bob", serial_number, *token.two_codes())
        self._iam = Iam(self.service, world.child_entropy("requests").bytes)

    def send(self, service: str, form: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
        """Status and XML of the answer to root's signed request."""
        moment = datetime.fromtimestamp(self.service.clock.now(), UTC)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: moment)
        request = AWSRequest("POST", "http://x/", data=form)
        SigV4Auth(KEY, service, "us-east-1").add_auth(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, _, text = self._iam.answer(
            HttpRequest("POST", "/", "", {**headers, "host": "x"}, form)
        )
        return status, text

    def contents(self) -> dict[str, Any]:
        """All that is stored, but for counters and the log."""
        free = {"failures", "failed_s", "used_s", "used_service", "used_region", "last_used_s"}
        with self.verifier._store.transaction() as connection:
            return {
                table.name: sorted(
                    repr({name: value for name, value in row._mapping.items() if name not in free})
                    for row in connection.execute(table.select())
                )
                for table in store.metadata.sorted_tables
                if table.name not in ("mfa_audit", "mfa_audit_head")
            }


_unchanged: list[Account] = []


def account() -> Account:
    """The one that the last request left as it was, or a new one."""
    return _unchanged.pop() if _unchanged else Account()


def parameter(name: str, shape: Any) -> st.SearchStrategy[Any]:
    """Of the shape, or near it, or what there is."""
    kind = shape.type_name
    if kind == "list":
        return st.lists(parameter(name, shape.member), max_size=3)
    if kind == "structure":
        return st.fixed_dictionaries(
            {}, optional={each: parameter(each, shape.members[each]) for each in shape.members}
        ).filter(bool)
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(-(10**6), 10**6) | st.integers(1, 5)
    words = PRESENT.get(name, [])
    allowed = st.text(string.ascii_letters + string.digits + "/", min_size=6, max_size=12)
    choices = [st.sampled_from(words)] * 3 if words else []
    if enum := shape.metadata.get("enum"):
        choices.append(st.sampled_from(enum))
    return st.one_of(*choices, allowed, TEXT)


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_any_parameters(
    service: str, name: str, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = load_api(service).operations[name]
    shape = operation.input_shape
    given = {}
    if shape is not None:
        required = set(shape.required_members) if data.draw(st.integers(0, 4)) else set()
        for member, of in shape.members.items():
            if member in required or data.draw(st.integers(0, 3)) == 0:
                given[member] = data.draw(parameter(member, of))
    body = QuerySerializer().serialize_to_request(given, operation)["body"]
    check(service, operation, urlencode(body).encode(), monkeypatch)


@settings(max_examples=10 * EXAMPLES)
@given(
    service=st.sampled_from(["iam", "sts"]),
    fields=st.dictionaries(TEXT | st.sampled_from(["Action", "Version"]), TEXT, max_size=5),
    name=st.sampled_from(["", "GetUser", "CreateUser", "AttachUserPolicy", "NoSuchOperation"]),
    version=st.sampled_from(["2010-05-08", "2011-06-15", "1"]),
)
def test_any_form(
    service: str,
    fields: dict[str, str],
    name: str,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = urlencode({**fields, "Action": name, "Version": version}).encode()
    check(service, None, form, monkeypatch)


@settings(max_examples=10 * EXAMPLES)
@given(body=st.binary(max_size=300))
def test_any_body(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    check("iam", None, body, monkeypatch)


def check(service: str, operation: Any, form: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    there = account()
    before = there.contents()
    status, text = there.send(service, form, monkeypatch)
    read = QueryParser().parse(
        {"status_code": status, "headers": {}, "body": text.encode()},
        operation.output_shape if operation is not None and status == 200 else None,
    )
    assert status < 500, text
    if status == 200:
        assert read["ResponseMetadata"]["RequestId"]
        return
    assert re.fullmatch("[A-Za-z]+", read["Error"]["Code"])
    assert read["Error"]["Message"]
    assert there.contents() == before
    _unchanged.append(there)
