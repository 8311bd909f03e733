"""The other side of :mod:`tokenkit.serving.control`: find the API, ask it."""

import json
import os
import stat
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tokenkit.errors import TokenkitError

ENVIRONMENT = "TOKENKIT_CONTROL"
_SUFFIX = ".control"


class ControlError(TokenkitError):
    """Served keys that cannot be reached, or that refuse an order; the message says why."""


def control_folder() -> Path:
    """Where control files are, made if need be: in XDG_RUNTIME_DIR, else a private folder in /tmp.

    ControlError if somebody else has made it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        folder = Path(runtime) / "tokenkit"
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


def remove_control_folder() -> None:
    """Remove it if no program serves keys any more."""
    with suppress(OSError):  # it holds another's file
        control_folder().rmdir()


def own_control_file() -> Path:
    """The file of this process."""
    return control_folder() / f"{os.getpid()}{_SUFFIX}"


def find_control_file() -> Path:
    """TOKENKIT_CONTROL, else the only one of a process that is alive; ControlError if none is."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    alive = [each for each in sorted(control_folder().glob(f"*{_SUFFIX}")) if _is_alive(each)]
    if len(alive) == 1:
        return alive[0]
    if alive:
        listed = ", ".join(map(str, alive))
        raise ControlError(f"several programs serve keys; say which: --control FILE: {listed}")
    raise ControlError("no keys are served; start with: tokenkit keys virtual serve --port uhid")


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
        return self._ask("GET", path, None)

    def post(self, path: str, order: dict[str, Any]) -> Any:
        return self._ask("POST", path, json.dumps(order).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        # whatever proxy the environment names is not for this computer's own address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(_message(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ControlError(f"{self._url}: {reason}: are the keys still served?") from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
