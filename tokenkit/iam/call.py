"""One call: who makes it, what is asked, and the action that answers."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tokenkit.iam.errors import AwsError
from tokenkit.iam.principal import Principal
from tokenkit.service import Service
from tokenkit.verifier import ROOT, NoSuchEntity, Verifier
from tokenkit.verifier.names import user_arn

_DEFAULT_ITEMS = 100
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Call:
    """``parameters`` are checked against the operation's model.

    ``state`` is what the process keeps between calls, ``more`` what policies may ask about this
    one, beside who makes it.
    """

    service: Service
    principal: Principal
    operation: str
    parameters: dict[str, Any]
    state: dict[str, Any]
    more: dict[str, str]

    @property
    def verifier(self) -> Verifier:
        return self.service.verifier

    def given(self, name: str, default: Any = None) -> Any:
        """A parameter."""
        return self.parameters.get(name, default)

    def user(self) -> str:
        """The user that UserName names, or the caller.

        ValidationError if there is no name and no user calls; NoSuchEntity for root, whom only
        root can name.
        """
        name: str | None = self.given("UserName")
        if name is None:
            if self.principal.user is None:
                raise AwsError(
                    "ValidationError",
                    "Must specify userName when calling with non-User credentials",
                )
            return self.principal.user
        if name == ROOT and not self.principal.is_root:
            raise NoSuchEntity(f"The user with name {name} cannot be found.")
        return name

    def page(
        self, items: Sequence[_Item], key: Callable[[_Item], Any]
    ) -> tuple[list[_Item], dict[str, Any]]:
        """The items from Marker on, MaxItems at most, and what the answer says of the rest.

        They come in the order of their keys, which JSON can write; items that come or go between
        two calls shift no others.
        """
        after = self._marked()
        try:
            rest = sorted((item for item in items if after is None or key(item) > after), key=key)
        except TypeError:
            raise _INVALID_MARKER from None
        most = self.given("MaxItems", _DEFAULT_ITEMS)
        shown = rest[:most]
        if len(shown) == len(rest):
            return shown, {"IsTruncated": False}
        return shown, {"IsTruncated": True, "Marker": self._mark(key(shown[-1]))}

    def _mark(self, key: Any) -> str:
        text = json.dumps([self.operation, key])
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _marked(self) -> Any:
        marker = self.given("Marker")
        if marker is None:
            return None
        try:
            said = json.loads(base64.urlsafe_b64decode(marker.encode()))
            operation, key = said
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise _INVALID_MARKER from None
        if operation != self.operation or key is None:
            raise _INVALID_MARKER
        return key


_INVALID_MARKER = AwsError("ValidationError", "Invalid Marker.")


@dataclass(frozen=True)
class Action:
    """What answers an operation: ``run`` gives the members of its output.

    ``resource`` is the ARN that policies speak of. ``without`` are parameters that AWS has and
    this has not: they are refused, since passing them over would be a lie.
    """

    run: Callable[[Call], dict[str, Any]]
    resource: Callable[[Call], str]
    without: frozenset[str]


Actions = dict[str, Action]


def anything(call: Call) -> str:
    """The resource of operations that are about none."""
    return "*"


def the_user(call: Call) -> str:
    """The user that a call is about."""
    name = call.user()
    if name == call.principal.user:
        return call.principal.arn
    try:
        return call.verifier.user(name).arn
    except NoSuchEntity:
        return user_arn(name)


def new_user(call: Call) -> str:
    return user_arn(call.user(), call.given("Path", "/"))


def action(
    actions: Actions,
    name: str,
    resource: Callable[[Call], str] = anything,
    without: Sequence[str] = (),
) -> Callable[[Callable[[Call], dict[str, Any]]], Callable[[Call], dict[str, Any]]]:
    """Register what answers the operation ``name``."""

    def register(run: Callable[[Call], dict[str, Any]]) -> Callable[[Call], dict[str, Any]]:
        actions[name] = Action(run, resource, frozenset(without))
        return run

    return register


def tags_of(call: Call) -> dict[str, str]:
    """The parameter Tags, by key; InvalidInput for one that is there twice."""
    given = call.given("Tags", [])
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len({key.lower() for key in tags}) < len(given):
        raise AwsError(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    return tags


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
