"""The log a page at a time: all pages together are the log."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import AuditEvent, NoSuchEntity, ValidationError, Verifier

WRONG: list[Any] = ["\0", "x\0y-x\0y-x\0y", "", "a b", "\ud800" * 9, "x" * 257, 5, b"sign-in"]


@pytest.fixture(scope="module")
def verifier(make_bench: Any) -> Verifier:
    bench = make_bench()
    verifier: Verifier = bench.verifier
    for user in ("ann", "ben"):
        verifier.create_user(user)
        phone = bench.phone(f"{user}-phone", user)
        for _ in range(3):
            bench.sign_in(phone, user=user)
            bench.wait(30)
        with pytest.raises(NoSuchEntity):
            verifier.delete_user(user + "x")
    return verifier


def pages(verifier: Verifier, limit: int, **filters: Any) -> list[AuditEvent]:
    found: list[AuditEvent] = []
    before = None
    while True:
        page = verifier.audit_page(before=before, limit=limit, **filters)
        assert len(page.lines) <= limit
        found += page.lines
        if page.older is None:
            return found
        before = page.older


@given(
    st.integers(1, 12),
    st.sampled_from([None, "ann", "ben", "nobody"]),
    st.sampled_from([None, "arn:aws:iam::123456789012:mfa/ann-phone", "nobody-has-it"]),
    st.sampled_from([None, "sign-in", "delete-user", "sign"]),
    st.sampled_from([None, True, False]),
)
def test_all_pages_together_are_what_the_filters_leave_of_the_log(
    verifier: Verifier,
    limit: int,
    user: str | None,
    serial_number: str | None,
    event: str | None,
    refused: bool | None,
) -> None:
    log = verifier.audit()
    assert len(log) >= 14
    assert pages(
        verifier, limit, user=user, serial_number=serial_number, event=event, refused=refused
    ) == [
        line
        for line in reversed(log)
        if user in (None, line.user)
        and serial_number in (None, line.serial_number)
        and event in (None, line.event.removesuffix("-refused"))
        and refused in (None, line.event.endswith("-refused"))
    ]


def test_the_last_page_has_none_older(verifier: Verifier) -> None:
    count = len(verifier.audit())
    assert verifier.audit_page(limit=count).older is None
    assert verifier.audit_page(limit=count - 1).older is not None


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limits(verifier: Verifier, limit: int) -> None:
    with pytest.raises(ValidationError, match="limit is from 1 to 1000"):
        verifier.audit_page(limit=limit)


@pytest.mark.parametrize(
    "filters",
    [
        *({name: text} for name in ("user", "serial_number", "event") for text in WRONG),
        *({"before": before} for before in (0, -1, 2**63, "1")),
    ],
)
def test_what_no_line_can_have(verifier: Verifier, filters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        verifier.audit_page(**filters)
