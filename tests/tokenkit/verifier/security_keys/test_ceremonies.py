"""Ceremonies: whose, of what, for how long, and for which page."""

from typing import Any

import pytest
from fido2.utils import websafe_encode

from tokenkit.verifier import (
    AccessDenied,
    InvalidResponse,
    UnknownCeremony,
)
from tokenkit.verifier.webauthn import CEREMONY_S

Site = Any


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://login.tokenkit.example", "http://tokenkit.example"],
)
def test_another_origin(site: Site, origin: str) -> None:
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    with pytest.raises(InvalidResponse, match="Invalid origin"):
        site.verifier.complete_registration(ceremony.id, site.make(key, ceremony, origin))
    site.register(key)
    ceremony = site.verifier.begin_assertion("root")
    with pytest.raises(InvalidResponse, match="Invalid origin"):
        site.verifier.complete_assertion(ceremony.id, site.get(key, ceremony, origin))


def test_another_rp(site: Site) -> None:
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    options = site.options(ceremony)
    options["rp"]["id"] = "evil.example"
    made = site.make(key, options)
    with pytest.raises(InvalidResponse, match="Wrong RP ID hash"):
        site.verifier.complete_registration(ceremony.id, made)


def test_each_can_be_completed_once(site: Site) -> None:
    key = site.key()
    registration = site.verifier.begin_registration("root")
    made = site.make(key, registration)
    site.verifier.complete_registration(registration.id, made)
    assertion = site.verifier.begin_assertion("root")
    answer = site.get(key, assertion)
    site.verifier.complete_assertion(assertion.id, answer)
    with pytest.raises(UnknownCeremony, match="It was used, or it expired: begin anew"):
        site.verifier.complete_registration(registration.id, made)
    with pytest.raises(UnknownCeremony):
        site.verifier.complete_assertion(assertion.id, answer)
    again = site.verifier.begin_assertion("root")
    with pytest.raises(InvalidResponse, match="Wrong challenge"):
        site.verifier.complete_assertion(again.id, answer)


def test_also_if_it_was_refused(site: Site) -> None:
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    made = site.make(key, ceremony)
    with pytest.raises(InvalidResponse):
        site.verifier.complete_registration(ceremony.id, {})
    with pytest.raises(UnknownCeremony):
        site.verifier.complete_registration(ceremony.id, made)


def test_it_expires(site: Site) -> None:
    key = site.key()
    for late_s in (0.0, 0.5):
        ceremony = site.verifier.begin_registration("root")
        made = site.make(key, ceremony)
        site.bench.wait(CEREMONY_S + late_s)
        if late_s:
            with pytest.raises(UnknownCeremony):
                site.verifier.complete_registration(ceremony.id, made)
        else:
            [device] = [site.verifier.complete_registration(ceremony.id, made)]
            site.verifier.deactivate("root", device.serial_number)


def test_expired_ones_do_not_pile_up(site: Site) -> None:
    for _ in range(5):
        site.verifier.begin_registration("root")
    site.bench.wait(CEREMONY_S + 1)
    site.verifier.begin_registration("root")
    with site.verifier._store.transaction() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM mfa_ceremony").scalar()
    assert count == 1


def test_another_kind(site: Site) -> None:
    key = site.key()
    site.register(key)
    assertion = site.verifier.begin_assertion("root")
    answer = site.get(key, assertion)
    registration = site.verifier.begin_registration("root")
    made = site.make(site.key(), registration)
    with pytest.raises(UnknownCeremony, match="no such registration"):
        site.verifier.complete_registration(assertion.id, made)
    with pytest.raises(UnknownCeremony, match="no such assertion"):
        site.verifier.complete_assertion(registration.id, answer)
    for ceremony, response in [(registration, answer), (assertion, made)]:
        with pytest.raises(UnknownCeremony):  # the mix-up used them up
            site.verifier.complete_registration(ceremony.id, response)


