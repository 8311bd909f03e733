"""Users and their devices, for administrators."""

from contextlib import suppress
from functools import partial
from typing import Any

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import (
    ROOT,
    NoSuchEntity,
    User,
    ValidationError,
    VerifierError,
)
from tokenkit.verifier.accounts import Held
from tokenkit.verifier.names import user_arn
from tokenkit.web.admin_chart import Point, drift_in_words, drift_svg
from tokenkit.web.admin_drift import drift_facts, drift_of, true_errors
from tokenkit.web.admin_pages import administrators
from tokenkit.web.credentials import find_device
from tokenkit.web.visit import Visit, said, status_of, visited

_MOST_LINES = 1000


@administrators("iam:ListUsers")
def show_users(visit: Visit) -> Response:
    return _users_page(visit)


def _users_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    devices, shown = visit.verifier.devices(), _whose_devices(visit)
    users = [
        (user, [each for each in devices if each.user == user.name] if user.name in shown else None)
        for user in visit.verifier.users()
        if user.name != ROOT or visit.user == ROOT
    ]
    return visit.page("admin_users.html", status, users=users, **context)


def _whose_devices(visit: Visit) -> set[str]:
    """The names of users whose devices the visitor may see; root's are root's business."""
    return {
        user.name
        for user in visit.verifier.users()
        if (user.name != ROOT or visit.user == ROOT) and visit.may("iam:ListMFADevices", user.arn)
    }


@visited
def create_user(visit: Visit) -> Response:
    """With a password or without one; a password that is refused leaves no user behind."""
    name, password = visit.text("name").strip(), visit.text("password")
    visit.demand("iam:CreateUser", user_arn(name))
    if password:
        visit.demand("iam:CreateLoginProfile", user_arn(name))
    try:
        hashed = visit.verifier.hash_password(password) if password else None
        visit.verifier.create_user(name, password_hash=hashed)
    except VerifierError as error:
        return _users_page(visit, status_of(error), error=said(error), form={"name": name})
    return visit.go("admin/users", f"User {name} was created.")


def _user(visit: Visit) -> User:
    """The user whom the address names. NoSuchEntity for root, whom only root can name."""
    name = visit.path("name")
    if name == ROOT and visit.user != ROOT:
        raise NoSuchEntity(f"The user with name {name} cannot be found.")
    return visit.verifier.user(name)


@visited
def show_user(visit: Visit) -> Response:
    user = _user(visit)
    visit.demand("iam:GetUser", user.arn)
    visit.demand("iam:ListMFADevices", user.arn)
    return _user_page(visit, user)


def _user_page(visit: Visit, user: User, status: int = 200, **context: Any) -> Response:
    return visit.page(
        "admin_user.html",
        status,
        user=user,
        devices=visit.verifier.devices(user.name),
        may_set_password=visit.may(_password_action(user), user.arn),
        **context,
    )


def _password_action(user: User) -> str:
    return "iam:UpdateLoginProfile" if user.has_password else "iam:CreateLoginProfile"


@visited
def set_password(visit: Visit) -> Response:
    user = _user(visit)
    visit.demand(_password_action(user), user.arn)
    try:
        visit.verifier.set_password(user.name, visit.text("password"), replace=user.has_password)
    except VerifierError as error:
        return _user_page(visit, user, status_of(error), error=said(error))
    return visit.go(f"admin/users/{user.name}", f"The password of {user.name} was set.")


@visited
def ask_to_delete(visit: Visit) -> Response:
    user = _user(visit)
    visit.demand("iam:DeleteUser", user.arn)
    return _delete_page(visit, user)


def _delete_page(visit: Visit, user: User, status: int = 200, **context: Any) -> Response:
    verifier = visit.verifier
    return visit.page(
        "admin_delete_user.html",
        status,
        user=user,
        devices=verifier.devices(user.name),
        access_keys=verifier.access_keys(user.name),
        policies=verifier.user_policies(user.name),
        **context,
    )


