"""The account as a whole: its summary and the credential report."""

from typing import Any

from tokenkit.iam.call import Actions, Call, action
from tokenkit.iam.credential_report import write_report
from tokenkit.iam.errors import AwsError
from tokenkit.verifier import ROOT
from tokenkit.verifier.access_keys import MAX_ACCESS_KEYS

ACTIONS: Actions = {}
_KEPT_S = 4 * 3600.0


@action(ACTIONS, "GetAccountSummary")
def get_account_summary(call: Call) -> dict[str, Any]:
    verifier = call.verifier
    enabled = verifier.devices()
    roots = [device for device in enabled if device.user == ROOT]
    unassigned = [device for device in verifier.virtual_devices() if device.user is None]
    summary = {
        "Users": len(verifier.users()) - 1,
        "UsersQuota": 5000,
        "Roles": len(verifier.roles()),
        "RolesQuota": 1000,
        "MFADevices": len(enabled) + len(unassigned),
        "MFADevicesInUse": len(enabled),
        "AccountMFAEnabled": int(bool(roots)),
        "AccountAccessKeysPresent": int(bool(verifier.access_keys(ROOT))),
        "AccountPasswordPresent": int(verifier.user(ROOT).has_password),
        "AccessKeysPerUserQuota": MAX_ACCESS_KEYS,
    }
    return {"SummaryMap": summary}


@action(ACTIONS, "GenerateCredentialReport")
def generate_credential_report(call: Call) -> dict[str, Any]:
    """A new one each time: IAM keeps one for four hours, which tests would wait for."""
    call.state["report"] = write_report(call.verifier), call.service.clock.now()
    return {"State": "COMPLETE"}


@action(ACTIONS, "GetCredentialReport")
def get_credential_report(call: Call) -> dict[str, Any]:
    if "report" not in call.state:
        raise AwsError(
            "ReportNotPresent",
            "No report is present: call GenerateCredentialReport.",
        )
    contents, made_s = call.state["report"]
    if call.service.clock.now() - made_s > _KEPT_S:
        raise AwsError(
            "ReportExpired", "The report has expired: call GenerateCredentialReport again."
        )
    return {"Content": contents, "ReportFormat": "text/csv", "GeneratedTime": made_s}
