"""What stops a command from being run with virtual keys."""

from tokenkit.errors import TokenkitError


class PreloadError(TokenkitError):
    """The library cannot be built, or the command not run; the message names the mend."""
