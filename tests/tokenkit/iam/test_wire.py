"""The wire beside botocore, whose serializer writes what is read, and whose parser reads."""

import base64
import re
import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import QueryParser
from botocore.serialize import QuerySerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.iam.actions import ACTIONS
from tokenkit.iam.api import load_api
from tokenkit.iam.errors import AwsError
from tokenkit.iam.query import parse_form, read_parameters
from tokenkit.iam.xml import error_response, response

OPERATIONS = [(service, name) for service in ACTIONS for name in ACTIONS[service]]
# what Python's re has not, by an alphabet that lies within
UNICODE = string.ascii_letters + string.digits + "_.:/=+-@ éß漢"
EXAMPLES = max(10, settings().max_examples // 10)  # for each of many operations
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


def valid(shape: Any) -> st.SearchStrategy[Any]:
    """Values that a shape allows, as botocore takes and gives them."""
    kind = shape.type_name
    if kind == "structure":
        required = {name: valid(shape.members[name]) for name in shape.required_members}
        optional = {
            name: valid(member)
            for name, member in shape.members.items()
            if name not in shape.required_members
        }
        return st.fixed_dictionaries(required, optional=optional)
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    if kind == "list":
        items = valid(shape.member).filter(lambda item: item != {})  # which no form can say
        return st.lists(items, min_size=least, max_size=max(least, 3))
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "long"):
        return st.integers(least, most or 10**9)
    if kind == "timestamp":
        return st.integers(0, 4_000_000_000).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
    if kind == "blob":
        return st.binary(max_size=50)
    if kind == "map":
        return st.dictionaries(valid(shape.key), valid(shape.value), max_size=3)
    assert kind == "string", kind
    return strings(shape.metadata)


def strings(facts: dict[str, Any]) -> st.SearchStrategy[str]:
    if words := facts.get("enum"):
        return st.sampled_from(words)
    least, most = facts.get("min", 0), facts.get("max", 200)
    pattern = facts.get("pattern")
    if pattern is None:
        return st.text(PRINTABLE, min_size=least, max_size=max(least, 20))
    if r"\p{" in pattern:
        return st.text(UNICODE, min_size=least, max_size=min(most, least + 20))
    form = re.compile(pattern.replace(r"\u10000-\u10FFFF", ""), re.ASCII)
    long = {"size": least} if least > 3 else None
    if long and re.fullmatch(r"\[.*\][+*]", pattern):
        one = st.from_regex(
            re.compile(pattern[:-1].replace(r"\u10000-\u10FFFF", ""), re.ASCII), fullmatch=True
        )
        return st.lists(one, min_size=least, max_size=min(most, least + 10)).map("".join)
    return st.from_regex(form, fullmatch=True).filter(lambda text: least <= len(text) <= most)


def form_of(operation: Any, parameters: dict[str, Any]) -> bytes:
    """What botocore sends."""
    body = QuerySerializer().serialize_to_request(parameters, operation)["body"]
    return urlencode(body).encode()


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_what_botocore_writes_is_read(service: str, name: str, data: Any) -> None:
    operation = load_api(service).operations[name]
    shape = operation.input_shape
    parameters = data.draw(valid(shape)) if shape is not None else {}
    fields = parse_form(form_of(operation, parameters))
    assert fields["Action"] == name
    assert read_parameters(operation, fields) == parameters


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_what_is_written_botocore_reads(service: str, name: str, data: Any) -> None:
    api = load_api(service)
    operation = api.operations[name]
    shape = operation.output_shape
    result = data.draw(valid(shape)) if shape is not None else {}
    text = response(api, operation, in_seconds(shape, result), "some-id")
    read = QueryParser().parse({"status_code": 200, "headers": {}, "body": text.encode()}, shape)
    assert read.pop("ResponseMetadata")["RequestId"] == "some-id"
    assert as_read(shape, read) == as_read(shape, result)


def in_seconds(shape: Any, value: Any) -> Any:
    """Times as the actions give them."""
    kind = "" if shape is None else shape.type_name
    if kind == "structure":
        return {name: in_seconds(shape.members[name], each) for name, each in value.items()}
    if kind == "list":
        return [in_seconds(shape.member, each) for each in value]
    return value.timestamp() if kind == "timestamp" else value


