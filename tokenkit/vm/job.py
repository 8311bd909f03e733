"""What one guest is to do: shell scripts in a folder that host and guest share."""

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tokenkit.vm.errors import GuestError
from tokenkit.vm.tools import last_line

# where the guest has the folder
_IN_GUEST = "/run/tokenkit/job"
SERVE = ("keys", "virtual", "serve", "--port", "uhid")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# what the guest's COMMAND is told of the host's environment
_SHARED = ("HOME", "LANG", "PATH")


@dataclass(frozen=True)
class Job:
    """``keys`` are PROFILE[?seed=N&state=FILE]; ``bring`` are paths in the guest that come back.

    ``environment`` is all that COMMAND sees, ``folder`` is where it starts.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    keys: Sequence[str] = ()
    bring: Sequence[str] = ()
    out: Path = field(default_factory=Path)

    def check(self) -> None:
        """Say what cannot be done before a guest is started for it.

        GuestError, or SelectorError for a key that is none.
        """
        if self.keys:
            from tokenkit.keys.discovery import check_selector

            for key in self.keys:
                check_selector(f"virtual:{key}")
        if not self.command or not self.command[0]:
            raise GuestError("name a command to run in the guest")
        if not self.folder.is_dir():
            raise GuestError(f"there is no folder {self.folder} to run the command in")
        for name, value in self.environment.items():
            if not _NAME.fullmatch(name) or "\0" in value:
                raise GuestError(
                    f"{name!r} is no name of an environment variable, or its value has a zero byte"
                )
        targets = [self.target(path) for path in self.bring]
        for target in targets:
            if targets.count(target) > 1:
                raise GuestError(f"two files would become {target}: bring them in two runs")
            if target.is_dir():
                raise GuestError(
                    f"{target} is there already: move it away or choose another folder"
                )

    def target(self, path: str) -> Path:
        """Where on the host a path of the guest comes to lie."""
        name = Path(os.path.normpath(path)).name
        if name in ("", ".."):
            raise GuestError(f"{path!r} has no name of its own: name a file or folder in it")
        return self.out / name

    def write(self, job: Path) -> None:
        """Write the scripts that the guest runs."""
        start = [f"export {name}={shlex.quote(text)}" for name, text in self.environment.items()]
        start.append(f"cd {shlex.quote(str(self.folder))} || exit 126")
        _write(job / "command", [*start, f"exec {shlex.join(self._served())}"])
        _write(job / "bring", [*start, *self._bring()])
        (job / "brought").mkdir()

    def _served(self) -> list[str]:
        """COMMAND, with the keys plugged in while it runs."""
        if not self.keys:
            return list(self.command)
        # with this very Python and its packages, of which COMMAND hears nothing
        start = f"import sys; sys.path[:] = {sys.path!r}; from tokenkit.cli import main; main()"
        keys = [word for key in self.keys for word in ("--key", key)]
        # once udev has seen them, too
        settled = ["/bin/sh", "-c", '/bin/udevadm settle; exec "$0" "$@"', *self.command]
        return [sys.executable, "-c", start, *SERVE, *keys, "--", *settled]

    def _bring(self) -> Iterator[str]:
        """Each under its number, which it gets once it is there whole.

        The guest's owners mean nothing on the host.
        """
        yield f"brought={_IN_GUEST}/brought"
        copy = "cp -dRH --preserve=mode,timestamps,links --"
        for number, path in enumerate(self.bring):
            half = f"$brought/half-{number}"
            yield f"{copy} {shlex.quote(path)} {half} 2>$brought/why-{number} &&"
            yield f"  mv {half} $brought/{number}"

    def deliver(self, job: Path) -> dict[str, str]:
        """Put what was brought where it belongs, each file or folder whole.

        What could not be brought, and why not.
        """
        missing = {}
        for number, path in enumerate(self.bring):
            brought = job / "brought" / str(number)
            if not os.path.lexists(brought):
                missing[path] = last_line(_text(job / "brought" / f"why-{number}"))
                continue
            self.out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.out, prefix=".tokenkit-") as made:
                copy = Path(made) / "copy"
                if brought.is_dir():
                    shutil.copytree(brought, copy, symlinks=True)
                else:
                    shutil.copy2(brought, copy)
                copy.replace(self.target(path))
        return missing


def shared_environment(more: Mapping[str, str]) -> dict[str, str]:
    """What COMMAND sees: a little of the host's environment, and ``more``."""
    return {name: os.environ[name] for name in _SHARED if name in os.environ} | {**more}


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _write(script: Path, lines: list[str]) -> None:
    script.write_bytes(os.fsencode("\n".join(lines) + "\n"))
