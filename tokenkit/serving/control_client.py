"""The other side of :mod:`tokenkit.serving.control`: find the API, ask it."""

import http.client
import json
import os
import stat
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenkit.errors import TokenkitError

ENVIRONMENT = "TOKENKIT_CONTROL"
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Controlled:
    """What has a control API: how its files end, what names one, and what to say of it."""

    suffix: str
    environment: str
    several: str
    none: str


KEYS = Controlled(
    ".control",
    ENVIRONMENT,
    "several programs serve keys",
    "no keys are served; start with: tokenkit keys virtual serve --port uhid",
)
SERVICE = Controlled(
    ".service",
    "TOKENKIT_SERVICE",
    "several services are running",
    "no service is running; start one with: tokenkit serve; one that was started with --control"
    " FILE is found by the same option",
)


class ControlError(TokenkitError):
    """An API that cannot be reached, or that refuses an order; the message says why.

    ``status`` is that of its answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def control_folder() -> Path:
    """Where control files are, made if need be: in XDG_RUNTIME_DIR, else a private folder in /tmp.

    ControlError if somebody else has made it.
    """
    # a relative one is to be ignored, says the XDG base directory specification
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        folder = runtime / "tokenkit"
    else:
        folder = Path(tempfile.gettempdir()) / f"tokenkit-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise ControlError(f"{folder}: {error.strerror}: set XDG_RUNTIME_DIR") from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise ControlError(f"{folder}: it is not yours alone: remove it, or set XDG_RUNTIME_DIR")
    return folder


def own_control_file(kind: Controlled = KEYS) -> Path:
    """The file of this process."""
    return control_folder() / f"{os.getpid()}{kind.suffix}"


def is_left_over(file: Path) -> bool:
    """Whether it is the control file of a program that was killed: nobody answers for it."""
    try:
        client = ControlClient(file)
    except ControlError:
        return False
    try:
        client.get("/keys")
    except ControlError as error:
        # another API may have its port by now, which does not know its token
        return error.status == 401 or isinstance(error.__cause__, urllib.error.URLError)
    return False


def find_control_file(kind: Controlled = KEYS) -> Path:
    """What the environment names, else the only one of a process that is alive; ControlError."""
    if named := os.environ.get(kind.environment):
        return Path(named)
    alive = [each for each in sorted(control_folder().glob(f"*{kind.suffix}")) if _is_alive(each)]
    if len(alive) == 1:
        return alive[0]
    if alive:
        listed = ", ".join(map(str, alive))
        raise ControlError(f"{kind.several}; say which: --control FILE: {listed}")
    raise ControlError(kind.none)


def _is_alive(file: Path) -> bool:
    try:
        os.kill(int(file.stem), 0)
    except (ValueError, ProcessLookupError):
        file.unlink(missing_ok=True)  # left by one that was killed
        return False
    except PermissionError:
        pass
    return True


class ControlClient:
    """Asks the API whose control file is ``file``; ControlError with the API's own message."""

    def __init__(self, file: Path) -> None:
        try:
            said = json.loads(file.read_text("utf-8"))
            self._url, self._token = str(said["url"]), str(said["token"])
        except OSError as error:
            raise ControlError(f"control file {file}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            raise ControlError(f"{file}: it is no control file") from None

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None, _TIMEOUT_S)

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of an answer that may be long, as they come."""
        with self._open("GET", path, None, _TIMEOUT_S) as response:
            yield from response

    def post(self, path: str, order: dict[str, Any]) -> Any:
        timeout_s = order.get("wait_s", 0.0) + _TIMEOUT_S
        return self._ask("POST", path, json.dumps(order).encode(), timeout_s)

    def _ask(self, method: str, path: str, body: bytes | None, timeout_s: float) -> Any:
        with self._open(method, path, body, timeout_s) as response:
            return json.load(response)

    @contextmanager
    def _open(
        self, method: str, path: str, body: bytes | None, timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        # whatever proxy the environment names is not for this computer's own address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            request = urllib.request.Request(self._url + path, body, headers, method=method)
            with opener.open(request, timeout=timeout_s) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(_message(error), error.code) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ControlError(f"{self._url}: {reason}: is it still served?") from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}: is this a control file of tokenkit?"
