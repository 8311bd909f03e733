"""Tags: keys and values that people put on devices, users and roles."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from tokenkit.verifier import identity_records, records
from tokenkit.verifier.desk import Desk, no_such_device
from tokenkit.verifier.errors import InvalidInput, LimitExceeded
from tokenkit.verifier.names import check_serial_number, check_tag

MAX_TAGS = 50  # of one resource: IAM


class Tags(Desk):
    """The part of a verifier that knows tags; of users and roles they are read by ARN."""

    def tag_device(self, serial_number: str, tags: Mapping[str, str]) -> None:
        """Set ``tags``, beside those there are. NoSuchEntity, LimitExceeded, InvalidInput."""
        with self._request("tag-device", None, serial_number) as request:
            _demand(records.lock_device(request.connection, serial_number), serial_number)
            check_tags(tags, identity_records.tags(request.connection, serial_number))
            request.detail["keys"] = sorted(tags)
            identity_records.put_tags(request.connection, serial_number, tags)

    def untag_device(self, serial_number: str, keys: Iterable[str]) -> None:
        """Remove the tags that have one of ``keys``. NoSuchEntity."""
        with self._request("untag-device", None, serial_number) as request:
            _demand(records.lock_device(request.connection, serial_number), serial_number)
            request.detail["keys"] = sorted(keys)
            identity_records.delete_tags(request.connection, serial_number, keys)

    def device_tags(self, serial_number: str) -> dict[str, str]:
        """Values by key, in alphabetical order. NoSuchEntity, ValidationError."""
        check_serial_number(serial_number)
        with self._store.reading() as connection:
            _demand(records.find_device(connection, serial_number), serial_number)
            return identity_records.tags(connection, serial_number)

    def tags(self, arn: str) -> dict[str, str]:
        """Those of a user or role, which were given when it was made."""
        with self._store.reading() as connection:
            return identity_records.tags(connection, arn)


def check_tags(tags: Mapping[str, str], present: Mapping[str, str]) -> None:
    """InvalidInput for keys that differ in case alone, LimitExceeded for too many.

    ValidationError for a key or value that is too long.
    """
    for key, value in tags.items():
        check_tag(key, value)
    keys = [key.lower() for key in {**present, **tags}]
    if len(set(keys)) < len(keys):
        raise InvalidInput(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if len(keys) > MAX_TAGS:
        raise LimitExceeded(f"The number of tags has reached the maximum limit: {MAX_TAGS}.")


def _demand(device: Row[Any] | None, serial_number: str) -> None:
    if device is None:
        raise no_such_device(serial_number)
