"""``python -m tokenkit``."""

from tokenkit.cli import main

main()
