"""Authenticator apps: the QR code by which a seed gets into a phone."""

import base64
import io
from dataclasses import dataclass, field

import pyotp

from tokenkit.verifier.names import ACCOUNT_ID, app_serial_number

ISSUER = "tokenkit"
ALGORITHM, DIGITS, PERIOD_S = "SHA1", 6, 30  # what IAM's virtual MFA devices have
SEED_BYTES = 40  # 64 characters of base32, as in IAM
_DOT = 4  # pixels


@dataclass(frozen=True)
class AuthenticatorApp:
    """A seed to be scanned; nobody's until it is enabled with two consecutive codes.

    ``uri`` is ``otpauth://totp/…`` in the Key Uri Format. It holds the seed, as ``secret`` does in
    base32: show them once.
    """

    serial_number: str
    uri: str = field(repr=False)
    secret: str = field(repr=False)

    def qr_png(self) -> bytes:
        """The QR code as a PNG picture."""
        return self._picture("png")

    def qr_svg(self) -> str:
        """The QR code as an SVG picture."""
        return self._picture("svg").decode()

    def _picture(self, kind: str) -> bytes:
        import segno

        picture = io.BytesIO()
        segno.make_qr(self.uri, error="m").save(picture, kind=kind, scale=_DOT)
        return picture.getvalue()


def authenticator_app(name: str, seed: bytes, path: str = "/") -> AuthenticatorApp:
    """An app called ``name`` under ``seed``."""
    secret = base64.b32encode(seed).decode().rstrip("=")
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=PERIOD_S)
    uri = totp.provisioning_uri(name=f"{name}@{ACCOUNT_ID}", issuer_name=ISSUER)
    return AuthenticatorApp(app_serial_number(name, path), uri, secret)
