"""What a socket port listens on: ``unix:PATH``, or ``tcp:[HOST:]PORT``."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FORMS = "write unix:PATH, tcp:PORT or tcp:HOST:PORT"
_BACKLOG = 128


@dataclass(frozen=True)
class UnixAddress:
    """A socket in the file system, for its owner alone, of SOCK_STREAM or SOCK_SEQPACKET."""

    path: Path
    kind: int = socket.SOCK_STREAM

    def listen(self) -> tuple[socket.socket, str, Callable[[], None]]:
        """A listening socket, where it is, and what removes it; OSError says what is in the way.

        A socket that nobody listens on is replaced; whatever else is there stays.
        """
        _clear(self.path)
        listener = socket.socket(socket.AF_UNIX, self.kind)
        # between bind and chmod anybody could connect
        umask = os.umask(0o177)
        try:
            listener.bind(str(self.path))
            made = self.path.stat()
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise OSError(f"{self.path}: {_reason(error)}") from error
        finally:
            os.umask(umask)

        def remove() -> None:
            # not what somebody else has put there since
            with suppress(OSError):
                if os.path.samestat(self.path.lstat(), made):
                    self.path.unlink()

        return listener, f"unix:{self.path}", remove


@dataclass(frozen=True)
class TcpAddress:
    """A TCP port, 0 for any that is free; on loopback unless another host is named."""

    host: str
    port: int

    def listen(self) -> tuple[socket.socket, str, Callable[[], None]]:
        """As :meth:`UnixAddress.listen`."""
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        except (OSError, UnicodeError) as error:  # a name that is none
            raise OSError(f"tcp:{shown(self.host, self.port)}: {_reason(error)}") from error
        where = f"tcp:{shown(self.host, listener.getsockname()[1])}"
        return listener, where, lambda: None


Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """ValueError for any other form."""
    scheme, _, rest = text.partition(":")
    if scheme == "unix" and rest and "\0" not in rest:
        return UnixAddress(Path(rest))
    if scheme == "tcp":
        with suppress(ValueError):
            return TcpAddress(*parse_host_and_port(rest))
    raise ValueError(f"{text!r} is no address: {FORMS}")


def parse_host_and_port(text: str) -> tuple[str, int]:
    """``[HOST:]PORT``, an IPv6 address in brackets; this computer alone where there is no host.

    ValueError for anything else.
    """
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 0xFFFF):
        raise ValueError(f"{port!r} is no port number: write [HOST:]PORT")
    if colon and not host:
        raise ValueError("there is no host before the colon: write [HOST:]PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address is written in brackets: [{host}]:{port}")
    return host or "127.0.0.1", int(port)


def shown(host: str, port: int) -> str:
    """As :func:`parse_host_and_port` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(f"{path}: it is there and no socket, choose another name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            # EPROTOTYPE: somebody listens for the other kind; EAGAIN: many wait already
            if error.errno not in (errno.EPROTOTYPE, errno.EAGAIN):
                raise OSError(f"{path}: {error.strerror}") from error
    raise OSError(f"{path}: somebody listens there already, choose another name")


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "it is no name of a host"
    if not isinstance(error, socket.gaierror) and error.errno is None:
        return f"{error}, choose a shorter one"  # AF_UNIX path too long
    return error.strerror or str(error)
