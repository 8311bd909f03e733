"""Users and their devices on the pages for administrators."""

import re
from typing import Any

import pytest

from tokenkit.verifier import InvalidAuthenticationCode, NoSuchEntity


class TestWhoMay:
    PAGES = ("admin/users", "admin/device", "admin/devices", "admin/seeds", "admin/audit")

    @pytest.mark.parametrize("page", PAGES)
    def test_who_is_not_signed_in_may_nothing(self, bench: Any, page: str) -> None:
        stranger = bench.visitor(None)
        stranger.get(page)
        assert stranger.answer.url.path == "/console/sign-in"

    @pytest.mark.parametrize("page", PAGES)
    def test_nor_do_users_without_permission(self, bench: Any, page: str) -> None:
        told = bench.visitor("ann").get(page, 403)
        [alert] = bench.alerts(told)
        assert alert.startswith("You are not authorized to perform ")

    def test_who_may_look_may_change_nothing(self, bench: Any) -> None:
        """Nor is shown a form for it."""
        ann = bench.visitor("ann", "iam:List*", "iam:Get*")
        bench.verifier.create_user("ben")
        assert "Create a user" not in ann.get("admin/users")
        assert "Delete user" not in ann.get("admin/users/ben")
        for path, fields in {
            "admin/users": {"name": "eve"},
            "admin/users/ben/password": {"password": "password1"},
            "admin/users/ben/delete": {"confirm": "ben"},
            "admin/unlock": {"serial": "TKTEST00000001"},
        }.items():
            ann.post(path, 403, **fields)
        ben = bench.verifier.user("ben")
        assert [user.name for user in bench.verifier.users()] == ["ann", "ben", "root"]
        assert not ben.has_password

    def test_what_is_denied_for_one_user(self, bench: Any) -> None:
        bench.verifier.create_user("ben")
        bench.verifier.create_user("cat")
        bench.allow("ann", "*", effect="Deny", on="arn:aws:iam::*:user/ben")
        ann = bench.visitor("ann", "*")
        ann.get("admin/users/ben", 403)
        ann.post("admin/users/ben/password", 403, password="correct horse")
        ann.post("admin/users/ben/delete", 403, confirm="ben")
        ann.post("admin/users/cat/password", password="correct horse")
        ann.post("admin/users/cat/delete", confirm="cat")
        assert [user.name for user in bench.verifier.users()] == ["ann", "ben", "root"]

    def test_nobody_but_root_touches_root(self, bench: Any) -> None:
        ann = bench.visitor("ann", "*")
        assert "admin/users/root" not in ann.get("admin/users")
        ann.get("admin/users/root", 404)
        ann.post("admin/users/root/password", 404, password="battery staple")
        bench.verifier.check_password("root", "correct horse")

    def test_devices_are_shown_of_those_whose_may_be_listed(self, bench: Any) -> None:
        for user in ("ben", "cat"):
            bench.verifier.create_user(user)
        tokens = {user: bench.enabled_token(user) for user in ("root", "ben", "cat")}
        bench.allow("ann", "iam:ListMFADevices", effect="Deny", on="arn:aws:iam::*:user/ben")
        ann = bench.visitor("ann", "iam:List*")
        page = ann.get("admin/devices")
        assert tokens["cat"].serial_number in page
        for user in ("root", "ben"):
            serial_number = tokens[user].serial_number
            assert serial_number not in page
            ann.get("admin/device", 404, serial=serial_number)
        ann.get("admin/device", serial=tokens["cat"].serial_number)
        [row] = re.findall(r">ben</a></th>.*?</tr>", ann.get("admin/users"), re.S)
        assert "–" in row
        page = bench.root.get("admin/devices")
        assert all(token.serial_number in page for token in tokens.values())

    def test_a_first_password_is_another_action(self, bench: Any) -> None:
        bench.verifier.create_user("ben")
        ann = bench.visitor("ann", "iam:Get*", "iam:List*", "iam:UpdateLoginProfile")
        assert "Set the password" not in ann.get("admin/users/ben")
        page = ann.post("admin/users/ben/password", 403, password="correct horse")
        assert "iam:CreateLoginProfile" in bench.alerts(page)[0]
        bench.verifier.set_password("ben", "correct horse")
        ann.post("admin/users/ben/password", password="battery staple")
        bench.allow("ann", "iam:Get*", "iam:List*", "iam:CreateLoginProfile")
        ann.post("admin/users/ben/password", 403, password="correct horse")
        bench.verifier.remove_password("ben")
        ann.post("admin/users/ben/password", password="correct horse")

    def test_who_may_not_take_all_deletes_nothing(self, bench: Any) -> None:
        bench.verifier.create_user("ben")
        bench.verifier.set_password("ben", "correct horse")
        ann = bench.visitor("ann", "iam:DeleteUser")
        page = ann.post("admin/users/ben/delete", 403, confirm="ben")
        assert "iam:DeleteLoginProfile" in bench.alerts(page)[0]
        assert bench.verifier.user("ben").has_password

    def test_a_form_without_its_token_is_refused(self, bench: Any) -> None:
        bench.root.post("admin/users", 403, name="eve", csrf="")
        assert [user.name for user in bench.verifier.users()] == ["ann", "root"]


