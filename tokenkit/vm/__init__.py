"""A real kernel without hardware: commands run in a throw-away guest with /dev/uhid."""

from tokenkit.vm.errors import GuestError, KernelError, MissingToolError
from tokenkit.vm.guest import TIMED_OUT, GuestResult, run_in_guest
from tokenkit.vm.kernel import Kernel, cache_folder, fetch_kernel, find_kernel

__all__ = [
    "TIMED_OUT",
    "GuestError",
    "GuestResult",
    "Kernel",
    "KernelError",
    "MissingToolError",
    "cache_folder",
    "fetch_kernel",
    "find_kernel",
    "run_in_guest",
]
