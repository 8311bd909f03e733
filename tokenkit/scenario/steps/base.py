"""What all steps have in common."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from tokenkit.scenario.names import Names
from tokenkit.scenario.outcomes import Expectation

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


def _tag(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", class_name).lower()


class Step(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag=_tag
):
    """One ``[[step]]``; its class name in kebab case is the value of ``do``."""

    def check(self, names: Names) -> None:
        """Make and use names as running would; raises WrongNameError."""

    def text(self) -> str:
        """One line for reports."""
        raise NotImplementedError

    def run(self, stage: "Stage") -> Iterable[str]:
        """Do it; yields the outcome of each attempt, if it makes any. May raise SkippedError."""
        raise NotImplementedError


class Attempt(Step, frozen=True, kw_only=True):
    """A step that asks the verifier or a key for something, which may be refused."""

    expect: Expectation = "accepted"
