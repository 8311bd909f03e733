"""What stands in the way of a port."""


class PortError(OSError):
    """This computer does not let a key be plugged in this way; the message names the mend."""
