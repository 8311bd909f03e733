"""Users, lists and the log."""

from typing import Any

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.verifier import (
    AuditEvent,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    NoSuchEntity,
    UnknownCeremony,
    ValidationError,
    Verifier,
)


def user_names(verifier: Verifier) -> list[str]:
    return [user.name for user in verifier.users()]


def test_root_always_exists(bench: Any) -> None:
    assert user_names(bench.verifier) == ["root"]
    assert bench.verifier.devices() == bench.verifier.devices("root") == []
    with pytest.raises(EntityAlreadyExists, match=r"^User with name root already exists\.$"):
        bench.verifier.create_user("root")


def test_users_are_listed_in_alphabetical_order(bench: Any) -> None:
    for name in ("zoe", "ann", "a+b=c,d.e@f-g_h", "x" * 64):
        bench.verifier.create_user(name)
    assert user_names(bench.verifier) == ["a+b=c,d.e@f-g_h", "ann", "root", "x" * 64, "zoe"]
    with pytest.raises(EntityAlreadyExists):
        bench.verifier.create_user("zoe")


BAD_NAMES = ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a\0", "\ud800", "٣"]
NO_TEXT: list[Any] = [5, 1.5, b"serial-number", ["ann"], object()]


@pytest.mark.parametrize("name", [*BAD_NAMES, *NO_TEXT])
def test_names_that_iam_would_not_take(bench: Any, name: Any) -> None:
    verifier = bench.verifier
    for request in (
        verifier.create_user,
        verifier.devices,
        verifier.audit,
        verifier.begin_registration,
        verifier.begin_assertion,
        lambda name: verifier.sign_in(name, "123456"),
        lambda name: verifier.deactivate(name, "nobody-has-it"),
    ):
        with pytest.raises(ValidationError, match="1 to 64 of"):
            request(name)
    assert user_names(verifier) == ["root"]
    assert verifier.audit() == []


def test_nobody_is_no_user(bench: Any) -> None:
    verifier = bench.verifier
    with pytest.raises(ValidationError, match="user name None: text of 1 to 64 of"):
        verifier.create_user(None)
    for request in (
        verifier.begin_registration,
        verifier.begin_assertion,
        lambda name: verifier.sign_in(name, "123456"),
        lambda name: verifier.enable(name, "nobody-has-it", "123456", "123456"),
    ):
        with pytest.raises(NoSuchEntity, match="user with name None"):
            request(None)


@pytest.mark.parametrize("name", [None, *NO_TEXT])
def test_names_of_devices_are_text(bench: Any, name: Any) -> None:
    phone = bench.new_phone()
    with pytest.raises(ValidationError, match=r"device name .*: text of 1 to 256 printable"):
        bench.verifier.enable("root", phone.serial_number, *phone.pair(-1), name=name)
    with pytest.raises(ValidationError, match="device name"):
        bench.verifier.complete_registration("0", {}, name=name)
    with pytest.raises(ValidationError, match=r"app name .*: text of 1 to 226 of"):
        bench.verifier.create_authenticator_app(name)


@pytest.mark.parametrize("ceremony", [None, *NO_TEXT])
def test_a_ceremony_that_is_no_text_never_began(bench: Any, ceremony: Any) -> None:
    with pytest.raises(UnknownCeremony):
        bench.verifier.complete_registration(ceremony, {})
    with pytest.raises(UnknownCeremony):
        bench.verifier.complete_assertion(ceremony, {})


@pytest.mark.parametrize("code", [123456, 12345, None, b"123456", 1.5, ["123456"]])
def test_a_code_that_is_no_text_is_no_guess(bench: Any, code: Any) -> None:
    phone = bench.phone()
    text = r"a code is text, like '012345'.*leading zeros"
    with pytest.raises(ValidationError, match=text):
        bench.verifier.sign_in("root", code)
    with pytest.raises(ValidationError, match=text):
        bench.verifier.resync("root", phone.serial_number, phone.code(), code)
    assert bench.device(phone).failures == 0
    bench.sign_in(phone)


@pytest.mark.parametrize(
    "serial_number", ["", "short", "x" * 257, "a b c d e f", "\ud800" * 9, *NO_TEXT]
)
def test_serial_numbers_that_iam_would_not_take(bench: Any, serial_number: Any) -> None:
    verifier = bench.verifier
    for request in (
        verifier.unlock,
        verifier.delete_authenticator_app,
        lambda number: verifier.enable("root", number, "1", "2"),
        lambda number: verifier.resync("root", number, "1", "2"),
        lambda number: verifier.sign_in("root", "1", serial_number=number),
        lambda number: verifier.deactivate("root", number),
    ):
        with pytest.raises(ValidationError, match="9 to 256"):
            request(serial_number)
    assert verifier.audit() == []


