"""An authenticator app that a program reads: its codes by the clock of a service."""

from pathlib import Path

import pyotp

from tokenkit.errors import MissingExtraError, TokenkitError
from tokenkit.virtual import Clock

_LARGEST = 1_000_000  # bytes of a picture


class PhoneError(TokenkitError):
    """What is no seed of an authenticator app. Its text is not repeated: it is a secret."""


class Phone:
    """An app that holds ``seed``: base32, or the otpauth://totp/ URI of a QR code. PhoneError."""

    def __init__(self, seed: str, clock: Clock) -> None:
        self._totp = _totp("".join(seed.split()))
        self._clock = clock

    def code(self) -> str:
        """What it shows now."""
        return self._totp.at(int(self._clock.now()))

    def two_codes(self) -> tuple[str, str]:
        """Two consecutive codes, as one reads to enable or resynchronise; waits for the second."""
        first, now_s, period_s = self.code(), self._clock.now(), self._totp.interval
        self._clock.wait_until(now_s - now_s % period_s + 1.5 * period_s)
        return first, self.code()


def _totp(seed: str) -> pyotp.TOTP:
    try:
        if not seed.startswith("otpauth:"):
            made = pyotp.TOTP(seed)
        else:
            parsed = pyotp.parse_uri(seed)
            if not isinstance(parsed, pyotp.TOTP):
                raise PhoneError("it is a seed of HOTP: an app of IAM's has TOTP")
            made = parsed
        made.byte_secret()
    except ValueError:
        raise PhoneError(
            "it is no seed of an app: give Base32StringSeed, QRCodePNG or otpauth://totp/…, or a"
            " file with one of them"
        ) from None
    return made


def read_seed(path: Path) -> str:
    """What is in a file: a QR code as a picture, or text. PhoneError, MissingExtraError."""
    with path.open("rb") as file:
        contents = file.read(_LARGEST)
    if contents.isascii():
        return contents.decode()
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading a QR code", "qr") from error
    try:
        with Image.open(path) as picture:
            codes = zxingcpp.read_barcodes(picture.convert("L"))
    except UnidentifiedImageError:
        raise PhoneError(f"{path}: it is no picture") from None
    if len(codes) != 1:
        raise PhoneError(f"{path}: there are {len(codes)} QR codes in it")
    text: str = codes[0].text
    return text
