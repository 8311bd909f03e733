"""Words for what templates of administrators' pages show."""

from tokenkit.verifier import Device, DeviceKind
from tokenkit.web.admin_chart import error_text, utc

_KINDS = {
    DeviceKind.HARDWARE_TOKEN: "Hardware TOTP token",
    DeviceKind.AUTHENTICATOR_APP: "Authenticator app",
    DeviceKind.SECURITY_KEY: "Security key",
}


def kind_text(kind: DeviceKind) -> str:
    return _KINDS[kind]


def device_error_text(device: Device) -> str:
    """By how much a device's clock is off, as far as that is known now."""
    predicted = device.predicted_offset_s
    return error_text(device.offset_s if predicted is None else predicted)


def second_text(at_s: float) -> str:
    """A time to the second, UTC."""
    return f"{utc(at_s):%Y-%m-%d %H:%M:%S}"


def plain_text(value: object) -> str:
    """A value of the log's, as a person writes it."""
    return f"{value:zg}" if isinstance(value, float) else str(value)


FILTERS = {
    "second": second_text,
    "clock_error": error_text,
    "device_error": device_error_text,
    "kind": kind_text,
    "plain": plain_text,
}
