"""The computer that is examined: its files, modules, programs and groups."""

import grp
import importlib.util
import os
import platform
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path


class System:
    """This computer; ``root`` is the folder that stands for / in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The file that is called ``name`` from /."""
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        try:
            return self.path(name).exists()
        except OSError:  # a folder that may not be looked into
            return False

    def first(self, names: Iterable[str]) -> str | None:
        return next((name for name in names if self.exists(name)), None)

    def opening(self, name: str) -> str | None:
        """Why ``name`` cannot be opened to read and write, None if it can."""
        try:
            os.close(os.open(self.path(name), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            return error.strerror
        return None

    def module(self, name: str) -> str:
        """``loaded``, ``loadable``, ``missing``, or ``unknown``, as in most containers."""
        if self.exists(f"/sys/module/{name}"):
            return "loaded"
        folder = self.path(f"/lib/modules/{platform.release()}")
        if not folder.is_dir():
            return "unknown"
        file = name.replace("_", "[-_]")
        for index in ("modules.builtin", "modules.dep"):
            try:
                lines = (folder / index).read_text("utf-8", "replace").splitlines()
            except OSError:
                continue
            paths = (Path(line.partition(":")[0]) for line in lines)
            if any(path.match(f"{file}.ko*") for path in paths):
                return "loaded" if index == "modules.builtin" else "loadable"
        return "missing"

    def program(self, name: str) -> str | None:
        """Where it is; administrators' folders count, which are on no user's path."""
        found = shutil.which(name)
        return found or self.first(f"{folder}/{name}" for folder in ("/usr/sbin", "/sbin"))

    def python_package(self, name: str) -> bool:
        return importlib.util.find_spec(name) is not None

    def group(self, name: str) -> bool | None:
        """Whether this process is in the group, None if there is no such."""
        try:
            return grp.getgrnam(name).gr_gid in {os.getegid(), *os.getgroups()}
        except KeyError:
            return None

    @property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    def listens(self, port: int) -> bool:
        """Whether something on this computer takes connections at a TCP port."""
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    def answers(self, name: str) -> bool:
        """Whether something takes connections at a Unix socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.path(name)))
            except OSError:
                return False
        return True
