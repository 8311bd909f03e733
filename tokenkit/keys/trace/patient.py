"""Reading from a physical key that may have nothing to say."""

from queue import Empty, SimpleQueue
from threading import Thread

from fido2.hid.base import CtapHidConnection

# a key at work says so every 0.1 s; then it may take its time to be touched
PATIENCE_S = 5.0


class PatientConnection(CtapHidConnection):
    """A connection whose reading ends, by OSError, when nothing comes for 5 s."""

    def __init__(self, connection: CtapHidConnection) -> None:
        self._connection = connection
        self._reports: SimpleQueue[bytes | OSError] = SimpleQueue()
        self._reading = False

    def write_packet(self, data: bytes) -> None:
        self._connection.write_packet(data)

    def read_packet(self) -> bytes:
        if not self._reading:
            # a read cannot be called off: the thread ends with it, or with the process
            self._reading = True
            Thread(target=self._read, daemon=True).start()
        try:
            report = self._reports.get(timeout=PATIENCE_S)
        except Empty:
            raise OSError(f"nothing came from the key for {PATIENCE_S:.0f} s") from None
        self._reading = False
        if isinstance(report, OSError):
            raise report
        return report

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> None:
        try:
            self._reports.put(self._connection.read_packet())
        except OSError as error:
            self._reports.put(error)
