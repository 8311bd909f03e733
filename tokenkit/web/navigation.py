"""The console's menu: path, words, and the action that one must be allowed to see it, or None."""

NAVIGATION: list[tuple[str, str, str | None]] = [
    ("security-credentials", "Security credentials", None),
    ("virtual-tokens", "Virtual tokens", None),
    ("admin/users", "Users", "iam:ListUsers"),
    ("admin/devices", "Devices", "iam:ListUsers"),
    ("admin/seeds", "Seed files", "tokenkit:ImportSeeds"),
    ("admin/audit", "Audit log", "tokenkit:ReadAuditLog"),
]
