"""What can go wrong before COMMAND has run."""

from tokenkit.errors import TokenkitError


class MissingToolError(TokenkitError):
    """Programs of the host that the guest is made with, and are not installed."""


class KernelError(TokenkitError):
    """No kernel for the guest, or it cannot be fetched."""


class GuestError(TokenkitError):
    """A guest that ended before COMMAND did, or what it was asked to bring and has not."""
