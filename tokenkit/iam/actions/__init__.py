"""The operations of IAM and of STS, a file a subject."""

from tokenkit.iam.actions import access_keys, account, devices, passwords, policies, roles, users
from tokenkit.iam.actions import sessions as sts_sessions
from tokenkit.iam.call import Actions

ACTIONS: dict[str, Actions] = {
    "iam": {
        **devices.ACTIONS,
        **users.ACTIONS,
        **access_keys.ACTIONS,
        **passwords.ACTIONS,
        **policies.ACTIONS,
        **roles.ACTIONS,
        **account.ACTIONS,
    },
    "sts": sts_sessions.ACTIONS,
}
