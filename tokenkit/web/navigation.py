"""The console's menu: path, words, and the action that one must be allowed to see it, or None."""

NAVIGATION: list[tuple[str, str, str | None]] = [
    ("security-credentials", "Security credentials", None),
]
