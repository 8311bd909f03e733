"""Virtual keys as /dev/hidraw* for one command, by LD_PRELOAD: no root, no kernel support."""

from tokenkit.preload.errors import PreloadError
from tokenkit.preload.port import PreloadPort

__all__ = ["PreloadError", "PreloadPort"]