def test_devices_are_listed_by_user_and_in_the_order_of_enabling(bench: Any) -> None:
    bench.verifier.create_user("ann")
    roots, anns = bench.phone("b"), bench.phone("c", "ann")
    later = bench.phone("a")

    def serial_numbers(user: str | None = None) -> list[str]:
        return [device.serial_number for device in bench.verifier.devices(user)]

    assert serial_numbers() == [each.serial_number for each in (roots, anns, later)]
    assert serial_numbers("root") == [roots.serial_number, later.serial_number]
    assert serial_numbers("ann") == [anns.serial_number]
    with pytest.raises(NoSuchEntity, match=r"^The user with name bob cannot be found\.$"):
        bench.verifier.devices("bob")


def test_the_log_is_that_of_all_or_of_one_user(bench: Any) -> None:
    verifier = bench.verifier
    verifier.create_user("ann")
    with pytest.raises(EntityAlreadyExists):
        verifier.create_user("ann")
    phone = bench.phone("phone", "ann")
    start_s = bench.now_s - 30
    expected = [
        AuditEvent(start_s, "create-user", "ann", None, {}),
        AuditEvent(start_s, "create-user-refused", "ann", None, {"error": "EntityAlreadyExists"}),
        AuditEvent(start_s, "create-authenticator-app", None, phone.serial_number, {}),
        AuditEvent(start_s, "enable", "ann", phone.serial_number, {"offset_s": 21.0}),
    ]
    assert verifier.audit() == expected
    assert verifier.audit("ann") == [expected[0], expected[1], expected[3]]
    assert verifier.audit("root") == []


def test_the_log_holds_no_codes(bench: Any) -> None:
    phone = bench.phone()
    bench.sign_in(phone)
    for code in (phone.code(), phone.wrong_code()):
        with pytest.raises(InvalidAuthenticationCode):
            bench.sign_in(phone, code)
        bench.wait(10)
    assert [line.detail for line in bench.verifier.audit()] == [
        {},
        {"offset_s": 21.0},
        {"offset_steps": 0, "offset_s": 21.0, "rate_ppm": 0.0},
        {"error": "Replayed"},
        {"error": "OutOfWindow"},
    ]


def test_the_log_holds_no_serial_number_that_is_none(bench: Any) -> None:
    """Whoever mixes up the fields of a form types a password there."""
    with pytest.raises(NoSuchEntity):
        bench.verifier.enable("root", "correct-horse9", "123456", "123456")
    [event] = bench.verifier.audit()
    assert (event.event, event.user, event.serial_number) == ("enable-refused", "root", None)


def test_errors_have_iams_code_and_message_and_say_what_to_do() -> None:
    from tokenkit import verifier

    errors = {
        name: getattr(verifier, name)
        for name in verifier.__all__
        if isinstance(getattr(verifier, name), type)
        and issubclass(getattr(verifier, name), TokenkitError)
    }
    codes = {name: error.code for name, error in errors.items()}
    assert codes == {
        "AccessDenied": "AccessDenied",
        "BrokenChain": None,
        "Cloned": "AccessDenied",
        "DeleteConflict": "DeleteConflict",
        "EntityAlreadyExists": "EntityAlreadyExists",
        "InvalidAuthenticationCode": "InvalidAuthenticationCode",
        "InvalidInput": "InvalidInput",
        "InvalidResponse": "AccessDenied",
        "LimitExceeded": "LimitExceeded",
        "Locked": "AccessDenied",
        "MalformedCode": "InvalidAuthenticationCode",
        "NoSuchEntity": "NoSuchEntity",
        "NotConsecutive": "InvalidAuthenticationCode",
        "OutOfWindow": "InvalidAuthenticationCode",
        "PasswordPolicyViolation": "PasswordPolicyViolation",
        "Replayed": "InvalidAuthenticationCode",
        "SealingKeyError": None,
        "SeedFileError": None,
        "StoreError": None,
        "Throttled": "Throttling",
        "UnknownCeremony": "AccessDenied",
        "UntrustedAttestation": "AccessDenied",
        "ValidationError": "ValidationError",
        "VerifierError": None,
    }
    error = verifier.OutOfWindow("Wait.")
    assert error.message == "Authentication code for device is not valid."
    assert str(error) == "Authentication code for device is not valid. Wait."