def as_read(shape: Any, value: Any) -> Any:
    """Nothing may be read as empty, and a carriage return as a new line: XML 1.0 section 2.11."""
    if isinstance(value, dict):
        found = {name: as_read(None, each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each not in ("", [], {}, b"")}
    if isinstance(value, list):
        return [as_read(None, each) for each in value]
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return value


@given(message=st.text(st.characters(codec="utf-8")), code=st.sampled_from(["NoSuchEntity"]))
def test_any_message_is_xml(message: str, code: str) -> None:
    text = error_response(load_api("iam"), AwsError(code, message), "some-id")
    read = QueryParser().parse({"status_code": 404, "headers": {}, "body": text.encode()}, None)
    assert read["Error"]["Code"] == code
    printable = [each for each in message if each.isprintable()]
    assert [each for each in read["Error"]["Message"] or "" if each in printable] == [
        each for each in message if each.isprintable()
    ] or "\ufffd" in text


NAMES = st.sampled_from(["UserName", "SerialNumber", "Tags", "TagKeys", "MaxItems", "Path"])
ENDINGS = st.sampled_from(["", ".member.1", ".member.1.Key", ".member.x", ".member", ".1", "."])


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=EXAMPLES)
@given(fields=st.dictionaries(st.builds(str.__add__, NAMES, ENDINGS), st.text(), max_size=8))
def test_hostile_fields_are_read_or_refused(
    service: str, name: str, fields: dict[str, str]
) -> None:
    operation = load_api(service).operations[name]
    try:
        read = read_parameters(operation, fields)
    except AwsError as refused:
        form = r"ValidationError: ([1-9]\d* validation errors? detected: |The specified ).+"
        holds = re.match(form, str(refused))
    else:
        holds = read_parameters(operation, parse_form(form_of(operation, read))) == read
    assert holds


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_not(body: bytes) -> None:
    try:
        fields = parse_form(body)
    except AwsError as refused:
        fields = {"refused": refused.code}
        holds = refused.code == "MalformedInput"
    else:
        holds = len(fields) <= body.count(b"&") + 1
    assert holds, fields


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "CreateUser",
            {},
            "1 validation error detected: Value null at 'userName' failed to satisfy constraint:"
            " Member must not be null",
        ),
        (
            "CreateUser",
            {"UserName": "a b"},
            "The specified value for userName is invalid. It must contain only alphanumeric"
            " characters and/or the following: +=,.@_-",
        ),
        (
            "CreateUser",
            {"UserName": "x" * 65},
            "1 validation error detected: Value at 'userName' failed to satisfy constraint: Member"
            " must have length less than or equal to 64",
        ),
        (
            "ListUsers",
            {"MaxItems": "0", "Marker": ""},
            "2 validation errors detected: Value at 'marker' failed to satisfy constraint: Member"
            " must have length greater than or equal to 1; Value at 'maxItems' failed to satisfy"
            " constraint: Member must have value greater than or equal to 1",
        ),
        (
            "ListUsers",
            {"MaxItems": "many"},
            "1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member"
            " must be of type integer",
        ),
        (
            "UpdateAccessKey",
            {"AccessKeyId": "A" * 20, "Status": "asleep"},
            "1 validation error detected: Value at 'status' failed to satisfy constraint: Member"
            " must satisfy enum value set: [Active, Inactive, Expired]",
        ),
        (
            "EnableMFADevice",
            {
                "UserName": "ann",
                "SerialNumber": "GAHT00000001",
                "AuthenticationCode1": "12345x",
                "AuthenticationCode2": "１２３４５６",
            },
            "2 validation errors detected: Value at 'authenticationCode1' failed to satisfy"
            r" constraint: Member must satisfy regular expression pattern: [\d]+; Value at"
            " 'authenticationCode2' failed to satisfy constraint: Member must satisfy regular"
            r" expression pattern: [\d]+",
        ),
    ],
)
def test_what_is_wrong_is_said_as_aws_says_it(
    name: str, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        read_parameters(load_api("iam").operations[name], fields)
    assert (caught.value.code, caught.value.message) == ("ValidationError", message)


def test_a_parameter_that_is_named_twice() -> None:
    with pytest.raises(AwsError, match="twice"):
        parse_form(b"UserName=ann&UserName=bob")


def test_deep_names_and_long_lists_are_refused_quickly() -> None:
    tag = load_api("iam").operations["TagMFADevice"]
    serial = {"SerialNumber": "GAHT00000001"}
    deep = {**serial, "Tags" + ".member.1" * 5000: "x"}
    many = {**serial, **{f"Tags.member.{number}.Key": "x" for number in range(1, 1900)}}
    for fields in (deep, many):
        with pytest.raises(AwsError, match="validation error"):
            read_parameters(tag, fields)


def test_blobs_and_times_on_the_wire() -> None:
    api = load_api("iam")
    text = response(
        api,
        api.operations["GetCredentialReport"],
        {"Content": b"user\n", "GeneratedTime": 1.9},
        "id",
    )
    assert f"<Content>{base64.b64encode(b'user' + bytes([10])).decode()}</Content>" in text
    assert "<GeneratedTime>1970-01-01T00:00:01Z</GeneratedTime>" in text


def test_docs_list_the_operations() -> None:
    text = (Path(__file__).parents[3] / "docs/iam.md").read_text("utf-8")
    rows = text[text.index("## Operations") : text.index("Every other operation")]
    assert set(re.findall(r"`(\w+)`", rows)) == {name for _, name in OPERATIONS}
