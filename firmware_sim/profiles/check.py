"""What cannot be: limits out of range, and keys of a profile that contradict each other."""

from collections.abc import Iterator

from firmware_sim.card.applications import APPLICATIONS
from firmware_sim.fido.algorithms import KNOWN
from firmware_sim.fido.commands.get_info import MEMBERS
from firmware_sim.fido.credential import max_id_length
from firmware_sim.fido.extensions import all_extensions
from firmware_sim.fido.pin_uv_token import INITIAL_USAGE_LIMIT_S
from firmware_sim.profile import Profile
from firmware_sim.vendor_commands import VENDOR_COMMANDS

# an option identifier of getInfo, and the options that it makes no sense without (CTAP 2.3 §6.4)
OPTIONS: dict[str, tuple[str, ...]] = {
    "plat": (),
    "rk": (),
    "up": (),
    "uv": (),
    "clientPin": (),
    "pinUvAuthToken": (),
    "noMcGaPermissionsWithClientPin": ("clientPin", "uv"),
    "largeBlobs": ("rk",),
    "ep": ("authnrCfg",),
    "bioEnroll": ("uv", "clientPin"),  # the first finger is taught after the PIN
    "userVerificationMgmtPreview": ("uv", "clientPin"),
    "uvBioEnroll": ("bioEnroll",),
    "authnrCfg": (),
    "uvAcfg": ("authnrCfg", "uv"),
    "credMgmt": ("rk",),
    "perCredMgmtRO": ("credMgmt", "pinUvAuthToken"),
    "credentialMgmtPreview": ("rk", "clientPin"),
    "setMinPINLength": ("authnrCfg", "clientPin"),
    "makeCredUvNotRqd": (),
    "alwaysUv": ("authnrCfg",),
}
# an extension, and the option or extension that it makes no sense without (§12)
_EXTENSIONS_NEED = {
    "hmac-secret-mc": "hmac-secret",
    "largeBlobKey": "largeBlobs",
    "minPinLength": "setMinPINLength",
    "pinComplexityPolicy": "setMinPINLength",
    "credBlob": "rk",
}
FORMATS = ("packed", "fido-u2f")  # none is implied
VERSIONS = ("U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1", "FIDO_2_3")


def contradictions(profile: Profile) -> Iterator[str]:
    """What is wrong with ``profile``, in words; nothing if it can be."""
    yield from _limits(profile)
    wrong_names = list(_names(profile))
    yield from wrong_names
    if not wrong_names:  # the others look the names up
        yield from _id_length(profile)
        yield from _needs(profile)
        yield from _versions(profile)


def _limits(profile: Profile) -> Iterator[str]:
    fingerprints = "uv" in profile.options
    limits = {
        "aaguid": len(profile.aaguid) == 16,
        "vendor_id": 0 <= profile.vendor_id <= 0xFFFF,
        "product_id": 0 <= profile.product_id <= 0xFFFF,
        "device_version": all(0 <= each <= 0xFF for each in profile.device_version),
        "versions": bool(profile.versions),
        "algorithms": bool(profile.algorithms),
        "transports": bool(profile.transports),
        "min_pin_length": 4 <= profile.min_pin_length <= profile.max_pin_length,
        "max_pin_length": 8 <= profile.max_pin_length <= 63,
        "max_msg_size": 1024 <= profile.max_msg_size <= 7609,
        "max_credentials_in_list": profile.max_credentials_in_list >= 1,
        "max_credential_id_length": 32 <= profile.max_credential_id_length <= 0xFFFF,
        "max_large_blob_array": profile.max_large_blob_array >= 1024
        if "largeBlobs" in profile.options
        else profile.max_large_blob_array == 0,
        "max_cred_blob_length": profile.max_cred_blob_length >= 32
        if "credBlob" in profile.extensions
        else profile.max_cred_blob_length == 0,
        "credential_capacity": profile.credential_capacity > 0
        if "rk" in profile.options
        else profile.credential_capacity == 0,
        "firmware_version": profile.firmware_version is None or _is_u64(profile.firmware_version),
        "vendor_prototype_config_commands": all(
            map(_is_u64, profile.vendor_prototype_config_commands)
        ),
        "attestation_formats": "packed" in profile.attestation_formats
        and (profile.attestation == "basic" or len(profile.attestation_formats) == 1),
        "transports_for_reset": set(profile.transports_for_reset) <= set(profile.transports),
        "yubico_form_factor": 0 <= profile.yubico_form_factor <= 0xFF,
        "touch_timeout_s": profile.touch_timeout_s > 0,
        "uv_modality": (profile.uv_modality > 0) is fingerprints,
        "uv_retries": (1 <= profile.uv_retries <= 25) is fingerprints,
        "uv_attempts": (2 <= profile.uv_attempts <= 5) is fingerprints,
        "fingerprint_samples": (profile.fingerprint_samples > 0) is fingerprints,
        "fingerprint_capacity": (profile.fingerprint_capacity > 0) is fingerprints,
        "fingerprint_name_length": (profile.fingerprint_name_length > 0) is fingerprints,
        "max_rp_ids_for_min_pin": 0
        <= profile.max_rp_ids_for_min_pin
        <= (255 if "setMinPINLength" in profile.options else 0),
        "pin_complexity_policy_url": profile.pin_complexity != "absent"
        or not profile.pin_complexity_policy_url,
    }
    for key, held in limits.items():
        if not held:
            yield f"{key} cannot be {getattr(profile, key)!r}"


