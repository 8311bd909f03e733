"""Users: IAM's operations on them."""

from typing import Any

from tokenkit.iam.call import Actions, Call, action, new_user, tag_list, tags_of, the_user
from tokenkit.verifier import ROOT, User

ACTIONS: Actions = {}


@action(ACTIONS, "CreateUser", new_user, without=["PermissionsBoundary"])
def create_user(call: Call) -> dict[str, Any]:
    tags = tags_of(call)
    made = call.verifier.create_user(
        call.given("UserName"), path=call.given("Path", "/"), tags=tags
    )
    return {"User": {**described(made), "Tags": tag_list(tags) or None}}


@action(ACTIONS, "GetUser", the_user)
def get_user(call: Call) -> dict[str, Any]:
    user = call.verifier.user(call.user())
    tags = call.verifier.tags(user.arn)
    return {"User": {**described(user), "Tags": tag_list(tags) or None}}


@action(ACTIONS, "ListUsers")
def list_users(call: Call) -> dict[str, Any]:
    prefix = call.given("PathPrefix", "/")
    users = [
        user for user in call.verifier.users() if user.name != ROOT and user.path.startswith(prefix)
    ]
    shown, rest = call.page(users, lambda user: user.name)
    return {"Users": [described(user) for user in shown], **rest}


@action(ACTIONS, "DeleteUser", the_user)
def delete_user(call: Call) -> dict[str, Any]:
    call.verifier.delete_user(call.user())
    return {}


@action(ACTIONS, "ListUserTags", the_user)
def list_user_tags(call: Call) -> dict[str, Any]:
    tags = call.verifier.tags(call.verifier.user(call.user()).arn)
    shown, rest = call.page(list(tags), str)
    return {"Tags": tag_list({key: tags[key] for key in shown}), **rest}


def described(user: User) -> dict[str, Any]:
    """A user as IAM describes it; root has neither name nor path."""
    about = {
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created_s,
        "PasswordLastUsed": user.password_used_s,
    }
    return about if user.name == ROOT else {"Path": user.path, "UserName": user.name, **about}
