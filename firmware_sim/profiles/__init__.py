"""Device models as data: one TOML file a model."""

import difflib
import tomllib
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from firmware_sim.profile import Profile
from firmware_sim.profiles.check import contradictions
from firmware_sim.profiles.error import ProfileError

__all__ = ["Profile", "ProfileError", "load_profile", "parse_profile", "profile_names"]


def profile_names() -> list[str]:
    """Names of the shipped profiles, sorted."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_profile(name: str) -> Profile:
    """The shipped profile ``name``, or that of a file whose name ends in ``.toml``.

    :class:`ProfileError` with a suggestion if there is none.
    """
    if name.endswith(".toml"):
        return _from_file(Path(name).expanduser())
    if name not in (names := profile_names()):
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
        raise ProfileError(f"no profile {name!r}; {hint}")
    return _load_shipped(name)


@cache
def _load_shipped(name: str) -> Profile:
    return parse_profile(name, _shipped(name))


def _from_file(path: Path) -> Profile:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ProfileError(f"profile {path}: {reason}") from None
    if path.stem in profile_names():
        raise ProfileError(f"profile {path}: {path.stem} is a shipped profile; rename the file")
    return parse_profile(path.stem, text)


def parse_profile(name: str, text: str) -> Profile:
    """A profile from TOML text; unknown, missing, impossible and contradictory keys are errors.

    ``base`` names a shipped profile from which come the keys that are not there.
    """
    data = _read(name, text)
    known = {each.name for each in fields(Profile)} - {"name"}
    for key in sorted(data.keys() - known):
        close = difflib.get_close_matches(key, known, 1)
        raise ProfileError(
            f"profile {name}: unknown {key}" + (f"; did you mean {close[0]}?" if close else "")
        )
    try:
        if "aaguid" in data:
            data["aaguid"] = bytes.fromhex(data["aaguid"].replace("-", ""))
        profile = msgspec.convert({"name": name, **data}, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(f"profile {name}: {error}") from None
    except (TypeError, ValueError, AttributeError):
        raise ProfileError(f"profile {name}: aaguid is a UUID in hexadecimal") from None
    for wrong in contradictions(profile):
        raise ProfileError(f"profile {name}: {wrong}")
    return profile


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile {name}: {error}") from None
    base = data.pop("base", None)
    if base is None:
        return data
    if base not in profile_names():
        raise ProfileError(f"profile {name}: base {base!r} is no shipped profile")
    return _read(base, _shipped(base)) | data


def _shipped(name: str) -> str:
    return (resources.files(__package__) / f"{name}.toml").read_text("utf-8")
