"""credBlob: up to 32 bytes with a discoverable credential."""

import pytest


@pytest.mark.parametrize("blob", [b"", b"blob", bytes(32)])
def test_comes_back(bench, blob):
    made = bench.make(options={"rk": True}, extensions={"credBlob": blob})
    assert made.auth_data.extensions == {"credBlob": True}
    bench.power_cycle()
    for chosen in ([], [made]):
        answer = bench.get(*chosen, extensions={"credBlob": True})
        assert answer.auth_data.extensions == {"credBlob": blob}


@pytest.mark.parametrize(("rk", "blob"), [(False, b"blob"), (True, bytes(33))])
def test_what_is_not_stored_is_no_error(bench, rk, blob):
    made = bench.make(options={"rk": rk}, extensions={"credBlob": blob})
    assert made.auth_data.extensions == {"credBlob": False}
    answer = bench.get(made, extensions={"credBlob": True})
    assert answer.auth_data.extensions == {"credBlob": b""}


def test_comes_only_when_asked_for(bench):
    made = bench.make(options={"rk": True}, extensions={"credBlob": b"blob"})
    assert bench.get(made).auth_data.extensions is None
    assert bench.get(made, extensions={"credBlob": False}).auth_data.extensions is None


def test_each_of_several_has_its_own(bench):
    for user in (b"one", b"two"):
        bench.make(user, options={"rk": True}, extensions={"credBlob": user})
    answers = [bench.get(extensions={"credBlob": True}), bench.ctap.get_next_assertion()]
    assert [each.auth_data.extensions["credBlob"] for each in answers] == [b"two", b"one"]


def test_wrong_types(bench):
    assert bench.fails(bench.make, extensions={"credBlob": "blob"}) == "CBOR_UNEXPECTED_TYPE"
    made = bench.make()
    failed = bench.fails(bench.get, made, extensions={"credBlob": 1})
    assert failed == "CBOR_UNEXPECTED_TYPE"
