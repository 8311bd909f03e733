"""Virtual keys as /dev/hidraw* for one command, by LD_PRELOAD: no root, no kernel support."""

from tokenkit.preload.errors import PreloadError
from tokenkit.preload.run import run_with_keys

__all__ = ["PreloadError", "run_with_keys"]
