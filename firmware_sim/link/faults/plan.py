"""A fault plan: what goes wrong on the wire and in flash, and when, as data in a TOML file."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

Direction = Literal["in", "out"]
"""From the host, or to it."""

# as CTAPHID calls them, and on a card
COMMANDS = ("PING", "MSG", "LOCK", "INIT", "WINK", "CBOR", "CANCEL", "KEEPALIVE", "ERROR", "SELECT")
_BYTE = re.compile(r"0x[0-9A-F]{2}")
_PATH = re.compile(r"(?s)(.*) - at `\$(?:\.fault(?:\[(\d+)\])?)?(?:\.(\w+))?`")

_Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class FaultPlanError(ValueError):
    """A fault plan that cannot be read, or is none; the message says where and how to mend it."""


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """When something goes wrong: every time, unless one of the first three says otherwise.

    The n-th time only (``at``), each n-th time, or each time with a ``probability``; at most
    ``count`` times. Times are counted from 1 over the whole life of a plan.
    """

    at: _Positive | None = None
    every: _Positive | None = None
    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    count: _Positive | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.at, self.every, self.probability)) > 1:
            raise ValueError("at, every and probability exclude each other: keep one")

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class UnitFault(Fault, frozen=True, kw_only=True):
    """A fault on units: 64-byte reports, or APDUs on a card.

    Only those that go in one ``direction``, belong to one ``command``, or are the n-th ``packet``
    of their message are counted.
    """

    direction: Literal["in", "out", "both"] = "both"
    command: str | None = None
    packet: _Positive | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        name = self.command
        if name is not None and name not in COMMANDS and not _BYTE.fullmatch(name):
            close = difflib.get_close_matches(name.upper(), COMMANDS, 1)
            hint = f"did you mean {close[0]}?" if close else f"{', '.join(COMMANDS)}, or as 0x41"
            raise ValueError(f"command {name!r} is none; {hint}")

    def concerns(self, direction: Direction, command: str, packet: int) -> bool:
        return (
            self.direction in ("both", direction)
            and self.command in (None, command)
            and self.packet in (None, packet)
        )


class Drop(UnitFault, frozen=True, kw_only=True, tag="drop"):
    """It never arrives."""


class Corrupt(UnitFault, frozen=True, kw_only=True, tag="corrupt"):
    """``bits`` of it arrive as their opposite: anywhere, or in byte number ``byte`` (from 0)."""

    bits: Annotated[int, msgspec.Meta(ge=1, le=512)] = 1
    byte: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None = None


class Duplicate(UnitFault, frozen=True, kw_only=True, tag="duplicate"):
    """It arrives more than once: ``copies`` more."""

    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class Reorder(UnitFault, frozen=True, kw_only=True, tag="reorder"):
    """It arrives behind the next one of its direction; alone, a tenth of a second late."""


class Delay(UnitFault, frozen=True, kw_only=True, tag="delay"):
    """It arrives ``delay_s`` seconds later; what comes behind it waits."""

    delay_s: _Seconds


class Stall(UnitFault, frozen=True, kw_only=True, tag="stall"):
    """The device stands still from here, in both directions: ``stall_s`` seconds, or for good."""

    stall_s: _Seconds | None = None


class Truncate(UnitFault, frozen=True, kw_only=True, tag="truncate"):
    """Only its first ``length`` bytes arrive; how many is drawn if it is not said."""

    length: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None = None


class WrongChannel(UnitFault, frozen=True, kw_only=True, tag="wrong-channel"):
    """It arrives on another ``channel``, drawn if it is not said (CTAPHID only)."""

    channel: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)] | None = None


class KeepAlives(UnitFault, frozen=True, kw_only=True, tag="keep-alives"):
    """Before it, ``number`` keep-alives go to the host on its channel (CTAPHID only)."""

    direction: Literal["in", "out", "both"] = "out"
    number: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class Unplug(UnitFault, frozen=True, kw_only=True, tag="unplug"):
    """The device is pulled out right behind it."""


class PowerCut(Fault, frozen=True, kw_only=True, tag="power-cut"):
    """The power goes at a flash write: before, or ``after`` it took effect. Writes are counted.

    Those of the very first power-up, with which a key is made, are not.
    """

    after: bool = False


AnyFault = (
    Drop
    | Corrupt
    | Duplicate
    | Reorder
    | Delay
    | Stall
    | Truncate
    | WrongChannel
    | KeepAlives
    | Unplug
    | PowerCut
)
ON_CHANNELS = (WrongChannel, KeepAlives)
KINDS: dict[str, type[Fault]] = {
    str(each.__struct_config__.tag): each for each in AnyFault.__args__
}


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults, and the ``seed`` of what they draw."""

    seed: int = 1
    fault: Annotated[tuple[AnyFault, ...], msgspec.Meta(min_length=1)]


def load_plan(path: str | Path) -> FaultPlan:
    """The plan in a file; :class:`FaultPlanError` names it."""
    try:
        text = Path(path).expanduser().read_text("utf-8")
    except (OSError, RuntimeError, ValueError) as error:  # no file, no home for ~, no text
        unreadable = isinstance(error, UnicodeDecodeError)
        reason = "it is not UTF-8" if unreadable else getattr(error, "strerror", None) or error
        raise FaultPlanError(f"fault plan {path}: {reason}") from None
    return parse_plan(str(path), text)


def parse_plan(name: str, text: str) -> FaultPlan:
    """A plan from TOML text; ``name`` says in errors which it is."""
    try:
        data = tomllib.loads(text)
        _suggest(data)
        return msgspec.convert(data, FaultPlan)
    except msgspec.ValidationError as error:
        raise FaultPlanError(f"fault plan {name}: {_say(str(error))}") from None
    except (tomllib.TOMLDecodeError, FaultPlanError) as error:
        raise FaultPlanError(f"fault plan {name}: {error}") from None
    except RecursionError:
        raise FaultPlanError(f"fault plan {name}: it is nested too deeply") from None


def _suggest(data: dict[str, Any]) -> None:
    """Say what an unknown kind or key should have been; the rest is msgspec's to find."""
    _check_keys("", data, FaultPlan)
    faults = data.get("fault")
    if not isinstance(faults, list) or not faults or not all(isinstance(f, dict) for f in faults):
        raise FaultPlanError("it has no faults; write each as a table [[fault]]")
    for number, fault in enumerate(faults, 1):
        kind = fault.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            close = difflib.get_close_matches(str(kind), KINDS, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(KINDS)}"
            what = "no kind" if kind is None else f"kind {kind!r} is none"
            raise FaultPlanError(f"fault {number}: {what}; {hint}")
        _check_keys(f"fault {number} ({kind}): ", fault, KINDS[kind])
        if fault.get("direction", "in") not in ("in", "out", "both"):
            raise FaultPlanError(f"fault {number} ({kind}): direction is in, out or both")


def _check_keys(where: str, data: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    known = [field.name for field in msgspec.structs.fields(struct)]
    for key in data:
        if key not in known and (key != "kind" or struct is FaultPlan):
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            name = key if key.isprintable() else repr(key)
            raise FaultPlanError(f"{where}unknown {name}; {hint}")


def _say(message: str) -> str:
    """msgspec's message with the place in front, faults counted from 1."""
    found = _PATH.fullmatch(message)
    if found is None:
        return message
    what, index, key = found.groups()
    where = f"fault {int(index) + 1}: " if index is not None else ""
    return f"{where}{f'{key}: ' if key else ''}{what}"
