"""Users' inline policies: IAM's operations on them."""

from typing import Any
from urllib.parse import quote

from tokenkit.iam.call import Actions, Call, action, the_user
from tokenkit.iam.policy_document import parse_policy
from tokenkit.verifier import NoSuchEntity

ACTIONS: Actions = {}


@action(ACTIONS, "PutUserPolicy", the_user)
def put_user_policy(call: Call) -> dict[str, Any]:
    document = call.given("PolicyDocument")
    parse_policy(document)
    call.verifier.put_user_policy(call.user(), call.given("PolicyName"), document)
    return {}


@action(ACTIONS, "GetUserPolicy", the_user)
def get_user_policy(call: Call) -> dict[str, Any]:
    user, name = call.user(), call.given("PolicyName")
    call.verifier.user(user)
    document = call.verifier.user_policies(user).get(name)
    if document is None:
        raise NoSuchEntity(f"The user policy with name {name} cannot be found.")
    return {"UserName": user, "PolicyName": name, "PolicyDocument": encoded(document)}


@action(ACTIONS, "ListUserPolicies", the_user)
def list_user_policies(call: Call) -> dict[str, Any]:
    user = call.user()
    call.verifier.user(user)
    shown, rest = call.page(list(call.verifier.user_policies(user)), str)
    return {"PolicyNames": shown, **rest}


@action(ACTIONS, "DeleteUserPolicy", the_user)
def delete_user_policy(call: Call) -> dict[str, Any]:
    call.verifier.delete_user_policy(call.user(), call.given("PolicyName"))
    return {}


def encoded(document: str) -> str:
    """A document as IAM hands it back: RFC 3986 percent-encoded, which botocore undoes."""
    return quote(document, safe="-_.~")
