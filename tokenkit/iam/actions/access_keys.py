"""Access keys: IAM's operations on them."""

from typing import Any

from tokenkit.iam.call import Actions, Call, action, the_user
from tokenkit.iam.errors import AwsError
from tokenkit.verifier import AccessKey, NoSuchEntity

ACTIONS: Actions = {}


@action(ACTIONS, "CreateAccessKey", the_user)
def create_access_key(call: Call) -> dict[str, Any]:
    key = call.verifier.create_access_key(call.user())
    return {"AccessKey": {**_listed(key), "SecretAccessKey": key.secret}}


@action(ACTIONS, "ListAccessKeys", the_user)
def list_access_keys(call: Call) -> dict[str, Any]:
    keys = call.verifier.access_keys(call.user())
    shown, rest = call.page(keys, lambda key: [key.created_s, key.id])
    return {"AccessKeyMetadata": [_listed(key) for key in shown], **rest}


@action(ACTIONS, "UpdateAccessKey", the_user)
def update_access_key(call: Call) -> dict[str, Any]:
    status = call.given("Status")
    if status not in ("Active", "Inactive"):
        raise AwsError("ValidationError", f"tokenkit's access keys do not become {status}.")
    is_active = status == "Active"
    call.verifier.set_access_key_active(call.user(), call.given("AccessKeyId"), is_active)
    return {}


@action(ACTIONS, "DeleteAccessKey", the_user)
def delete_access_key(call: Call) -> dict[str, Any]:
    call.verifier.delete_access_key(call.user(), call.given("AccessKeyId"))
    return {}


def _owner(call: Call) -> str:
    """Whose an access key is; of none that there is, anybody's."""
    key = call.verifier.find_access_key(call.given("AccessKeyId"))
    return "*" if key is None else call.verifier.user(key.user).arn


@action(ACTIONS, "GetAccessKeyLastUsed", _owner)
def get_access_key_last_used(call: Call) -> dict[str, Any]:
    key_id = call.given("AccessKeyId")
    key = call.verifier.find_access_key(key_id)
    if key is None:
        raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")
    used = {
        "LastUsedDate": key.used_s,
        "ServiceName": key.used_service or "N/A",
        "Region": key.used_region or "N/A",
    }
    return {"UserName": key.user, "AccessKeyLastUsed": used}


def _listed(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user,
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created_s,
    }
