"""Names that IAM accepts, and the serial numbers it makes."""

import base64
import re

from tokenkit.verifier.errors import ValidationError

ROOT = "root"  # the user that always exists
ACCOUNT_ID = "123456789012"

_NAME = r"[\w+=,.@-]"
_USER = re.compile(_NAME + "{1,64}", re.ASCII)
_POLICY = re.compile(_NAME + "{1,128}", re.ASCII)
_ACCESS_KEY = re.compile(r"\w{16,128}", re.ASCII)
_APP = re.compile(_NAME + "{1,226}", re.ASCII)
_PATH = re.compile("(/[\x21-\x7e]+/)|/")
_SERIAL_NUMBER = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)
_EVENT = re.compile("[a-z-]{1,64}")
_CHARACTERS = "A-Z a-z 0-9 _ + = , . @ -"


def check_user_name(name: str) -> None:
    """ValidationError unless IAM would take ``name``."""
    if not _fits(_USER, name):
        raise ValidationError(f"user name {name!r}: text of 1 to 64 of {_CHARACTERS}")


def check_path(path: str) -> None:
    """ValidationError unless IAM would take ``path``."""
    if not (_fits(_PATH, path) and len(path) <= 512):
        raise ValidationError(
            "The specified value for path is invalid. It must begin and end with / and contain"
            " only alphanumeric characters and/or / characters."
        )


def check_role_name(name: str) -> None:
    """ValidationError unless IAM would take ``name``."""
    if not _fits(_USER, name):
        raise ValidationError(f"role name {name!r}: text of 1 to 64 of {_CHARACTERS}")


def check_policy_name(name: str) -> None:
    """ValidationError unless IAM would take ``name``."""
    if not _fits(_POLICY, name):
        raise ValidationError(f"policy name {name!r}: text of 1 to 128 of {_CHARACTERS}")


def check_access_key_id(key_id: str) -> None:
    """ValidationError unless IAM would take it."""
    if not _fits(_ACCESS_KEY, key_id):
        raise ValidationError(f"access key id {key_id!r}: text of 16 to 128 of A-Z a-z 0-9 _")


def check_app_name(name: str) -> None:
    """ValidationError unless IAM would take ``name`` for a virtual MFA device."""
    if not _fits(_APP, name):
        raise ValidationError(f"app name {name!r}: text of 1 to 226 of {_CHARACTERS}")


def check_tag(key: str, value: str) -> None:
    """ValidationError unless they have as many characters as IAM takes."""
    if not (isinstance(key, str) and 1 <= len(key) <= 128):
        raise ValidationError(f"tag key {key!r}: text of 1 to 128 characters")
    if not (isinstance(value, str) and len(value) <= 256):
        raise ValidationError(f"tag value {value!r}: text of 0 to 256 characters")


def check_serial_number(serial_number: str) -> None:
    """ValidationError unless IAM would take it."""
    if isinstance(serial_number, str) and not 9 <= len(serial_number) <= 256:
        raise ValidationError(
            f"serial number {serial_number!r} has {len(serial_number)} characters;"
            " IAM wants 9 to 256"
        )
    if not _fits(_SERIAL_NUMBER, serial_number):
        raise ValidationError(
            f"serial number {serial_number!r}: text of 9 to 256 of {_CHARACTERS} / :"
        )


def check_event(event: str) -> None:
    """ValidationError unless a line of the log can have it."""
    if not _fits(_EVENT, event):
        raise ValidationError(f"event {event!r}: text of 1 to 64 of a-z -, such as sign-in")


def check_device_name(name: str) -> None:
    """ValidationError unless a person can read ``name``."""
    if not (isinstance(name, str) and 1 <= len(name) <= 256 and name.isprintable()):
        raise ValidationError(f"device name {name!r}: text of 1 to 256 printable characters")


def _fits(form: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and form.fullmatch(text) is not None


def unique_id(prefix: str, random_bytes: bytes) -> str:
    """An identifier as IAM makes them, such as AIDAJQABLZS4A3QDU576Q; see ID_BYTES."""
    return prefix + base64.b32encode(random_bytes).decode().rstrip("=")[:_ID_CHARACTERS]


ID_BYTES = 11
_ID_CHARACTERS = 17


def user_arn(user: str, path: str = "/") -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:" + (ROOT if user == ROOT else f"user{path}{user}")


def role_arn(role: str, path: str = "/") -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role{path}{role}"


def app_serial_number(name: str, path: str = "/") -> str:
    """The serial number of an authenticator app, as IAM forms a virtual MFA device's."""
    return f"arn:aws:iam::{ACCOUNT_ID}:mfa{path}{name}"


def key_serial_number(user: str, key_id: bytes) -> str:
    """The serial number of a security key, in IAM's form."""
    owner = "root-account" if user == ROOT else f"user/{user}"
    text = base64.b32encode(key_id).decode().rstrip("=")
    return f"arn:aws:iam::{ACCOUNT_ID}:u2f/{owner}/{text}"
