"""An authenticator app that a test reads, by the clock of the service."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.service.endpoint import IamEndpoint
from tokenkit.service.phone import Phone, PhoneError, read_seed
from tokenkit.virtual import START_S, SimulatedClock


def test_a_phone_is_enabled_and_signs_in(endpoint: IamEndpoint) -> None:
    iam = endpoint.client("iam")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    phone = endpoint.phone(made["Base32StringSeed"].decode())
    code1, code2 = phone.two_codes()
    iam.enable_mfa_device(
        UserName="root",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=code1,
        AuthenticationCode2=code2,
    )
    endpoint.service.clock.advance(30)
    assert endpoint.verifier.sign_in("root", phone.code()).user == "root"


def test_the_uri_of_a_qr_code() -> None:
    """RFC 6238 appendix B: 59 s, eight digits."""
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    phone = Phone(f"otpauth://totp/ann?secret={seed}&digits=8", SimulatedClock(59.0))
    assert phone.code() == "94287082"
    assert phone.two_codes() == (
        "94287082",
        Phone(f"otpauth://totp/ann?secret={seed}&digits=8", SimulatedClock(75.0)).code(),
    )


@given(st.text())
def test_any_text_is_a_seed_or_is_refused(text: str) -> None:
    with suppress(PhoneError):
        assert len(Phone(text, SimulatedClock(START_S)).code()) == 6


@pytest.mark.parametrize("seed", ["otpauth://hotp/ann?secret=GEZDGNBV", "otpauth://x", "", "1"])
def test_what_is_no_seed(seed: str) -> None:
    with pytest.raises(PhoneError, match="seed of"):
        Phone(seed, SimulatedClock(START_S)).code()


def test_files_without_a_code(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
    with pytest.raises(PhoneError, match="there are 0 QR codes in it"):
        read_seed(tmp_path / "white.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    with pytest.raises(PhoneError, match="it is no picture"):
        read_seed(tmp_path / "broken.png")
