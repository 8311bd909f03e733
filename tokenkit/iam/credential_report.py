"""The credential report: one line a user, as CSV with IAM's columns."""

import csv
import io
from datetime import UTC, datetime

from tokenkit.verifier import ROOT, AccessKey, User, Verifier
from tokenkit.verifier.access_keys import MAX_ACCESS_KEYS

_KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(
        f"access_key_{number}_{column}"
        for number in range(1, MAX_ACCESS_KEYS + 1)
        for column in _KEY_COLUMNS
    ),
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)


def write_report(verifier: Verifier) -> bytes:
    """Root first, then the users in alphabetical order."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    holders = {device.user for device in verifier.devices()}
    keys = verifier.access_keys()
    for user in sorted(verifier.users(), key=lambda user: (user.name != ROOT, user.name)):
        own = [key for key in keys if key.user == user.name]
        writer.writerow(_line(user, own, user.name in holders))
    return file.getvalue().encode()


def _line(user: User, keys: list[AccessKey], has_mfa: bool) -> list[str]:
    is_root = user.name == ROOT
    if user.has_password:
        password = [
            "not_supported" if is_root else "true",
            "no_information" if user.password_used_s is None else _moment(user.password_used_s),
            "not_supported" if is_root else _moment(user.password_changed_s),
            "not_supported" if is_root else "N/A",  # passwords do not expire here
        ]
    else:
        password = ["not_supported" if is_root else "false", "N/A", "N/A", "N/A"]
    line = [
        "<root_account>" if is_root else user.name,
        user.arn,
        _moment(user.created_s),
        *password,
        _word(has_mfa),
    ]
    for place in range(MAX_ACCESS_KEYS):
        line += _key(keys[place]) if place < len(keys) else ["false", "N/A", "N/A", "N/A", "N/A"]
    return [*line, "false", "N/A", "false", "N/A"]


def _key(key: AccessKey) -> list[str]:
    return [
        _word(key.active),
        _moment(key.created_s),
        _moment(key.used_s),
        key.used_region or "N/A",
        key.used_service or "N/A",
    ]


def _word(holds: bool) -> str:
    return "true" if holds else "false"


def _moment(time_s: float | None) -> str:
    if time_s is None:
        return "N/A"
    return datetime.fromtimestamp(int(time_s // 1), UTC).isoformat()
