"""An authenticator app: the verifier shows a QR code, a phone reads it."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyotp

from tokenkit.errors import TokenkitError
from tokenkit.scenario.code_device import CodeDevice
from tokenkit.scenario.durations import Duration, clock_text
from tokenkit.scenario.names import Names
from tokenkit.scenario.places import Place
from tokenkit.scenario.record import DeviceRecord, Stay
from tokenkit.scenario.steps.base import Step
from tokenkit.virtual import Step as ClockStep
from tokenkit.virtual import TokenSpec

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage
    from tokenkit.verifier import AuthenticatorApp


class CreateApp(Step, frozen=True, kw_only=True):
    """The verifier makes a seed and the QR picture for it."""

    app: str

    def check(self, names: Names) -> None:
        names.make("app", "app", self.app)

    def text(self) -> str:
        return f"the verifier shows a QR code for {self.app}"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.apps[self.app] = stage.verifier.create_authenticator_app(self.app)
        return ()


class Scan(Step, frozen=True, kw_only=True):
    """A phone, whose clock is ``clock_error`` ahead, scans the picture and becomes ``device``."""

    app: str
    device: str
    clock_error: Duration = Duration(0)
    place: Place = Place("pocket")

    def check(self, names: Names) -> None:
        names.use("app", self.app, "app")
        names.make("device", "phone", self.device)

    def text(self) -> str:
        error = f", whose clock is {clock_text(self.clock_error)} off," if self.clock_error else ""
        return f"{self.device}{error} scans the QR code of {self.app}"

    def run(self, stage: "Stage") -> Iterable[str]:
        app = stage.apps[self.app]
        uri, how = read_uri(app)
        stage.note(how)
        read = pyotp.parse_uri(uri)
        if not isinstance(read, pyotp.TOTP):
            raise TokenkitError(f"the QR code of {self.app} is not for TOTP: {uri}")
        spec = TokenSpec(
            serial_number=app.serial_number,
            seed=read.byte_secret(),
            algorithm=read.digest().name.upper(),
            digits=read.digits,
            period_s=read.interval,
            entropy_key=stage.world.child_entropy(f"phone {self.device}").bytes(32),
            made_s=stage.now(),
        )
        phone = stage.world.token(spec, place=self.place.environment())
        if self.clock_error:
            phone.token_clock.add(ClockStep(stage.now(), float(self.clock_error)))
        record = DeviceRecord(self.device, "phone", app.serial_number)
        record.period_s = read.interval
        record.window_steps = stage.totp_policy.window_steps
        record.stays.append(Stay(stage.now(), str(self.place)))
        stage.add(self.device, CodeDevice(phone, record))
        return ()


def read_uri(app: "AuthenticatorApp") -> tuple[str, str]:
    """What a camera reads in the QR picture, and how it was read.

    Without a decoder installed it is the URI from which the picture was made.
    """
    try:
        import zxingcpp
        from PIL import Image
    except ImportError:
        return app.uri, "no QR decoder installed (pip install 'tokenkit[qr]'): took the URI"
    with Image.open(io.BytesIO(app.qr_png())) as picture:
        codes = zxingcpp.read_barcodes(picture.convert("L"))
    if len(codes) != 1:
        raise TokenkitError(f"the picture for {app.serial_number} holds {len(codes)} QR codes")
    return codes[0].text, f"read from the picture itself ({codes[0].format.name})"
