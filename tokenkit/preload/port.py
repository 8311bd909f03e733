"""The port whose keys are there for one command and its children, by a preloaded library."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tokenkit import virtual
from tokenkit.preload.errors import PreloadError
from tokenkit.preload.library import library
from tokenkit.preload.tree import Tree

if TYPE_CHECKING:
    from tokenkit.virtual import Plug, Port, SecurityKey, Tap


class PreloadPort:
    """Keys at /dev/hidrawN of the programs that run with its ``environment``.

    Those see files in a folder of its own over the real ones; a node is a socket. PreloadError if
    there is no library to be had, OSError as the operating system gives it.
    """

    apdus = False

    def __init__(self) -> None:
        self._root: Path | None = None
        self._nodes: dict[SecurityKey, tuple[Path, Port]] = {}

    async def open(self) -> None:
        built = library()
        root = Path(tempfile.mkdtemp(prefix="tokenkit-", dir=_folder())).resolve()
        self._root, self._tree = root, Tree(root)
        if set(" :") & set(str(root)):  # LD_PRELOAD knows no quoting
            raise PreloadError(f"{root}: set TMPDIR to a folder without spaces and colons")
        (root / "hidraw.so").symlink_to(built)

    async def plug(self, key: "SecurityKey", tap: "Tap | None" = None) -> "Plug":
        if key not in self._nodes:
            node = self._tree.add(key)
            self._nodes[key] = node, virtual.packet_port(node)
        node, port = self._nodes[key]
        plug = await port.plug(key, tap)
        self._tree.show(node)
        return _Plug(f"/dev/{node.name}", plug, lambda: self._tree.hide(node))

    def environment(self) -> dict[str, str]:
        """What makes programs see the keys that are plugged in by now, and the real files."""
        assert self._root is not None
        self._tree.finish()
        before = os.environ.get("LD_PRELOAD")
        preloaded = str(self._root / "hidraw.so")
        return {
            "TOKENKIT_PRELOAD": str(self._root),
            "LD_PRELOAD": f"{preloaded}:{before}" if before else preloaded,
        }

    async def close(self) -> None:
        for _, port in self._nodes.values():
            await port.close()
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None


class _Plug:
    """A key at a socket, ``where`` the programs know its node; ``hide`` takes it out of sysfs."""

    def __init__(self, where: str, plug: "Plug", hide: Callable[[], None]) -> None:
        self.where = where
        self._plug = plug
        self._hide = hide

    @property
    def plugged(self) -> bool:
        return self._plug.plugged

    @property
    def counts(self) -> "Counter[str]":
        return self._plug.counts

    def poke(self) -> None:
        self._plug.poke()

    async def pull(self) -> None:
        self._hide()
        await self._plug.pull()


def _folder() -> str | None:
    """Where some hundred links are made fastest: in memory, unless somebody wants otherwise."""
    in_memory = "/dev/shm"
    wanted = "TMPDIR" in os.environ or not os.access(in_memory, os.W_OK | os.X_OK)
    return None if wanted else in_memory
