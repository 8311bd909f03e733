"""A model of security key, as data; the shipped ones are in ``profiles``."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class Profile:
    """One model of security key. What has a default is absent from a model that leaves it out.

    USB: ``vendor_id``, ``product_id`` and the names; ``device_version`` is what CTAPHID_INIT
    answers (major, minor, build). ``usb_serial_number`` is whether USB tells the serial number,
    ``vendor_commands`` are names in :mod:`firmware_sim.vendor_commands`.

    NFC and CCID: ``card_applications`` are names in :mod:`firmware_sim.card.applications`, what
    the key has as a smart card; without any it is none. ``yubico_form_factor`` is what a YubiKey
    says of its shape: the plug, by yubikit's number, and 0x40 for a Security Key.

    CTAP: ``versions``, ``options`` (identifiers, which decide the commands there are) and
    ``extensions`` in the order of getInfo, ``algorithms`` (COSE numbers) and
    ``pin_uv_protocols`` in order of preference; ``extra_options`` and ``extra_versions`` are sent,
    too, and mean nothing here, as those of drafts; ``info_members`` are the names of the getInfo
    members that are sent, all that have a value if empty.

    ``signature_counter`` is one for all credentials, one for each, or always 0.
    ``attestation`` is what the key vouches with; a key with a certificate offers
    ``attestation_formats``. Enterprise attestation is for ``enterprise_rp_ids`` and, at the
    platform's wish, for all.

    PIN lengths are in Unicode code points. A ``pin_complexity`` policy is absent, can be switched
    on, or holds from the start. ``pin_retries_before_set`` is what getPINRetries answers before
    there is a PIN. ``token_rolling_timer``: a pinUvAuthToken dies of being idle.

    Fingerprint sensor: ``uv_retries`` matches may fail in all, ``uv_attempts`` in one request.
    ``long_touch_for_reset`` is absent, can be switched on, or holds from the start.
    ``credential_capacity`` counts discoverable credentials. Lengths of messages, blobs, names
    and ids are in bytes, times in seconds.
    """

    name: str
    summary: str
    source: str
    manufacturer: str
    product_name: str
    vendor_id: int
    product_id: int
    device_version: tuple[int, int, int]
    versions: tuple[str, ...]
    touch_timeout_s: float
    aaguid: bytes = bytes(16)
    firmware_version: int | None = None
    options: tuple[str, ...] = ()
    extra_options: dict[str, bool] = field(default_factory=dict, hash=False)
    extra_versions: tuple[str, ...] = ()
    info_members: tuple[str, ...] = ()
    algorithms: tuple[int, ...] = (-7,)
    extensions: tuple[str, ...] = ()
    transports: tuple[str, ...] = ("usb",)
    transports_for_reset: tuple[str, ...] = ()
    certifications: dict[str, int] = field(default_factory=dict, hash=False)
    attestation: Literal["basic", "self", "none"] = "basic"
    attestation_formats: tuple[str, ...] = ("packed",)
    enterprise_rp_ids: tuple[str, ...] = ()
    signature_counter: Literal["global", "credential", "zero"] = "global"
    pin_uv_protocols: tuple[int, ...] = ()
    min_pin_length: int = 4
    max_pin_length: int = 63
    pin_complexity: Literal["absent", "off", "on"] = "absent"
    pin_complexity_policy_url: str = ""
    pin_retries_before_set: Literal["pin-not-set", "counter"] = "pin-not-set"
    always_uv: bool = False
    token_rolling_timer: bool = False
    uv_modality: int = 0
    uv_retries: int = 0
    uv_attempts: int = 0
    fingerprint_samples: int = 0
    fingerprint_capacity: int = 0
    fingerprint_name_length: int = 0
    max_msg_size: int = 1024
    max_credentials_in_list: int = 8
    max_credential_id_length: int = 128
    credential_capacity: int = 0
    max_cred_blob_length: int = 0
    max_large_blob_array: int = 0
    max_rp_ids_for_min_pin: int = 0
    vendor_prototype_config_commands: tuple[int, ...] = ()
    long_touch_for_reset: Literal["absent", "off", "on"] = "absent"
    wink: bool = False
    ctaphid_lock: bool = False
    vendor_commands: tuple[str, ...] = ()
    usb_serial_number: bool = False
    card_applications: tuple[str, ...] = ()
    yubico_form_factor: int = 0x01

    @cached_property
    def has_tokens(self) -> bool:
        """Whether tokens have permissions and die (CTAP 2.1); CTAP 2.0's pinToken has not."""
        return "pinUvAuthToken" in self.options

    def sends(self, member: str) -> bool:
        """Whether getInfo sends ``member``, by its name, where it has a value."""
        return not self.info_members or member in self.info_members

    def speaks(self, *versions: str) -> bool:
        """Whether one of ``versions`` is claimed."""
        return not set(versions).isdisjoint(self.versions)
