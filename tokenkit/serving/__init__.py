"""Virtual keys on a real wire: served to programs that have never heard of this toolkit."""

from tokenkit.serving.child import CommandError, run_command, until_told
from tokenkit.serving.control import ControlServer
from tokenkit.serving.control_client import (
    ControlClient,
    ControlError,
    find_control_file,
    own_control_file,
)
from tokenkit.serving.run import serve_keys
from tokenkit.serving.served_key import ServedKey
from tokenkit.serving.server import ServeError, Server

__all__ = [
    "CommandError",
    "ControlClient",
    "ControlError",
    "ControlServer",
    "ServeError",
    "ServedKey",
    "Server",
    "find_control_file",
    "own_control_file",
    "run_command",
    "serve_keys",
    "until_told",
]
