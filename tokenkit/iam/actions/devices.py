"""MFA devices: IAM's operations on them."""

from collections.abc import Mapping
from typing import Any

from tokenkit.iam.actions.users import described
from tokenkit.iam.call import Actions, Call, action, tag_list, tags_of, the_user
from tokenkit.verifier import Device, DeviceKind, User
from tokenkit.verifier.desk import no_such_device
from tokenkit.verifier.model import VirtualDevice
from tokenkit.verifier.names import app_serial_number

ACTIONS: Actions = {}


def _new_device(call: Call) -> str:
    return app_serial_number(call.given("VirtualMFADeviceName"), call.given("Path", "/"))


def _device(call: Call) -> str:
    serial_number: str = call.given("SerialNumber")
    return serial_number


@action(ACTIONS, "CreateVirtualMFADevice", _new_device)
def create_virtual_mfa_device(call: Call) -> dict[str, Any]:
    tags = tags_of(call)
    app = call.verifier.create_authenticator_app(
        call.given("VirtualMFADeviceName"), path=call.given("Path", "/"), tags=tags
    )
    made = {
        "SerialNumber": app.serial_number,
        "Base32StringSeed": app.secret.encode(),
        "QRCodePNG": app.qr_png(),
        "Tags": tag_list(tags) or None,
    }
    return {"VirtualMFADevice": made}


@action(ACTIONS, "DeleteVirtualMFADevice", _device)
def delete_virtual_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.delete_authenticator_app(call.given("SerialNumber"))
    return {}


@action(ACTIONS, "EnableMFADevice", the_user)
def enable_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.enable(call.user(), call.given("SerialNumber"), *_codes(call))
    return {}


@action(ACTIONS, "ResyncMFADevice", the_user)
def resync_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.resync(call.user(), call.given("SerialNumber"), *_codes(call))
    return {}


@action(ACTIONS, "DeactivateMFADevice", the_user)
def deactivate_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.deactivate(call.user(), call.given("SerialNumber"))
    return {}


@action(ACTIONS, "ListMFADevices", the_user)
def list_mfa_devices(call: Call) -> dict[str, Any]:
    devices = call.verifier.devices(call.user())
    shown, rest = call.page(devices, lambda device: [device.enabled_s, device.serial_number])
    return {"MFADevices": [_listed(device) for device in shown], **rest}


@action(ACTIONS, "GetMFADevice", the_user)
def get_mfa_device(call: Call) -> dict[str, Any]:
    serial_number = call.given("SerialNumber")
    for device in call.verifier.devices(call.user()):
        if device.serial_number == serial_number:
            certifications = (
                call.verifier.certifications(device.user, serial_number)
                if device.kind is DeviceKind.SECURITY_KEY
                else {}
            )
            return {**_listed(device), "Certifications": certifications}
    raise no_such_device(serial_number)


@action(ACTIONS, "ListVirtualMFADevices")
def list_virtual_mfa_devices(call: Call) -> dict[str, Any]:
    wanted = call.given("AssignmentStatus", "Any")
    devices = [
        device
        for device in call.verifier.virtual_devices()
        if wanted == "Any" or (device.user is not None) == (wanted == "Assigned")
    ]
    shown, rest = call.page(devices, lambda device: device.serial_number)
    users = {user.name: user for user in call.verifier.users()}
    return {"VirtualMFADevices": [_virtual(device, users) for device in shown], **rest}


@action(ACTIONS, "TagMFADevice", _device)
def tag_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.tag_device(call.given("SerialNumber"), tags_of(call))
    return {}


@action(ACTIONS, "UntagMFADevice", _device)
def untag_mfa_device(call: Call) -> dict[str, Any]:
    call.verifier.untag_device(call.given("SerialNumber"), call.given("TagKeys"))
    return {}


@action(ACTIONS, "ListMFADeviceTags", _device)
def list_mfa_device_tags(call: Call) -> dict[str, Any]:
    tags = call.verifier.device_tags(call.given("SerialNumber"))
    shown, rest = call.page(list(tags), str)
    return {"Tags": tag_list({key: tags[key] for key in shown}), **rest}


def _codes(call: Call) -> tuple[str, str]:
    return call.given("AuthenticationCode1"), call.given("AuthenticationCode2")


def _listed(device: Device) -> dict[str, Any]:
    return {
        "UserName": device.user,
        "SerialNumber": device.serial_number,
        "EnableDate": device.enabled_s,
    }


def _virtual(device: VirtualDevice, users: Mapping[str, User]) -> dict[str, Any]:
    """As IAM lists it: without its tags."""
    found: dict[str, Any] = {"SerialNumber": device.serial_number, "EnableDate": device.enabled_s}
    if device.user is not None and device.user in users:  # not deleted between the two lists
        found["User"] = described(users[device.user])
    return found
