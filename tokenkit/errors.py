"""The one exception hierarchy of the host side."""


class TokenkitError(Exception):
    """Something a user can mend; the message says what was wrong and what to do."""


class MissingExtraError(TokenkitError):
    """A feature whose packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs more packages: pip install 'tokenkit[{extra}]'")
