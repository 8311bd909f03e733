"""thirdPartyPayment: a bit that stays with the credential."""

import pytest


@pytest.mark.parametrize("rk", [True, False])
def test_is_said_when_asked_for(bench, rk):
    made = bench.make(options={"rk": rk}, extensions={"thirdPartyPayment": True})
    assert made.auth_data.extensions == {"thirdPartyPayment": True}
    answer = bench.get(made, extensions={"thirdPartyPayment": True})
    assert answer.auth_data.extensions == {"thirdPartyPayment": True}
    assert bench.get(made).auth_data.extensions is None


@pytest.mark.parametrize("extensions", [None, {"thirdPartyPayment": False}])
def test_is_false_for_a_credential_that_was_made_without(bench, extensions):
    made = bench.make(extensions=extensions)
    assert made.auth_data.extensions is None
    answer = bench.get(made, extensions={"thirdPartyPayment": True})
    assert answer.auth_data.extensions == {"thirdPartyPayment": False}


def test_wrong_types(bench):
    failed = bench.fails(bench.make, extensions={"thirdPartyPayment": 1})
    assert failed == "CBOR_UNEXPECTED_TYPE"
