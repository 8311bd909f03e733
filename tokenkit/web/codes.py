"""Codes as people type them."""


def clean(code: str) -> str:
    """Without the gaps that displays and apps show between groups of digits."""
    return code.replace(" ", "").replace("\u00a0", "").replace("-", "")
