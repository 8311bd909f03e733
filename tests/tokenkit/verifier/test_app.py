"""Authenticator apps: the QR code, the URI, and what phones make of them."""

import base64
import io
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
import zxingcpp
from PIL import Image

from tokenkit.verifier import (
    DeleteConflict,
    DeviceKind,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    NoSuchEntity,
    ValidationError,
)


def scanned(png: bytes) -> str:
    """What a phone's camera reads."""
    with Image.open(io.BytesIO(png)) as picture:
        [code] = zxingcpp.read_barcodes(picture)
    return code.text


@pytest.mark.parametrize("name", ["ann-phone", "x" * 226, "a+b=c,d.e@f-g_h"])
def test_the_qr_code_holds_the_uri(bench: Any, name: str) -> None:
    app = bench.verifier.create_authenticator_app(name)
    assert app.serial_number == f"arn:aws:iam::123456789012:mfa/{name}"
    assert scanned(app.qr_png()) == app.uri
    uri = urlsplit(app.uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/tokenkit:{name}@123456789012"
    [secret] = parse_qs(uri.query)["secret"]
    assert (len(secret), len(base64.b32decode(secret))) == (64, 40)


def test_a_phone_that_scanned_it_can_be_enabled(bench: Any) -> None:
    app = bench.verifier.create_authenticator_app("phone")
    totp = pyotp.parse_uri(scanned(app.qr_png()))
    assert isinstance(totp, pyotp.TOTP)
    codes = totp.at(bench.now_s - 30), totp.at(bench.now_s)
    device = bench.verifier.enable("root", app.serial_number, *codes)
    assert (device.kind, device.algorithm) == (DeviceKind.AUTHENTICATOR_APP, "SHA1")
    assert (device.digits, device.period_s) == (6, 30)


def test_the_picture_as_svg(bench: Any) -> None:
    svg = bench.verifier.create_authenticator_app("phone").qr_svg()
    assert svg.startswith("<?xml")
    assert "<svg" in svg


def test_the_seed_is_not_shown_by_accident(bench: Any) -> None:
    app = bench.verifier.create_authenticator_app("phone")
    assert repr(app) == f"AuthenticatorApp(serial_number={app.serial_number!r})"


def test_seeds_differ(bench: Any) -> None:
    uris = {bench.verifier.create_authenticator_app(name).uri[-64:] for name in "abc"}
    assert len(uris) == 3


@pytest.mark.parametrize("name", ["", "x" * 227, "a b", "a/b", "ü", "\ud800"])
def test_names_that_iam_would_not_take(bench: Any, name: str) -> None:
    with pytest.raises(ValidationError, match="1 to 226 of"):
        bench.verifier.create_authenticator_app(name)
    assert bench.verifier.audit() == []


def test_a_name_that_is_taken(bench: Any) -> None:
    phone = bench.phone()
    with pytest.raises(EntityAlreadyExists, match=r"^MFA device already exists\.$"):
        bench.verifier.create_authenticator_app("phone")
    bench.sign_in(phone)  # it has its old seed


def test_deleting(bench: Any) -> None:
    verifier, phone = bench.verifier, bench.phone()
    with pytest.raises(DeleteConflict, match=r"^MFA VirtualDevice in use\. Must deactivate first"):
        verifier.delete_authenticator_app(phone.serial_number)
    verifier.deactivate("root", phone.serial_number)
    verifier.delete_authenticator_app(phone.serial_number)
    assert verifier.audit()[-1].event == "delete-authenticator-app"
    with pytest.raises(NoSuchEntity):
        bench.enable(phone)
    bench.enable(bench.new_phone())  # the name is free


def test_only_apps_can_be_deleted(bench: Any, tmp_path: Any) -> None:
    (tmp_path / "seeds.csv").write_text("serial number,secret key\nTOKEN000001,GEZDGNBV\n")
    [serial_number] = bench.verifier.import_seeds(tmp_path / "seeds.csv")
    for number in (serial_number, "nobody-has-it"):
        with pytest.raises(NoSuchEntity, match=f"number {number} does not exist"):
            bench.verifier.delete_authenticator_app(number)
    with pytest.raises(EntityAlreadyExists):
        bench.verifier.import_seeds(tmp_path / "seeds.csv")


def test_an_app_and_its_seed_are_stored_once_its_codes_are_right(make_bench: Any) -> None:
    bench = make_bench()
    verifier = bench.verifier
    app = verifier.offer_authenticator_app("phone")
    phone = bench.token(app.serial_number, app.secret)
    assert verifier.virtual_devices() == []
    with pytest.raises(InvalidAuthenticationCode):
        verifier.enable_app("root", app, phone.code(), phone.code(), name="phone")
    assert verifier.virtual_devices() == []
    assert verifier.audit()[-1].event == "enable-refused"
    device = verifier.enable_app("root", app, *phone.pair(-1), name="phone")
    assert (device.serial_number, device.user, device.name) == (app.serial_number, "root", "phone")
    assert "offset_s" in verifier.audit()[-1].detail
    with pytest.raises(EntityAlreadyExists):
        verifier.offer_authenticator_app("phone")
    with pytest.raises(EntityAlreadyExists):
        verifier.enable_app("root", app, *phone.pair(-1), name="phone")
    bench.wait(30)
    assert bench.sign_in(phone).device.name == "phone"
