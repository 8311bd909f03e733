"""Device side: what would be silicon. Never imports ``tokenkit``."""
