"""Login profiles: IAM's name for passwords of the console."""

from typing import Any

from tokenkit.iam.call import Actions, Call, action, the_user
from tokenkit.verifier import NoSuchEntity

ACTIONS: Actions = {}
_WITHOUT = ["MaxSigninSessionDuration", "PasswordResetRequired"]


@action(ACTIONS, "CreateLoginProfile", the_user, without=_WITHOUT)
def create_login_profile(call: Call) -> dict[str, Any]:
    user = call.user()
    call.verifier.set_password(user, call.given("Password"), replace=False)
    return {"LoginProfile": _profile(call, user)}


@action(ACTIONS, "GetLoginProfile", the_user)
def get_login_profile(call: Call) -> dict[str, Any]:
    return {"LoginProfile": _profile(call, call.user())}


@action(ACTIONS, "UpdateLoginProfile", the_user, without=_WITHOUT)
def update_login_profile(call: Call) -> dict[str, Any]:
    user = call.user()
    _profile(call, user)
    if call.given("Password") is not None:
        call.verifier.set_password(user, call.given("Password"))
    return {}


@action(ACTIONS, "DeleteLoginProfile", the_user)
def delete_login_profile(call: Call) -> dict[str, Any]:
    call.verifier.remove_password(call.user())
    return {}


def _profile(call: Call, name: str) -> dict[str, Any]:
    user = call.verifier.user(name)
    if not user.has_password:
        raise NoSuchEntity(f"Login Profile for User {name} cannot be found.")
    return {
        "UserName": name,
        "CreateDate": user.password_changed_s,
        "PasswordResetRequired": False,
    }
