"""Tags of devices, users and roles."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import InvalidInput, LimitExceeded, NoSuchEntity, ValidationError


@pytest.fixture
def device(bench: Any) -> str:
    """The serial number of an app that nobody holds."""
    serial_number: str = bench.new_phone().serial_number
    return serial_number


def test_set_replaced_and_removed(bench: Any, device: str) -> None:
    verifier = bench.verifier
    verifier.tag_device(device, {"b": "1", "a": ""})
    assert list(verifier.device_tags(device).items()) == [("a", ""), ("b", "1")]
    verifier.tag_device(device, {"b": "2"})
    assert verifier.device_tags(device) == {"a": "", "b": "2"}
    verifier.untag_device(device, ["a", "never there"])
    assert verifier.device_tags(device) == {"b": "2"}
    verifier.tag_device(device, {})
    verifier.untag_device(device, [])
    assert verifier.device_tags(device) == {"b": "2"}


def test_fifty_at_most(bench: Any, device: str) -> None:
    verifier = bench.verifier
    fifty = {f"k{n}": "v" for n in range(50)}
    verifier.tag_device(device, fifty)
    with pytest.raises(LimitExceeded, match="has reached the maximum limit: 50"):
        verifier.tag_device(device, {"one more": "v"})
    verifier.tag_device(device, {"k0": "w"})
    assert verifier.device_tags(device) == {**fifty, "k0": "w"}


def test_keys_that_differ_in_case_alone(bench: Any, device: str) -> None:
    verifier = bench.verifier
    verifier.tag_device(device, {"Team": "red"})
    for tags in ({"team": "blue"}, {"x": "1", "X": "2"}):
        with pytest.raises(InvalidInput, match="Tag keys are case insensitive"):
            verifier.tag_device(device, tags)
    assert verifier.device_tags(device) == {"Team": "red"}


@pytest.mark.parametrize(
    "tags", [{"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}, {5: "v"}, {"k": None}]
)
def test_what_is_too_long_or_no_text(bench: Any, device: str, tags: Any) -> None:
    with pytest.raises(ValidationError, match=r"tag (key|value)"):
        bench.verifier.tag_device(device, tags)
    for request in (
        lambda: bench.verifier.create_user("ann", tags=tags),
        lambda: bench.verifier.create_authenticator_app("other", tags=tags),
        lambda: bench.verifier.create_role("ops", "{}", tags=tags),
    ):
        with pytest.raises(ValidationError, match=r"tag (key|value)"):
            request()
    assert [user.name for user in bench.verifier.users()] == ["root"]


def test_of_no_device(bench: Any) -> None:
    verifier = bench.verifier
    for request in (
        lambda: verifier.tag_device("GAHT00000001", {"k": "v"}),
        lambda: verifier.untag_device("GAHT00000001", ["k"]),
        lambda: verifier.device_tags("GAHT00000001"),
    ):
        with pytest.raises(NoSuchEntity, match="MFA Device with serial number GAHT00000001 does"):
            request()


def test_given_with_an_app_and_gone_with_it(bench: Any) -> None:
    verifier = bench.verifier
    app = verifier.create_authenticator_app("phone", tags={"k": "v"})
    assert verifier.device_tags(app.serial_number) == {"k": "v"}
    verifier.delete_authenticator_app(app.serial_number)
    verifier.create_authenticator_app("phone")
    assert verifier.device_tags(app.serial_number) == {}


def test_of_users_are_gone_with_them(bench: Any) -> None:
    verifier = bench.verifier
    ann = verifier.create_user("ann", path="/staff/", tags={"k": "v"})
    assert verifier.tags(ann.arn) == {"k": "v"}
    verifier.delete_user("ann")
    verifier.create_user("ann", path="/staff/")
    assert verifier.tags(ann.arn) == {}


def test_they_outlive_a_change_of_hands(bench: Any) -> None:
    phone = bench.phone()
    bench.verifier.tag_device(phone.serial_number, {"k": "v"})
    bench.verifier.deactivate("root", phone.serial_number)
    assert bench.verifier.device_tags(phone.serial_number) == {"k": "v"}


_KEYS = st.sampled_from(["a", "b", "A", "c"])
_CHANGES = st.lists(
    st.dictionaries(_KEYS, st.text("xy", max_size=2), max_size=3) | st.sets(_KEYS, max_size=2),
    max_size=8,
)


@given(_CHANGES)
def test_any_changes(make_bench: Any, changes: list[Any]) -> None:
    """A dictionary is the reference; what is refused changes nothing."""
    bench = make_bench()
    verifier, serial_number = bench.verifier, bench.new_phone().serial_number
    expected: dict[str, str] = {}
    for change in changes:
        if isinstance(change, set):
            verifier.untag_device(serial_number, change)
            expected = {key: expected[key] for key in expected if key not in change}
        elif {"a", "A"} <= expected.keys() | change.keys():
            with pytest.raises(InvalidInput):
                verifier.tag_device(serial_number, change)
        else:
            verifier.tag_device(serial_number, change)
            expected |= change
        assert verifier.device_tags(serial_number) == expected
    verifier.close()
