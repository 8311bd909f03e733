"""Roles: IAM's operations on them."""

from typing import Any

from tokenkit.iam.actions.policies import encoded
from tokenkit.iam.call import Actions, Call, action, tag_list, tags_of
from tokenkit.iam.policy_document import parse_policy, parse_trust_policy
from tokenkit.verifier import NoSuchEntity, Role
from tokenkit.verifier.names import role_arn

ACTIONS: Actions = {}


def _new_role(call: Call) -> str:
    return role_arn(call.given("RoleName"), call.given("Path", "/"))


def _role(call: Call) -> str:
    name = call.given("RoleName")
    try:
        return call.verifier.role(name).arn
    except NoSuchEntity:
        return role_arn(name)


@action(
    ACTIONS,
    "CreateRole",
    _new_role,
    without=["PermissionsBoundary", "MaxSigninSessionDuration"],
)
def create_role(call: Call) -> dict[str, Any]:
    trust_policy = call.given("AssumeRolePolicyDocument")
    parse_trust_policy(trust_policy)
    tags = tags_of(call)
    role = call.verifier.create_role(
        call.given("RoleName"),
        trust_policy,
        path=call.given("Path", "/"),
        description=call.given("Description", ""),
        max_session_s=call.given("MaxSessionDuration", 3600),
        tags=tags,
    )
    return {"Role": {**_described(role), "Tags": tag_list(tags) or None}}


@action(ACTIONS, "GetRole", _role)
def get_role(call: Call) -> dict[str, Any]:
    role = call.verifier.role(call.given("RoleName"))
    return {"Role": {**_described(role), "Tags": tag_list(call.verifier.tags(role.arn)) or None}}


@action(ACTIONS, "ListRoles")
def list_roles(call: Call) -> dict[str, Any]:
    prefix = call.given("PathPrefix", "/")
    roles = [role for role in call.verifier.roles() if role.path.startswith(prefix)]
    shown, rest = call.page(roles, lambda role: role.name)
    return {"Roles": [_described(role) for role in shown], **rest}


@action(ACTIONS, "UpdateAssumeRolePolicy", _role)
def update_assume_role_policy(call: Call) -> dict[str, Any]:
    document = call.given("PolicyDocument")
    parse_trust_policy(document)
    call.verifier.set_trust_policy(call.given("RoleName"), document)
    return {}


@action(ACTIONS, "DeleteRole", _role)
def delete_role(call: Call) -> dict[str, Any]:
    call.verifier.delete_role(call.given("RoleName"))
    return {}


@action(ACTIONS, "PutRolePolicy", _role)
def put_role_policy(call: Call) -> dict[str, Any]:
    document = call.given("PolicyDocument")
    parse_policy(document)
    call.verifier.put_role_policy(call.given("RoleName"), call.given("PolicyName"), document)
    return {}


@action(ACTIONS, "GetRolePolicy", _role)
def get_role_policy(call: Call) -> dict[str, Any]:
    role, name = call.verifier.role(call.given("RoleName")), call.given("PolicyName")
    document = call.verifier.role_policies(role.name).get(name)
    if document is None:
        raise NoSuchEntity(f"The role policy with name {name} cannot be found.")
    return {"RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document)}


@action(ACTIONS, "ListRolePolicies", _role)
def list_role_policies(call: Call) -> dict[str, Any]:
    role = call.verifier.role(call.given("RoleName"))
    shown, rest = call.page(list(call.verifier.role_policies(role.name)), str)
    return {"PolicyNames": shown, **rest}


@action(ACTIONS, "DeleteRolePolicy", _role)
def delete_role_policy(call: Call) -> dict[str, Any]:
    call.verifier.delete_role_policy(call.given("RoleName"), call.given("PolicyName"))
    return {}


def _described(role: Role) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created_s,
        "AssumeRolePolicyDocument": encoded(role.trust_policy),
        "Description": role.description or None,
        "MaxSessionDuration": role.max_session_s,
    }
