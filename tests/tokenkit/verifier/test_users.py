"""Users: identifiers, paths, ARNs, and what must go before they may."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    User,
    ValidationError,
)

ACCOUNT = "arn:aws:iam::123456789012"


class TestMade:
    def test_told_and_found_again(self, bench: Any) -> None:
        made = bench.verifier.create_user("ann", path="/staff/it/", tags={"k": "v"})
        assert re.fullmatch("AIDA[A-Z2-7]{17}", made.id)
        assert made == User("ann", made.id, "/staff/it/", bench.now_s)
        assert made.arn == f"{ACCOUNT}:user/staff/it/ann"
        assert bench.verifier.user("ann") == made
        assert made in bench.verifier.users()
        assert bench.verifier.tags(made.arn) == {"k": "v"}

    def test_root_has_the_accounts_id(self, bench: Any) -> None:
        root = bench.verifier.user("root")
        assert (root.id, root.arn) == ("123456789012", f"{ACCOUNT}:root")

    def test_ids_are_never_used_again(self, bench: Any) -> None:
        ids = set()
        for _ in range(100):
            ids.add(bench.verifier.create_user("ann").id)
            bench.verifier.delete_user("ann")
        assert len(ids) == 100

    @pytest.mark.parametrize("name", ["ann", "ANN", "Ann"])
    def test_names_that_differ_in_case_alone(self, bench: Any, name: str) -> None:
        bench.verifier.create_user("ann", path="/a/")
        with pytest.raises(EntityAlreadyExists, match=f"User with name {name} already exists"):
            bench.verifier.create_user(name, path="/b/")

    @pytest.mark.parametrize("name", ["Root", "ROOT"])
    def test_nobody_is_nearly_root(self, bench: Any, name: str) -> None:
        with pytest.raises(EntityAlreadyExists):
            bench.verifier.create_user(name)

    @pytest.mark.parametrize("path", ["/", "/a/", "/test//double/", "/" + "x" * 510 + "/", "/!~/"])
    def test_paths(self, bench: Any, path: str) -> None:
        assert bench.verifier.create_user("ann", path=path).path == path

    @pytest.mark.parametrize(
        "path", ["", "a", "/a", "a/", "/a b/", "/ä/", "/\n/", "/" + "x" * 511 + "/", None, 5]
    )
    def test_paths_that_iam_would_not_take(self, bench: Any, path: Any) -> None:
        with pytest.raises(ValidationError, match="The specified value for path is invalid"):
            bench.verifier.create_user("ann", path=path)
        assert [user.name for user in bench.verifier.users()] == ["root"]

    def test_tags_that_iam_would_not_take(self, bench: Any) -> None:
        for tags, error in (
            ({"k": "1", "K": "2"}, InvalidInput),
            ({f"k{n}": "" for n in range(51)}, LimitExceeded),
        ):
            with pytest.raises(error):
                bench.verifier.create_user("ann", tags=tags)
        assert [user.name for user in bench.verifier.users()] == ["root"]

    def test_of_nobody(self, bench: Any) -> None:
        for request in (bench.verifier.user, bench.verifier.delete_user):
            with pytest.raises(NoSuchEntity, match=r"^The user with name bob cannot be found\.$"):
                request("bob")


class TestDeleted:
    def test_what_is_left_is_named_one_after_the_other(self, bench: Any) -> None:
        verifier = bench.verifier
        verifier.create_user("ann")
        phone = bench.phone(user="ann")
        key = verifier.create_access_key("ann")
        verifier.set_password("ann", "correct horse")
        verifier.put_user_policy("ann", "p", "{}")
        for what, mend in (
            ("MFA device", lambda: verifier.deactivate("ann", phone.serial_number)),
            ("access keys", lambda: verifier.delete_access_key("ann", key.id)),
            ("login profile", lambda: verifier.remove_password("ann")),
            ("policies", lambda: verifier.delete_user_policy("ann", "p")),
        ):
            with pytest.raises(DeleteConflict, match=f"Cannot delete entity, must delete {what} f"):
                verifier.delete_user("ann")
            mend()
        verifier.delete_user("ann")
        with pytest.raises(NoSuchEntity):
            verifier.user("ann")

    def test_what_goes_along_goes_at_once_or_nothing_does(self, bench: Any) -> None:
        verifier = bench.verifier
        verifier.create_user("ann")
        phone = bench.phone(user="ann")
        key = verifier.create_access_key("ann")
        verifier.set_password("ann", "correct horse")
        verifier.put_user_policy("ann", "p", "{}")
        session = verifier.begin_console_session("ann", {})
        with pytest.raises(DeleteConflict, match="must delete policies first"):
            verifier.delete_user("ann", along=["MFA device", "access keys", "login profile"])
        assert [device.serial_number for device in verifier.devices("ann")] == [phone.serial_number]
        assert verifier.access_keys("ann")
        assert verifier.console_session(session.token) == session
        all_of_it = ["MFA device", "access keys", "login profile", "policies"]
        verifier.delete_user("ann", along=all_of_it)
        assert verifier.audit()[-1].detail == {
            "devices": [phone.serial_number],
            "access_keys": [key.id],
            "policies": ["p"],
        }
        assert verifier.console_session(session.token) is None
        verifier.create_user("ann")
        assert (verifier.devices("ann"), verifier.access_keys("ann")) == ([], [])
        assert verifier.user_policies("ann") == {}
        bench.wait(60)
        bench.enable(phone)  # it is free again, and its codes are used up as before

    def test_not_root(self, bench: Any) -> None:
        with pytest.raises(DeleteConflict, match="The root user cannot be deleted"):
            bench.verifier.delete_user("root")

    def test_a_ceremony_under_way_goes_too(self, bench: Any) -> None:
        bench.verifier.create_user("ann")
        bench.verifier.begin_registration("ann")
        bench.verifier.delete_user("ann")
        assert [user.name for user in bench.verifier.users()] == ["root"]

    def test_the_log_stays(self, bench: Any) -> None:
        bench.verifier.create_user("ann")
        bench.verifier.delete_user("ann")
        assert [event.event for event in bench.verifier.audit("ann")] == [
            "create-user",
            "delete-user",
        ]


_NAMES = st.sampled_from(["ann", "Ann", "bob", "eve"])


@given(st.lists(st.tuples(st.booleans(), _NAMES), max_size=12))
def test_any_coming_and_going(make_bench: Any, changes: list[tuple[bool, str]]) -> None:
    """A set is the reference."""
    verifier = make_bench().verifier
    expected: set[str] = set()
    for comes, name in changes:
        if comes and name.lower() in {each.lower() for each in expected}:
            with pytest.raises(EntityAlreadyExists):
                verifier.create_user(name)
        elif comes:
            verifier.create_user(name)
            expected.add(name)
        elif name in expected:
            verifier.delete_user(name)
            expected.remove(name)
        else:
            with pytest.raises(NoSuchEntity):
                verifier.delete_user(name)
        assert [user.name for user in verifier.users()] == sorted({*expected, "root"})
    verifier.close()