class TestUsers:
    def test_created_with_a_password(self, bench: Any) -> None:
        page = bench.root.post("admin/users", name="carl", password="correct horse")
        assert bench.statuses(page) == ["User carl was created."]
        bench.verifier.check_password("carl", "correct horse")
        assert 'href="/console/admin/users/carl"' in page
        [line] = bench.verifier.audit("carl")[:-1]  # but for the password that was checked
        assert (line.event, line.detail) == ("create-user", {"password": True})

    def test_created_without_one(self, bench: Any) -> None:
        bench.root.post("admin/users", name=" carl ", password="")
        assert not bench.verifier.user("carl").has_password

    def test_a_bad_password_leaves_no_user_and_keeps_the_name(self, bench: Any) -> None:
        page = bench.root.post("admin/users", 400, name="carl", password="short")
        assert "minimum length of 8" in bench.alerts(page)[0]
        assert 'value="carl"' in page
        assert "short" not in page
        with pytest.raises(NoSuchEntity):
            bench.verifier.user("carl")

    @pytest.mark.parametrize(
        ("name", "message"),
        [("", "user name"), ("a b", "user name"), ("ROOT", "already exists"), ("<b>", "user name")],
    )
    def test_bad_names(self, bench: Any, name: str, message: str) -> None:
        page = bench.root.post("admin/users", 400, name=name)
        assert message in bench.alerts(page)[0]
        assert "<b>'" not in page

    def test_an_unknown_user(self, bench: Any) -> None:
        page = bench.root.get("admin/users/nobody", 404)
        assert bench.alerts(page) == ["The user with name nobody cannot be found."]

    def test_a_new_password(self, bench: Any) -> None:
        bench.verifier.create_user("carl")
        page = bench.root.post("admin/users/carl/password", password="battery staple")
        assert bench.statuses(page) == ["The password of carl was set."]
        bench.verifier.check_password("carl", "battery staple")
        assert "minimum" in bench.root.post("admin/users/carl/password", 400, password="x")


class TestDeletion:
    def test_needs_the_name_as_confirmation(self, bench: Any) -> None:
        bench.verifier.create_user("carl")
        page = bench.root.post("admin/users/carl/delete", 400, confirm="car")
        assert bench.alerts(page) == ["To confirm, write the name: carl."]
        assert bench.verifier.user("carl").name == "carl"

    def test_takes_all_with_it_that_the_user_holds(self, bench: Any) -> None:
        verifier = bench.verifier
        verifier.create_user("carl")
        verifier.set_password("carl", "correct horse")
        verifier.create_access_key("carl")
        verifier.put_user_policy("carl", "all", "{}")
        token = bench.enabled_token("carl")
        page = bench.root.get("admin/users/carl/delete")
        for what in ("1 MFA device", "1 access key", "1 policy", "the console password"):
            assert what in page
        page = bench.root.post("admin/users/carl/delete", confirm="carl")
        assert bench.statuses(page) == ["User carl was deleted."]
        with pytest.raises(NoSuchEntity):
            verifier.user("carl")
        bench.clock.advance(60)
        verifier.enable("root", token.serial_number, *token.two_codes())  # it is free again

    def test_is_one_request_all_or_nothing(self, bench: Any) -> None:
        """A user whose policies go one by one would have those of who has none, for a while."""
        verifier = bench.verifier
        verifier.create_user("carl")
        verifier.set_password("carl", "correct horse")
        verifier.put_user_policy("carl", "none", "{}")
        [serial_number] = bench.service.tokens.make()
        token = bench.service.tokens.find(serial_number)
        ann = bench.visitor("ann", "iam:*")
        bench.allow("ann", "iam:DeactivateMFADevice", effect="Deny")
        delete = verifier.delete_user

        def slow(*given: Any, **more: Any) -> None:
            verifier.enable("carl", serial_number, *token.two_codes())
            delete(*given, **more)

        verifier.delete_user = slow
        page = ann.post("admin/users/carl/delete", 400, confirm="carl")
        assert "must delete MFA device first" in bench.alerts(page)[0]
        assert verifier.user("carl").has_password
        assert verifier.user_policies("carl") == {"none": "{}"}
        verifier.delete_user = delete
        before = len(verifier.audit())
        bench.root.post("admin/users/carl/delete", confirm="carl")
        [line] = verifier.audit()[before:]
        assert line.event == "delete-user"
        assert line.detail == {"devices": [serial_number], "policies": ["none"]}

    def test_not_of_root_nor_of_oneself(self, bench: Any) -> None:
        page = bench.root.post("admin/users/root/delete", 400, confirm="root")
        assert "root user cannot" in bench.alerts(page)[0]
        ann = bench.visitor("ann", "iam:DeleteUser")
        page = ann.post("admin/users/ann/delete", 400, confirm="ann")
        assert "yourself" in bench.alerts(page)[0]


