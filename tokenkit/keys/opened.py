"""An open key."""

from dataclasses import dataclass, field

from fido2.ctap import CtapDevice
from fido2.ctap2.base import Ctap2
from fido2.hid import CAPABILITY

from tokenkit.keys.errors import UnsupportedError, talking_to
from tokenkit.keys.serial_number import read_serial_number
from tokenkit.virtual import SecurityKey, SqliteFlash


@dataclass
class OpenKey:
    """A key in use, real or virtual; a context manager that closes it.

    ``device`` is python-fido2's, ready for ``Ctap2`` and ``Fido2Client``. ``security_key`` is
    the virtual key behind it, None for a physical one; ``state`` the file in which that lives,
    which closing sets free.
    """

    device: CtapDevice
    selector: str
    name: str
    serial_number: str | None
    security_key: SecurityKey | None = None
    state: SqliteFlash | None = None
    closed: bool = field(default=False, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls, device: CtapDevice, selector: str, name: str, security_key: SecurityKey | None = None
    ) -> "OpenKey":
        """Wrap an open ``device``, asking it for its serial number."""
        return cls(device, selector, name, read_serial_number(device), security_key)

    @property
    def is_virtual(self) -> bool:
        return self.security_key is not None

    def require_ctap2(self) -> None:
        """UnsupportedError if the key is older than CTAP2."""
        if not self.device.capabilities & CAPABILITY.CBOR:
            raise UnsupportedError(f"{self}: speaks CTAP1 (U2F) only")

    def ctap2(self) -> Ctap2:
        """python-fido2's CTAP2 commands; UnsupportedError if the key is older than CTAP2."""
        self.require_ctap2()
        with talking_to(self.selector):
            return Ctap2(self.device)

    def close(self) -> None:
        """Let go of the device and the state file; closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        try:
            self.device.close()
        finally:
            if self.state is not None and self.security_key is not None:
                self.security_key.power_off()
                self.state.close()

    def __enter__(self) -> "OpenKey":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __str__(self) -> str:
        serial = self.serial_number or "unknown"
        return f"{self.name}, serial number {serial}, at {self.selector}"