def _is_u64(number: int) -> bool:
    return 0 <= number < 1 << 64


def _names(profile: Profile) -> Iterator[str]:
    known = {
        "versions": set(VERSIONS),
        "options": OPTIONS.keys(),
        "extensions": all_extensions().keys(),
        "info_members": MEMBERS.keys(),
        "algorithms": KNOWN.keys(),
        "attestation_formats": set(FORMATS),
        "pin_uv_protocols": {1, 2},
        "transports": INITIAL_USAGE_LIMIT_S.keys(),
        "vendor_commands": VENDOR_COMMANDS.keys(),
        "card_applications": APPLICATIONS.keys(),
    }
    for key, names in known.items():
        given = getattr(profile, key)
        for name in given:
            if name not in names:
                yield f"{key} cannot have {name!r}"
        if len(set(given)) < len(given):
            yield f"{key} names something twice"
    taken: dict[int, str] = {}
    for name in VENDOR_COMMANDS.keys() & profile.vendor_commands:
        other = taken.setdefault(VENDOR_COMMANDS[name][0], name)
        if other != name:
            yield f"vendor_commands {min(name, other)} and {max(name, other)} share a number"


def _needs(profile: Profile) -> Iterator[str]:
    options = set(profile.options)
    for option in profile.extra_options.keys() & OPTIONS.keys():
        yield f"extra_options cannot have {option!r}, which has a meaning"
    for option in profile.options:
        for needed in OPTIONS[option]:
            if needed not in options:
                yield f"option {option} needs option {needed}"
    if "setMinPINLength" in options and "minPinLength" not in profile.extensions:
        yield "option setMinPINLength needs extension minPinLength"
    for extension in profile.extensions:
        needed = _EXTENSIONS_NEED.get(extension, "")
        if needed and needed not in options | set(profile.extensions):
            yield f"extension {extension} needs {needed}"
    verifies = not options.isdisjoint(("clientPin", "uv"))
    if verifies is not bool(profile.pin_uv_protocols):
        yield "pin_uv_protocols go with option clientPin or uv"
    for what in ("pinUvAuthToken", "alwaysUv"):
        if what in options and not verifies:
            yield f"option {what} needs option clientPin or uv"
    if "credProtect" in profile.extensions and not verifies:
        yield "extension credProtect needs option clientPin or uv"
    if "uv" in options and options.isdisjoint(("bioEnroll", "userVerificationMgmtPreview")):
        yield "option uv needs option bioEnroll or userVerificationMgmtPreview"
    if profile.pin_complexity != "absent" and "clientPin" not in options:
        yield "pin_complexity needs option clientPin"
    if profile.pin_complexity == "off" and "setMinPINLength" not in options:
        yield "pin_complexity can be switched on by option setMinPINLength only"
    if "pinComplexityPolicy" in profile.extensions and profile.pin_complexity == "absent":
        yield "extension pinComplexityPolicy needs pin_complexity"
    if profile.vendor_prototype_config_commands and "authnrCfg" not in options:
        yield "vendor_prototype_config_commands need option authnrCfg"
    if profile.long_touch_for_reset == "off" and "authnrCfg" not in options:
        yield "long_touch_for_reset can be switched on by option authnrCfg only"
    if profile.always_uv and "alwaysUv" not in options:
        yield "always_uv needs option alwaysUv"
    if "ep" in options and profile.attestation != "basic":
        yield "option ep needs attestation basic"
    if profile.enterprise_rp_ids and "ep" not in options:
        yield "enterprise_rp_ids need option ep"
    if "fido" in profile.card_applications and "nfc" not in profile.transports:
        yield "card_applications with fido need transport nfc"


def _id_length(profile: Profile) -> Iterator[str]:
    states = {name: all_extensions()[name].server_side_state for name in profile.extensions}
    kept = {name: state for name, state in states.items() if state is not None}
    longest = max_id_length(profile.algorithms, kept)
    if profile.max_credential_id_length < longest:
        yield f"max_credential_id_length cannot be under {longest} with these algorithms"


def _versions(profile: Profile) -> Iterator[str]:
    if "U2F_V2" in profile.versions and profile.attestation != "basic":
        yield "version U2F_V2 needs attestation basic"
    if profile.versions == ("U2F_V2",) and (profile.options or profile.extensions):
        yield "version U2F_V2 alone has neither options nor extensions"
    previews = {"credentialMgmtPreview", "userVerificationMgmtPreview"} & set(profile.options)
    if previews and not profile.speaks("FIDO_2_1_PRE"):
        yield f"option {min(previews)} needs version FIDO_2_1_PRE"
    if profile.speaks("FIDO_2_1", "FIDO_2_3"):  # 2.1 and 2.3 §9, mandatory features
        verifies = "clientPin" in profile.options or "uv" in profile.options
        mandatory = {
            "extension hmac-secret": "hmac-secret" in profile.extensions,
            "option credMgmt": "rk" not in profile.options or "credMgmt" in profile.options,
            "option clientPin or uv": "rk" not in profile.options or verifies,
            "extension credProtect": not verifies or "credProtect" in profile.extensions,
            "option pinUvAuthToken": not verifies or profile.has_tokens,
            "pin_uv_protocols with 2": not verifies or 2 in profile.pin_uv_protocols,
        }
        for what, held in mandatory.items():
            if not held:
                yield f"version FIDO_2_1 or FIDO_2_3 demands {what}"
