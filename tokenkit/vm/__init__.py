"""A real kernel without hardware: commands run in a throw-away guest with /dev/uhid."""

from tokenkit.vm.errors import KernelError, MissingToolError
from tokenkit.vm.kernel import Kernel, cache_folder, fetch_kernel, find_kernel

__all__ = [
    "Kernel",
    "KernelError",
    "MissingToolError",
    "cache_folder",
    "fetch_kernel",
    "find_kernel",
]