@visited
def delete_user(visit: Visit) -> Response:
    """With all that the user holds, as AWS's console does; IAM itself demands it gone before."""
    user = _user(visit)
    visit.demand("iam:DeleteUser", user.arn)
    try:
        if user.name == ROOT:
            raise ValidationError("The root user cannot be deleted.")
        if user.name == visit.user:
            raise ValidationError("You cannot delete yourself.")
        if visit.text("confirm").strip() != user.name:
            raise ValidationError(f"To confirm, write the name: {user.name}.")
        visit.verifier.delete_user(user.name, along=_what_may_go(visit, user))
    except VerifierError as error:
        return _delete_page(visit, user, status_of(error), error=said(error))
    return visit.go("admin/users", f"User {user.name} was deleted.")


def _what_may_go(visit: Visit, user: User) -> list[Held]:
    """What the visitor may take from ``user``; AccessDenied if that is less than there is."""
    verifier, name = visit.verifier, user.name
    held: list[tuple[Held, str, bool]] = [
        ("login profile", "iam:DeleteLoginProfile", user.has_password),
        ("access keys", "iam:DeleteAccessKey", bool(verifier.access_keys(name))),
        ("policies", "iam:DeleteUserPolicy", bool(verifier.user_policies(name))),
        ("MFA device", "iam:DeactivateMFADevice", bool(verifier.devices(name))),
    ]
    for _, action, is_held in held:
        if is_held:
            visit.demand(action, user.arn)
    return [what for what, action, _ in held if visit.may(action, user.arn)]


@administrators("iam:ListUsers")
def show_devices(visit: Visit) -> Response:
    return _devices_page(visit)


def _devices_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    """The devices of all whom it concerns, and what is amiss with users and with them."""
    shown = _whose_devices(visit)
    return visit.page(
        "admin_devices.html",
        status,
        devices=[each for each in visit.verifier.devices() if each.user in shown],
        findings=[each for each in visit.verifier.findings() if each.user in shown],
        show_user=True,
        **context,
    )


@administrators("iam:ListUsers")
def show_device(visit: Visit) -> Response:
    """The clock of one token or app."""
    shown = _whose_devices(visit)
    devices = [each for each in visit.verifier.devices() if each.user in shown]
    device = find_device(devices, visit.query("serial"))
    if not device.period_s:
        raise NoSuchEntity("A security key has no clock.")
    lines = visit.verifier.audit_page(serial_number=device.serial_number, limit=_MOST_LINES).lines
    now_s = visit.service.clock.now()
    truth: list[Point] = []
    with suppress(NoSuchEntity):  # most tokens are real ones
        token = visit.service.tokens.find(device.serial_number)
        truth = true_errors(token, min(line.at_s for line in lines), now_s)
    drift = drift_of(
        device,
        lines[::-1],
        visit.verifier.totp,
        now_s,
        partial(visit.verifier.windows, device.serial_number),
        truth,
    )
    return visit.page(
        "admin_device.html",
        device=device,
        drift=drift,
        facts=drift_facts(device),
        words=drift_in_words(drift),
        chart=Markup(drift_svg(drift, device.name or device.serial_number, "drift")),
    )


@administrators("tokenkit:UnlockMFADevice")
def unlock(visit: Visit) -> Response:
    """Also one that is nobody's: wrong codes when it was to be assigned lock it as well."""
    serial_number = visit.text("serial").strip()
    try:
        visit.verifier.unlock(serial_number)
    except VerifierError as error:
        form = {"serial": serial_number}
        return _devices_page(visit, status_of(error), error=said(error), form=form)
    return visit.go("admin/devices", f"Device {serial_number} was unlocked.")


USER_ROUTES = [
    Route("/admin/users", show_users),
    Route("/admin/users", create_user, methods=["POST"]),
    Route("/admin/users/{name}", show_user),
    Route("/admin/users/{name}/password", set_password, methods=["POST"]),
    Route("/admin/users/{name}/delete", ask_to_delete),
    Route("/admin/users/{name}/delete", delete_user, methods=["POST"]),
    Route("/admin/devices", show_devices),
    Route("/admin/device", show_device),
    Route("/admin/unlock", unlock, methods=["POST"]),
]
