"""pinComplexityPolicy (CTAP 2.3 §12): the RPs that authenticatorConfig names may know it."""

from firmware_sim.fido.extension import Extension, Registration
from firmware_sim.fido.request import of_type


def _register(registration: Registration, value: object) -> bool | None:
    settings = registration.authenticator.settings
    if not of_type(value, bool) or registration.rp_id not in settings.min_pin_rp_ids:
        return None
    return settings.pin_complexity


EXTENSION = Extension("pinComplexityPolicy", register=_register)
