"""What is wrong with a profile."""


class ProfileError(ValueError):
    """No such profile, or a profile file that is wrong."""
