"""What this computer has, and what would mend what it lacks."""

from tokenkit.doctor.checks import CHECKS, examine
from tokenkit.doctor.finding import Finding

__all__ = ["CHECKS", "Finding", "examine"]