class TestDevices:
    def test_listed_with_users(self, bench: Any) -> None:
        assert "Nobody has an MFA device" in bench.root.get("admin/devices")
        token = bench.enabled_token()
        page = bench.root.get("admin/devices")
        assert token.serial_number in page
        assert "Hardware TOTP token" in page
        assert token.serial_number in bench.root.get("admin/users/root")

    def test_a_locked_one_is_unlocked(self, bench: Any) -> None:
        token = bench.enabled_token("ann")
        for _ in range(10):
            bench.clock.advance(600)
            with pytest.raises(Exception, match="not valid"):
                bench.verifier.sign_in("ann", wrong_code(token))
        root = bench.visitor("root")  # whose session was over
        assert "Locked" in root.get("admin/devices")
        page = root.post("admin/unlock", serial=token.serial_number)
        assert bench.statuses(page) == [f"Device {token.serial_number} was unlocked."]
        bench.sign_in(token, "ann")

    def test_one_that_is_nobodys_is_unlocked(self, bench: Any) -> None:
        [serial_number] = bench.service.tokens.make()
        for _ in range(10):
            bench.clock.advance(600)
            with pytest.raises(InvalidAuthenticationCode):
                bench.verifier.enable("ann", serial_number, "000000", "111111")
        root = bench.visitor("root")
        assert 'action="/console/admin/unlock"' in root.get("admin/devices")
        page = root.post("admin/unlock", serial=f" {serial_number} ")
        assert bench.statuses(page) == [f"Device {serial_number} was unlocked."]
        token = bench.service.tokens.find(serial_number)
        bench.verifier.enable("ann", serial_number, *token.two_codes())

    def test_who_unlocks_roots_is_not_sent_to_roots_page(self, bench: Any) -> None:
        token = bench.enabled_token()
        ann = bench.visitor("ann", "tokenkit:UnlockMFADevice", "iam:ListUsers")
        page = ann.post("admin/unlock", serial=token.serial_number)
        assert bench.statuses(page) == [f"Device {token.serial_number} was unlocked."]

    def test_unlocking_what_is_not_there(self, bench: Any) -> None:
        bench.root.post("admin/unlock", 404, serial="TKTEST00000009")


def wrong_code(token: Any) -> str:
    return f"{(int(token.code()) + 1) % 1_000_000:06d}"


class TestClockOfADevice:
    def test_the_chart_shows_what_was_learned_and_what_is_true(self, bench: Any) -> None:
        token = bench.enabled_token("ann", place="warehouse")
        for _ in range(3):
            bench.clock.advance(20 * 86_400)
            bench.sign_in(token, "ann")
        page = bench.visitor("root").get("admin/device", serial=token.serial_number)
        assert page.count("two codes:") == 1  # enabled
        assert page.count("sign-in:") == 3
        assert "true clock error" in page
        assert "ppm: it loses" in page
        assert "learned 3 times at sign-in and 1 time from two codes." in page
        assert page.count("<tr><td>") == 4

    def test_of_a_real_token_the_truth_is_not_known(self, bench: Any) -> None:
        import pyotp

        app = bench.verifier.create_authenticator_app("phone")
        totp = pyotp.TOTP(app.secret)
        now_s = int(bench.clock.now())
        codes = totp.at(now_s - 30), totp.at(now_s)
        bench.verifier.enable("root", app.serial_number, *codes, session=bench.session)
        page = bench.root.get("admin/device", serial=app.serial_number)
        assert "true clock error" not in page
        assert "codes accepted" in page

    def test_a_device_that_is_nobodys(self, bench: Any) -> None:
        [serial_number] = bench.service.tokens.make()
        bench.root.get("admin/device", 404, serial=serial_number)