def test_an_answer_of_the_other_kind(site: Site) -> None:
    key = site.key()
    site.register(key)
    assertion = site.verifier.begin_assertion("root")
    registration = site.verifier.begin_registration("root")
    with pytest.raises(InvalidResponse):
        site.verifier.complete_registration(registration.id, site.get(key, assertion))
    made = site.make(site.key(), site.verifier.begin_registration("root"))
    with pytest.raises(InvalidResponse):
        site.verifier.complete_assertion(assertion.id, made)


def test_another_users(site: Site) -> None:
    site.verifier.create_user("ann")
    ours, anns = site.key(), site.key()
    site.register(ours)
    site.register(anns, "ann")
    mine, hers = site.verifier.begin_assertion("root"), site.verifier.begin_assertion("ann")
    with pytest.raises(InvalidResponse, match="Wrong challenge"):
        site.verifier.complete_assertion(mine.id, site.get(anns, hers))
    # her key signs root's challenge
    mine = site.verifier.begin_assertion("root")
    options = site.options(mine)
    options["allowCredentials"] = site.options(hers)["allowCredentials"]
    answer = site.get(anns, options)
    with pytest.raises(InvalidResponse, match="Unknown credential"):
        site.verifier.complete_assertion(mine.id, answer)


def test_a_key_that_names_another_user(site: Site) -> None:
    """WebAuthn section 7.2: the user handle, if there is one, is the user's."""
    site.verifier.create_user("ann")
    key = site.key()
    site.register(key)
    handles = {
        user: site.verifier.begin_registration(user).options.public_key.user.id
        for user in ("root", "ann")
    }
    for user, right in [("ann", False), ("root", True)]:
        ceremony = site.verifier.begin_assertion("root")
        answer = site.get(key, ceremony)
        answer["response"]["userHandle"] = websafe_encode(handles[user])
        if right:
            site.verifier.complete_assertion(ceremony.id, answer)
        else:
            with pytest.raises(InvalidResponse, match="another user's"):
                site.verifier.complete_assertion(ceremony.id, answer)


@pytest.mark.parametrize("ceremony_id", ["", "0" * 32, "x" * 100_000, "\ud800", "a\0", "' --"])
def test_one_that_never_began(site: Site, ceremony_id: str) -> None:
    with pytest.raises(UnknownCeremony):
        site.verifier.complete_registration(ceremony_id, {})
    with pytest.raises(UnknownCeremony):
        site.verifier.complete_assertion(ceremony_id, {})
    assert [line.event for line in site.verifier.audit()] == [
        "register-refused",
        "assert-refused",
    ]


def test_one_that_another_user_began(site: Site) -> None:
    """Neither is a key stored, nor does anybody sign in."""
    site.verifier.create_user("ann")
    key = site.key()
    ceremony = site.verifier.begin_registration("root")
    with pytest.raises(UnknownCeremony, match="Somebody else"):
        site.verifier.complete_registration(ceremony.id, site.make(key, ceremony), user="ann")
    assert site.verifier.devices() == []
    site.register(key)
    ceremony = site.verifier.begin_assertion("root")
    with pytest.raises(UnknownCeremony, match="Somebody else"):
        site.verifier.complete_assertion(ceremony.id, site.get(key, ceremony), user="ann")
    assert site.verifier.devices()[0].last_used_s is None


def test_a_first_key_ends_sessions_that_a_password_began(site: Site) -> None:
    owner, thief = (site.verifier.begin_console_session("root", {}) for _ in range(2))
    ceremonies = [site.verifier.begin_registration("root") for _ in range(2)]
    for session, ceremony in zip((owner, thief), ceremonies, strict=True):
        made = site.make(site.key(), ceremony)
        if session is owner:
            site.verifier.complete_registration(ceremony.id, made, session=session.token)
        else:
            with pytest.raises(AccessDenied, match="signed in"):
                site.verifier.complete_registration(ceremony.id, made, session=session.token)
    assert site.verifier.console_session(owner.token) == owner
    assert site.verifier.console_session(thief.token) is None
    assert len(site.verifier.devices()) == 1
