"""Device models as data: one TOML file a model."""

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args


class ProfileError(ValueError):
    """No such profile, or a profile file that is wrong."""


@dataclass(frozen=True)
class Profile:
    """One model of security key.

    ``vendor_id`` and ``product_id`` are USB's; ``device_version`` is what CTAPHID_INIT answers
    (major, minor, build); ``algorithms`` are COSE numbers in order of preference, ``extensions``
    identifiers in the order of getInfo;
    ``credential_capacity`` counts discoverable credentials; ``max_msg_size`` and
    ``max_large_blob_array`` are in bytes,
    ``touch_timeout_s`` in seconds.
    """

    name: str
    summary: str
    manufacturer: str
    product_name: str
    vendor_id: int
    product_id: int
    device_version: tuple[int, int, int]
    firmware_version: int
    aaguid: bytes
    versions: tuple[str, ...]
    algorithms: tuple[int, ...]
    extensions: tuple[str, ...]
    attestation: Literal["basic", "self"]
    make_cred_uv_not_rqd: bool
    min_pin_length: int
    max_msg_size: int
    max_credentials_in_list: int
    credential_capacity: int
    max_large_blob_array: int
    touch_timeout_s: float


def profile_names() -> list[str]:
    """Names of the shipped profiles, sorted."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


@cache
def load_profile(name: str) -> Profile:
    """The shipped profile ``name``; :class:`ProfileError` with a suggestion if there is none."""
    if name not in (names := profile_names()):
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
        raise ProfileError(f"no profile {name!r}; {hint}")
    return parse_profile(name, _shipped(name))


def parse_profile(name: str, text: str) -> Profile:
    """A profile from TOML text; unknown, missing and impossible keys are errors.

    ``base`` names a shipped profile from which come the keys that are not there.
    """
    data = _read(name, text)
    known = set(Profile.__dataclass_fields__) - {"name"}
    for wrong, keys in (("unknown", data.keys() - known), ("missing", known - data.keys())):
        if keys:
            raise ProfileError(f"profile {name}: {wrong} {', '.join(sorted(keys))}")
    try:
        data["aaguid"] = bytes.fromhex(data["aaguid"].replace("-", ""))
        for key in ("device_version", "versions", "algorithms", "extensions"):
            data[key] = tuple(data[key])
        profile = Profile(name=name, **data)
    except (TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"profile {name}: {error}") from None
    _check(profile)
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


def _check(profile: Profile) -> None:
    from firmware_sim.fido.extensions import all_extensions  # which need profiles

    attestations = get_args(Profile.__annotations__["attestation"])
    limits = {
        "aaguid": len(profile.aaguid) == 16,
        "device_version": len(profile.device_version) == 3,
        "algorithms": bool(profile.algorithms),
        "extensions": set(profile.extensions) <= all_extensions().keys(),
        "attestation": profile.attestation in attestations,
        "versions": "U2F_V2" not in profile.versions or profile.attestation == "basic",
        "min_pin_length": 4 <= profile.min_pin_length <= 63,
        "max_msg_size": 1024 <= profile.max_msg_size <= 7609,
        "max_large_blob_array": profile.max_large_blob_array >= 1024,
        "vendor_id": 0 <= profile.vendor_id <= 0xFFFF,
        "product_id": 0 <= profile.product_id <= 0xFFFF,
        "touch_timeout_s": profile.touch_timeout_s > 0,
    }
    for key, held in limits.items():
        if not held:
            raise ProfileError(f"profile {profile.name}: {key} cannot be {getattr(profile, key)!r}")
