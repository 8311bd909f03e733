"""Policy documents: what is refused, what is decided; and the same by a naive reference."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.iam.errors import AwsError
from tokenkit.iam.policy_conditions import condition_operators
from tokenkit.iam.policy_document import (
    Policy,
    Request,
    parse_policy,
    parse_trust_policy,
    verdict,
)

ANN = "arn:aws:iam::123456789012:user/ann"

_WORDS = [
    "Version",
    "2012-10-17",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Allow",
    "Deny",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "AWS",
    "*",
    "iam:*",
    "Condition",
    "Bool",
    "true",
    "NumericEquals",
    "IpAddress",
    "::/0",
    "1",
    "${aws:x}",
    "arn:a",
    "Null",
]


def statement(**members: Any) -> dict[str, Any]:
    """One that allows everything; members of None are left out."""
    whole = {"Effect": "Allow", "Action": "*", "Resource": "*", **members}
    return {name: value for name, value in whole.items() if value is not None}


def document(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    whole: dict[str, Any] = {"Statement": list(statements)}
    return json.dumps(whole if version is None else {"Version": version, **whole})


def policy(*statements: dict[str, Any], version: str | None = "2012-10-17") -> Policy:
    return parse_policy(document(*statements, version=version))


def context(values: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        key.lower(): (value,) if isinstance(value, str) else tuple(value)
        for key, value in values.items()
    }


def allows(found: Policy, action: str = "iam:GetUser", resource: str = ANN, **given: Any) -> bool:
    keys = context({name.replace("_", ":"): value for name, value in given.items()})
    return verdict([found], Request(action, resource, keys)) == "allow"


def holds(operator: str, value: Any, given: Any) -> bool:
    """Whether a condition on the key "tk:key" holds; ``given`` None: the key is not there."""
    found = policy(statement(Condition={operator: {"tk:Key": value}}))
    return allows(found, **({} if given is None else {"tk_key": given}))


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            '"text"',
            "{}",
            '{"Statement": []}',
            '{"Statement": "Allow"}',
            '{"Statement": [1]}',
            '{"Version": "2012-10-18", "Statement": {}}',
            '{"Version": 2012, "Statement": {}}',
            '{"Version": ["2012-10-17"], "Statement": {}}',
            document(statement()).replace('"Version"', '"version"'),
            document(statement()).replace('"Version"', '"Id": 5, "Version"'),
            document(statement()).replace('"Version"', '"Version": "2012-10-17", "Version"'),
            document(statement()).replace('"Effect"', '"Effect": "Deny", "Effect"'),
            document(statement(Effect="allow")),
            document(statement(Effect=None)),
            document(statement(Effect=["Allow"])),
            document(statement(Sid=5)),
            document(statement(Principal="*")),
            document(statement(Resources="*")),
            document(statement(NotAction="iam:*")),
            document(statement(NotResource="*")),
            document(statement(Action=5)),
            document(statement(Action=[5])),
            document(statement(Action={"iam": "*"})),
            document(statement(Action="iam:")),
            document(statement(Resource=[None])),
            document(statement(Condition=[])),
            document(statement(Condition={"StringEquals": "x"})),
            document(statement(Condition={"StringEquals": {"aws:username": {}}})),
            document(statement(Condition={"StringEquals": {"aws:username": None}})),
            document(statement(Condition={"StringEqual": {"aws:username": "ann"}})),
            document(statement(Condition={"ForSomeValues:Bool": {"aws:username": "ann"}})),
            document(statement(Condition={"NullIfExists": {"aws:username": "true"}})),
            document(statement(Condition={"IfExists": {"aws:username": "true"}})),
            "[" * 100_000,
            '{"Statement":' * 50_000,
            '{"Statement": NaN}',
            '{"Statement": ' + "1" * 5000 + "}",
            document(statement()) + " " * 131_072,
        ],
        ids=lambda text: text[:90],
    )
    def test_syntax(self, text: str) -> None:
        assert refusal(text) == "Syntax errors in policy."

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"Action": None}, "Policy statement must contain actions."),
            ({"Action": []}, "Policy statement must contain actions."),
            ({"Resource": None}, "Policy statement must contain resources."),
            ({"Resource": []}, "Policy statement must contain resources."),
            (
                {"Action": "GetUser"},
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            ({"Action": "a:b:c"}, "Actions/Condition can contain only one colon."),
            ({"Action": "i am:*"}, "Vendor i am is not valid"),
            ({"Resource": "ann"}, 'Resource ann must be in ARN format or "*".'),
            *(
                ({"Condition": {operator: {"aws:x": value}}}, "The policy failed legacy parsing")
                for operator, value in [
                    ("NumericEquals", "one"),
                    ("NumericLessThan", 1e999),
                    ("DateEquals", "yesterday"),
                    ("DateLessThan", "2020-13-01T00:00:00Z"),
                    ("IpAddress", "10.0.0.0/33"),
                    ("NotIpAddress", "localhost"),
                    ("Null", "maybe"),
                ]
            ),
        ],
        ids=repr,
    )
    def test_in_iams_words(self, members: dict[str, Any], message: str) -> None:
        text = document(statement(**members)).replace("Infinity", "1e999")
        assert refusal(text) == message

    def test_the_same_sid_twice(self) -> None:
        text = document(statement(Sid="a"), statement(Sid="a"))
        assert refusal(text) == "Statement IDs (SID) in a single policy must be unique."
        parse_policy(document(statement(Sid=""), statement(Sid="")))

    @given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
    def test_any_text(self, text: str) -> None:
        for parse in (parse_policy, parse_trust_policy):
            assert outcome(parse, text) == "MalformedPolicyDocument"

    @given(st.data())
    def test_any_json_of_the_words_of_policies(self, data: st.DataObject) -> None:
        """Either a document is refused, or all that it may be asked is answered."""
        words = st.sampled_from(_WORDS)
        leaf = words | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.none()
        some = st.recursive(
            leaf,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
        )
        inner = st.fixed_dictionaries(
            {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.just("iam:*") | some},
            optional={
                "Resource": st.just("*") | some,
                "NotResource": some,
                "Principal": some,
                "Sid": some,
                "Condition": st.dictionaries(
                    st.sampled_from(condition_operators()), st.dictionaries(words, some)
                )
                | some,
            },
        )
        text = json.dumps({"Statement": data.draw(inner | some)}).replace("Infinity", "1e999")
        for parse in (parse_policy, parse_trust_policy):
            found = outcome(parse, text)
            if found == "MalformedPolicyDocument":
                continue
            keys = context({"true": "x", "aws:x": "1", "bool": "::1"})
            assert verdict([found], Request("iam:X", "r", keys)) in ("allow", "deny", "nothing")


def outcome(parse: Any, text: str) -> Any:
    """The policy, or the code of the refusal."""
    try:
        return parse(text)
    except AwsError as error:
        return error.code


def refusal(text: str, parse: Any = parse_policy) -> str:
    with pytest.raises(AwsError) as caught:
        parse(text)
    assert caught.value.code == "MalformedPolicyDocument"
    return caught.value.message


class TestStatements:
    def test_what_nobody_allows_is_denied(self) -> None:
        assert verdict([], Request("iam:GetUser", ANN, {})) == "nothing"
        assert not allows(policy(statement(Action="iam:GetRole")))

    def test_a_deny_wins_in_any_order(self) -> None:
        both = [policy(statement()), policy(statement(Effect="Deny", Action="iam:Get*"))]
        for order in (both, both[::-1]):
            assert verdict(order, Request("iam:GetUser", ANN, {})) == "deny"
            assert verdict(order, Request("iam:ListUsers", ANN, {})) == "allow"

    @pytest.mark.parametrize(
        ("pattern", "action", "fits"),
        [
            ("*", "iam:GetUser", True),
            ("iam:*", "iam:GetUser", True),
            ("IAM:getuser", "iam:GetUser", True),
            ("iam:G?tUser", "iam:GetUser", True),
            ("iam:Get", "iam:GetUser", False),
            ("iam:*User", "iam:GetUser", True),
            ("iam:[G]etUser", "iam:GetUser", False),
            ("sts:*", "iam:GetUser", False),
            ("iam:${aws:username}", "iam:ann", False),
        ],
    )
    def test_actions(self, pattern: str, action: str, fits: bool) -> None:
        if "${" not in pattern:
            assert allows(policy(statement(Action=pattern)), action) == fits
            others = policy(statement(Action=None, NotAction=pattern))
            assert allows(others, action) != fits
        else:
            assert refusal(document(statement(Action=pattern))).startswith("Actions/Condition")

    @pytest.mark.parametrize(
        ("pattern", "fits"),
        [
            ("*", True),
            (ANN, True),
            ("arn:aws:iam::*:user/*", True),
            ("arn:aws:iam::*:user/${aws:username}", True),
            ("arn:aws:iam::*:user/${AWS:UserName}", True),
            ("arn:aws:iam::*:user/${aws:x, 'ann'}", True),
            ("arn:aws:iam::*:user/${aws:x,'bob'}", False),
            ("arn:aws:iam::*:user/${aws:x}", False),
            ("arn:aws:iam::*:user/${aws:wild}", False),
            ("arn:aws:iam::*:user/${*}", False),
            ("arn:aws:iam::*:user/${aws:username", False),
            ("arn:aws:iam::*:USER/ann", False),
            ("arn:aws:iam::*:user/[a]nn", False),
            ("arn:aws:iam::*:role/ann", False),
        ],
    )
    def test_resources(self, pattern: str, fits: bool) -> None:
        given = {"aws_username": "ann", "aws_wild": "*"}
        assert allows(policy(statement(Resource=pattern)), **given) == fits
        others = policy(statement(Resource=None, NotResource=pattern))
        assert allows(others, **given) != fits

    def test_wildcards_that_are_text(self) -> None:
        found = policy(statement(Resource="arn:x/${*}${?}${$}[!a]"))
        assert allows(found, resource="arn:x/*?$[!a]")
        assert not allows(found, resource="arn:x/ab$[!a]")

    def test_old_documents_have_no_variables(self) -> None:
        pattern = "arn:x/${aws:username}"
        for version in (None, "2008-10-17"):
            found = policy(statement(Resource=pattern), version=version)
            assert not allows(found, resource="arn:x/ann", aws_username="ann")
            assert allows(found, resource=pattern, aws_username="ann")
            assert found.keys == frozenset()

    def test_the_keys_that_are_asked_for(self) -> None:
        found = policy(
            statement(
                Resource="arn:x/${aws:PrincipalTag/team}",
                Condition={"StringLike": {"aws:UserName": "${aws:x, '${*}'}-${aws:y,'z'}"}},
            )
        )
        assert {"aws:principaltag/team", "aws:username", "aws:y"} <= found.keys


class TestConditions:
    @pytest.mark.parametrize(
        ("operator", "value", "given", "expected"),
        [
            ("StringEquals", "a", "a", True),
            ("StringEquals", "a", "A", False),
            ("StringEquals", ["b", "a"], "a", True),
            ("StringEquals", "a*", "ab", False),
            ("StringEquals", "a", None, False),
            ("StringEquals", [], "a", False),
            ("StringNotEquals", "a", "b", True),
            ("StringNotEquals", ["a", "b"], "b", False),
            ("StringNotEquals", "a", None, True),
            ("StringEqualsIfExists", "a", None, True),
            ("StringEqualsIfExists", "a", "b", False),
            ("StringEqualsIgnoreCase", "a", "A", True),
            ("StringNotEqualsIgnoreCase", "a", "A", False),
            ("StringLike", "a?c*", "abcd", True),
            ("StringLike", "a?c*", "abd", False),
            ("StringNotLike", "a*", "b", True),
            ("StringLike", "${tk:key}", "a", True),
            ("StringEquals", "${tk:other}", "a", False),
            ("StringNotEquals", "${tk:other}", "a", True),
            ("NumericEquals", 5, "5", True),
            ("NumericEquals", "5.0", "5", True),
            ("NumericEquals", "5", "five", False),
            ("NumericNotEquals", "5", "6", True),
            ("NumericLessThan", "5", "4.9", True),
            ("NumericLessThan", "5", "5", False),
            ("NumericLessThanEquals", "5", "5", True),
            ("NumericGreaterThan", "-5", "-4", True),
            ("NumericGreaterThanEquals", "10", "9", False),
            ("DateEquals", "2020-01-01T00:00:00Z", "1577836800", True),
            ("DateEquals", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z", True),
            ("DateEquals", "2020-01-01", "2020-01-01T00:00:00", True),
            ("DateNotEquals", 1577836800, "2020-01-01T00:00:00Z", False),
            ("DateLessThan", "2020-01-01T00:00:00Z", "2019-12-31T23:59:59Z", True),
            ("DateGreaterThan", "2020-01-01T00:00:00Z", "2019-12-31T23:59:59Z", False),
            ("DateLessThan", "2020-01-01T00:00:00Z", "never", False),
            ("Bool", True, "true", True),
            ("Bool", "TRUE", "true", True),
            ("Bool", "true", "false", False),
            ("Bool", "false", None, False),
            ("BoolIfExists", "false", None, True),
            ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
            ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
            ("IpAddress", "10.0.0.1/8", "10.1.2.3", True),
            ("IpAddress", "10.1.2.3", "10.1.2.3", True),
            ("IpAddress", "::/0", "10.1.2.3", False),
            ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
            ("IpAddress", "10.0.0.0/8", "no address", False),
            ("NotIpAddress", "10.0.0.0/8", "192.168.0.1", True),
            ("NotIpAddress", ["10.0.0.0/8", "192.168.0.0/16"], "192.168.0.1", False),
            ("ArnEquals", "arn:aws:iam::*:user/*", ANN, True),
            ("ArnLike", "arn:aws:iam::*:user/a?n", ANN, True),
            ("ArnLike", "arn:aws:*", ANN, False),
            ("ArnLike", "arn:*:iam::*:user/ann", ANN, True),
            ("ArnLike", "arn:aws:iam::123456789012:user/${tk:name, 'ann'}", ANN, True),
            ("ArnNotLike", "arn:aws:iam::*:role/*", ANN, True),
            ("ArnNotEquals", ANN, ANN, False),
            ("ArnLike", "*", "no ARN", False),
            ("Null", "true", None, True),
            ("Null", True, "x", False),
            ("Null", "false", "x", True),
            ("ForAnyValue:StringEquals", ["a", "b"], ["b", "c"], True),
            ("ForAnyValue:StringEquals", ["a", "b"], ["c"], False),
            ("ForAnyValue:StringEquals", ["a"], None, False),
            ("ForAnyValue:StringNotEquals", ["a"], ["a", "b"], True),
            ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
            ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
            ("ForAllValues:StringEquals", ["a"], None, True),
            ("ForAllValues:StringNotEquals", ["a"], ["a", "b"], False),
            ("ForAllValues:StringLike", "a*", ["ab", "ac"], True),
            ("StringNotEquals", "a", ["a", "b"], False),
        ],
    )
    def test_operators(self, operator: str, value: Any, given: Any, expected: bool) -> None:
        assert holds(operator, value, given) == expected

    def test_all_must_hold(self) -> None:
        found = policy(
            statement(
                Condition={
                    "StringEquals": {"a:x": "1", "a:y": "2"},
                    "Bool": {"aws:MultiFactorAuthPresent": "true"},
                }
            )
        )
        whole = {"a_x": "1", "a_y": "2", "aws_multifactorauthpresent": "true"}
        assert allows(found, **whole)
        for name in whole:
            assert not allows(found, **{**whole, name: "0"})

    def test_deny_unless_mfa_with_long_term_keys(self) -> None:
        """Where the key is absent, Bool denies nothing and BoolIfExists does: as documented."""
        for operator, denies in (("Bool", False), ("BoolIfExists", True)):
            condition = {operator: {"aws:MultiFactorAuthPresent": "false"}}
            found = policy(statement(), statement(Effect="Deny", Condition=condition))
            assert allows(found) != denies
            assert allows(found, aws_multifactorauthpresent="true")
            assert not allows(found, aws_multifactorauthpresent="false")

    @given(
        st.sampled_from(["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan"]),
        st.integers(-(10**12), 10**12),
        st.integers(-(10**12), 10**12),
    )
    def test_numbers_are_compared_as_numbers(self, name: str, left: int, right: int) -> None:
        expected = {
            "Equals": left == right,
            "NotEquals": left != right,
            "LessThan": left < right,
            "LessThanEquals": left <= right,
            "GreaterThan": left > right,
        }[name]
        assert holds(f"Numeric{name}", right, str(left)) == expected
        assert holds(f"Date{name}", right, str(left)) == expected


class TestTrustPolicies:
    def trust(self, **members: Any) -> str:
        whole = {"Action": "sts:AssumeRole", "Resource": None, "Principal": "*", **members}
        return document(statement(**whole))

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"Principal": None}, "Missing required field Principal"),
            ({"Principal": {}}, "Missing required field Principal"),
            ({"Resource": "*"}, "Has prohibited field Resource."),
            ({"Principal": "ann"}, "Syntax errors in policy."),
            ({"Principal": [ANN]}, "Syntax errors in policy."),
            ({"Principal": {"aws": ANN}}, "Syntax errors in policy."),
            ({"Principal": {"AWS": [5]}}, "Syntax errors in policy."),
            ({"Principal": {"AWS": "ann"}}, 'Invalid principal in policy: "AWS":"ann"'),
            (
                {"Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}},
                'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/*"',
            ),
            (
                {"Action": "iam:GetUser"},
                "Trust Policy statement actions can only be sts:AssumeRole,"
                " sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity",
            ),
            (
                {"Principal": None, "NotPrincipal": {"AWS": ANN}},
                "Allow with NotPrincipal is not allowed.",
            ),
        ],
        ids=repr,
    )
    def test_refusals(self, members: dict[str, Any], message: str) -> None:
        assert refusal(self.trust(**members), parse_trust_policy) == message

    @pytest.mark.parametrize(
        ("principal", "fits"),
        [
            ("*", True),
            ({"AWS": "*"}, True),
            ({"AWS": ANN}, True),
            ({"AWS": [ANN + "a", ANN]}, True),
            ({"AWS": "123456789012"}, False),
            ({"AWS": "arn:aws:iam::123456789012:root"}, False),
            ({"Service": "ec2.amazonaws.com"}, False),
            ({"Service": ANN}, False),
            ({"Federated": "*"}, False),
        ],
    )
    def test_principals(self, principal: Any, fits: bool) -> None:
        found = parse_trust_policy(self.trust(Principal=principal))
        request = Request("sts:AssumeRole", "arn:role", {}, frozenset({ANN}))
        assert (verdict([found], request) == "allow") == fits
        assert found.allows(request) == fits

    def test_all_but_some_are_denied(self) -> None:
        others = statement(
            Effect="Deny", Action="sts:AssumeRole", Resource=None, NotPrincipal={"AWS": ANN}
        )
        everyone = statement(Action="sts:AssumeRole", Resource=None, Principal="*")
        found = parse_trust_policy(document(others, everyone))
        for name, expected in ((ANN, "allow"), (ANN + "a", "deny")):
            request = Request("sts:AssumeRole", "arn:role", {}, frozenset({name}))
            assert verdict([found], request) == expected


# a second evaluator, over the JSON itself and written as simply as can be


def naive_glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive_glob(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive_glob(pattern[1:], text[1:])


def naive_applies(given: dict[str, Any], action: str, resource: str, keys: Any) -> bool:
    def some(name: str, text: str) -> bool:
        if name in given:
            return any(naive_glob(pattern, text) for pattern in given[name])
        return not any(naive_glob(pattern, text) for pattern in given[f"Not{name}"])

    for operator, tests in given.get("Condition", {}).items():
        for key, wanted in tests.items():
            here = [value for name, value in keys.items() if name.lower() == key.lower()]
            if operator == "Null":
                good = (not here) in [value == "true" for value in wanted]
            elif operator == "StringEquals":
                good = bool(here) and here[0] in wanted
            elif operator == "StringNotEquals":
                good = not here or here[0] not in wanted
            elif operator == "StringLikeIfExists":
                good = not here or any(naive_glob(each, here[0]) for each in wanted)
            else:
                raise NotImplementedError(operator)
            if not good:
                return False
    return some("Action", action) and some("Resource", resource)


def naive_verdict(statements: list[dict[str, Any]], *request: Any) -> str:
    effects = [each["Effect"] for each in statements if naive_applies(each, *request)]
    return "deny" if "Deny" in effects else "allow" if effects else "nothing"


_globs = st.text("ab*?", min_size=1, max_size=4)
_actions = st.lists(_globs.map("iam:{}".format) | st.just("*"), min_size=1, max_size=3)
_resources = st.lists(_globs.map("arn:{}".format) | st.just("*"), min_size=1, max_size=3)
_keys = st.sampled_from(["k:a", "K:a", "k:b"])
_values = st.text("xy", max_size=2)
_tests = st.dictionaries(_keys, st.lists(_values, min_size=1, max_size=2), max_size=2)
_conditions = st.fixed_dictionaries(
    {},
    optional={
        "StringEquals": _tests,
        "StringNotEquals": _tests,
        "StringLikeIfExists": st.dictionaries(_keys, st.lists(_globs, min_size=1), max_size=2),
        "Null": st.dictionaries(
            _keys, st.lists(st.sampled_from(["true", "false"]), min_size=1, max_size=2)
        ),
    },
)
_statements = st.builds(
    lambda effect, actions, no_actions, resources, no_resources, conditions: {
        "Effect": effect,
        "NotAction" if no_actions else "Action": actions,
        "NotResource" if no_resources else "Resource": resources,
        "Condition": conditions,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    _actions,
    st.booleans(),
    _resources,
    st.booleans(),
    _conditions,
)
_requests = st.tuples(
    st.text("ab", min_size=1, max_size=3).map("iam:{}".format),
    st.text("ab", min_size=1, max_size=3).map("arn:{}".format),
    st.dictionaries(st.sampled_from(["k:a", "k:b"]), _values),
)


def asked(action: str, resource: str, keys: dict[str, str]) -> Request:
    return Request(action, resource, context(keys))


@given(st.lists(_statements, min_size=1, max_size=4), _requests)
def test_the_evaluator_agrees_with_the_naive_one(
    statements: list[dict[str, Any]], request: tuple[str, str, dict[str, str]]
) -> None:
    assert verdict([policy(*statements)], asked(*request)) == naive_verdict(statements, *request)
    apart = [policy(each) for each in statements]
    assert verdict(apart, asked(*request)) == naive_verdict(statements, *request)


@given(st.lists(_statements, min_size=1, max_size=4), _statements, _requests)
def test_a_further_deny_never_allows_more(
    statements: list[dict[str, Any]],
    further: dict[str, Any],
    request: tuple[str, str, dict[str, str]],
) -> None:
    before = verdict([policy(*statements)], asked(*request))
    denied = verdict([policy(*statements, {**further, "Effect": "Deny"})], asked(*request))
    assert denied in (before, "deny")
    allowed = verdict([policy(*statements, {**further, "Effect": "Allow"})], asked(*request))
    assert allowed == before or (before, allowed) == ("nothing", "allow")


@given(st.text("ab[]!-*?\n", max_size=8), st.text("ab[]!-*?\n", max_size=8))
def test_wildcards_agree_with_the_naive_ones(pattern: str, text: str) -> None:
    found = policy(statement(Condition={"StringLike": {"tk:key": pattern}}))
    assert allows(found, tk_key=text) == naive_glob(pattern, text)


@given(st.text("ab[]!*?$\\", max_size=8), st.text("ab[]!*?$\\", max_size=8))
def test_values_of_variables_are_no_patterns(value: str, text: str) -> None:
    found = policy(statement(Condition={"StringLike": {"tk:key": "a${tk:value}*"}}))
    assert allows(found, tk_key=text, tk_value=value) == text.startswith("a" + value)


def test_a_hostile_pattern_takes_no_time() -> None:
    """As many asterisks as fit into a user's policies; a backtracking match would not end."""
    found = policy(statement(Resource="arn:" + "*a" * 900 + "b"))
    assert not allows(found, resource="arn:" + "a" * 2000)
