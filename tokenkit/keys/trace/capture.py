"""pcapng files: packets appended so that a killed program leaves a whole file, and read again."""

import io
import os
import stat
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pcapng import FileScanner, FileWriter, blocks
from pcapng.exceptions import PcapngException, TruncatedFile

from tokenkit.errors import TokenkitError

USB_LINUX = 189
USB_LINUX_MMAPPED = 220
USBPCAP = 249
# more than any USB transfer holds: what claims to be longer is damage, and must not fill memory
_MAX_BLOCK = 16 << 20
_PCAP_MAGIC = {bytes.fromhex(each) for each in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")}
_DAMAGE = (
    PcapngException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class TraceError(TokenkitError):
    """A trace that cannot be read or written; the message names the file."""


@dataclass(frozen=True)
class Packet:
    """One captured packet; ``time_s`` is since the Unix epoch, UTC.

    ``big_endian`` is how the computer that captured it writes numbers.
    """

    time_s: float
    link_type: int
    data: bytes
    big_endian: bool = False


class CaptureFile:
    """A new pcapng file of Linux USB packets, mode 0600, as it can hold secrets.

    TraceError if the file is there already, unless ``overwrite`` is set, or cannot be made.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
        try:
            self._file = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            raise TraceError(
                f"{path} is there already: remove it, or choose another name"
            ) from None
        except OSError as error:
            raise TraceError(f"{path}: {error.strerror}") from error
        self._size = 0
        self._section: Any = blocks.SectionHeader(options={"shb_userappl": "tokenkit"})
        interface = {"link_type": USB_LINUX_MMAPPED, "options": {"if_name": "tokenkit"}}
        self._section.new_member(blocks.InterfaceDescription, **interface)
        self._buffer = io.BytesIO()
        self._writer: Any = FileWriter(self._buffer, self._section)
        try:
            if overwrite and stat.S_ISREG(os.fstat(self._file).st_mode):
                os.chmod(path, 0o600)
            self._flush()
        except OSError as error:
            os.close(self._file)
            raise TraceError(f"{path}: {error.strerror}") from error

    def write(self, time_s: float, packets: Iterable[bytes]) -> None:
        """Append ``packets``, all or none of them, and nothing is kept back.

        OSError as the operating system gives it; the file is then as it was before.
        """
        micros = round(time_s * 1_000_000)
        for packet in packets:
            members = {
                "timestamp_high": micros >> 32,
                "timestamp_low": micros & 0xFFFF_FFFF,
                "packet_data": packet,
            }
            self._writer.write_block(self._section.new_member(blocks.EnhancedPacket, **members))
        self._flush()

    def close(self) -> None:
        os.close(self._file)

    def _flush(self) -> None:
        data = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            # half a block would spoil the file
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += written


def read_packets(path: Path) -> Iterator[Packet]:
    """The packets of a pcapng file; TraceError where it cannot be read or is not whole."""
    count = 0
    try:
        with open(path, "rb") as file:
            _check_magic(path, file)
            end = 0
            for block in _read_blocks(file):
                end = file.tell()
                if isinstance(block, blocks.EnhancedPacket | blocks.ObsoletePacket):
                    count += 1
                    yield _packet(block, block.timestamp)
                elif isinstance(block, blocks.SimplePacket):  # which has no time
                    count += 1
                    yield _packet(block, 0.0)
            if file.tell() != end:
                raise TruncatedFile
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error
    except TruncatedFile:
        raise TraceError(f"{path}: ends in the middle of what follows packet {count}") from None
    except _DAMAGE as error:
        raise TraceError(f"{path}: damaged after packet {count}: {_one_line(error)}") from error


def _read_blocks(file: BinaryIO) -> Iterator[Any]:
    scanner = iter(FileScanner(_Bounded(file)))
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own table of options
            block = next(scanner, None)
        if block is None:
            return
        yield block


def _packet(block: Any, time_s: float) -> Packet:
    big_endian = block.section.endianness == ">"
    return Packet(float(time_s), block.interface.link_type, bytes(block.packet_data), big_endian)


def _check_magic(path: Path, file: BinaryIO) -> None:
    magic = file.read(4)
    file.seek(0)
    if not magic:
        raise TraceError(f"{path}: an empty file, not a pcapng file")
    if magic in _PCAP_MAGIC:
        raise TraceError(
            f"{path}: an old pcap file; convert it to pcapng: editcap -F pcapng {path} NEW"
        )
    if magic != b"\n\r\r\n":
        raise TraceError(f"{path}: not a pcapng file")


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


class _Bounded:
    """A file that does not hand out the gigabytes that a damaged length asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_BLOCK:
            raise ValueError(f"a block of {size} bytes")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
